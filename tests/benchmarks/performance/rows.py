"""What was measured of one case, and how do its contenders compare?"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from seqlab.analysis.intervals import Estimate, interval
from tests.benchmarks.performance.cases import COMPILED, EAGER, Case


@dataclass(frozen=True)
class Timing:
    """Seconds of steps (or tokens), block by block; of the first step; peak memory in bytes."""

    blocks: tuple[tuple[float, ...], ...]
    first_seconds: float
    peak: int

    @property
    def median(self) -> float:
        """Over all steps."""
        return float(np.median(list(chain.from_iterable(self.blocks))))

    @property
    def quartiles(self) -> tuple[float, float]:
        """A quarter of the steps took less than the first, a quarter more than the second."""
        low, high = np.quantile(list(chain.from_iterable(self.blocks)), [0.25, 0.75])
        return float(low), float(high)


@dataclass(frozen=True)
class Row:
    """A case and the timings of its contenders, by their names."""

    case: Case
    timings: Mapping[str, Timing]

    @property
    def best(self) -> str:
        """Which of our two forms a long run would take: the one with the lower median."""
        ours = [name for name in (EAGER.name, COMPILED.name) if name in self.timings]
        return min(ours, key=lambda name: self.timings[name].median)

    def ratio(self, left: str, right: str) -> Estimate:
        """Time of `left` over that of `right`, block by block: the geometric mean and its 95 % interval."""
        pairs = zip(self.timings[left].blocks, self.timings[right].blocks, strict=False)
        return interval([float(np.median(a) / np.median(b)) for a, b in pairs], log=True)


@dataclass(frozen=True)
class Cost:
    """How often a primitive occurs, and the seconds of all of them; None where it was not timed."""

    name: str
    count: int
    seconds: float | None


@dataclass(frozen=True)
class Profile:
    """A case's `seconds` a step, those of what was traced of it alone, and what its primitives cost."""

    case: Case
    seconds: float
    traced_seconds: float
    costs: tuple[Cost, ...]
