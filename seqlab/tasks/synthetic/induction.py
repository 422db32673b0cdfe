"""Induction (Olsson et al., 2022): can a model continue a sequence that it has seen only once?

    inputs    d a c e b d a c e b d a
    targets   .  .  .  .  . a c e b d a c

Random tokens repeat with a period that differs between sequences, so that no fixed distance leads to the
answer: a model must find the earlier occurrence of the current token and read the token after it. Positions
are scored from the first repeated token on. Attention solves it with two layers (an induction head).
"""

from dataclasses import dataclass

import numpy as np

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.labelling import Labelled, require


@dataclass(frozen=True)
class Task:
    """Sequences of `length` ids below `vocabulary`; no id occurs twice in a period.

    Periods are uniform from a quarter to a half of the length.
    """

    length: int
    vocabulary: int

    def __post_init__(self) -> None:
        require("induction", length=(self.length, 4))
        if self.vocabulary < self.length // 2:
            raise UsageError(
                f"induction: periods of up to {self.length // 2} different ids need a vocabulary of as many, "
                f"found {self.vocabulary}."
            )

    @property
    def chance_level(self) -> float:
        """The accuracy of a random id."""
        return 1 / self.vocabulary

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
        """`size` fresh sequences: inputs, targets (one token on), and which positions are scored."""
        longest = self.length // 2
        ids = np.argsort(rng.random((size, self.vocabulary)), axis=1)[:, :longest].astype(np.int32)
        periods = rng.integers(self.length // 4, longest + 1, size=(size, 1))
        places = np.arange(self.length + 1)
        tokens = np.take_along_axis(ids, places % periods, axis=1)
        return tokens[:, :-1], tokens[:, 1:], places[:-1] >= periods
