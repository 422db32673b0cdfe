"""What is a campaign? Numbered cases, each of its own random numbers, so that each can be tried alone."""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Case:
    """What was tried, what is wrong with how it came out, and what else to count.

    It counts as one, unless `counts` has a number called "tried".
    """

    what: str
    wrong: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


class Campaign(ABC):
    """Cases of one kind, in a folder of their own."""

    COUNT: ClassVar[int]  # that a whole campaign tries

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Make what all cases begin with."""

    @abstractmethod
    def case(self, number: int, rng: random.Random) -> Case:
        """Try one case."""
