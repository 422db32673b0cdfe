"""Adding (Hochreiter and Schmidhuber, 1997, experiment 4): can a model add two numbers that lie far apart?

    values   0.31 0.94 0.07 0.58 0.22 | 0.83 0.46 0.12 0.70 0.39
    markers  0    1    0    0    0    | 0    0    0    1    0
    target   0.94 + 0.70 = 1.64

Each half has one marker. This is the form of Le et al. (2015) and of Bai et al. (2018); the original has
values in [-1, 1], markers of -1 at both ends and a scaled sum. The score is the mean squared error of the
output at the end of the sequence.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from seqlab.tasks.synthetic.labelling import require


@dataclass(frozen=True)
class Task:
    """Sequences of `length` steps with two channels: a value uniform in [0, 1), and the marker."""

    length: int

    def __post_init__(self) -> None:
        require("adding", length=(self.length, 2))  # one step in each half

    @property
    def channels(self) -> int:
        """Inputs at each step."""
        return 2

    @property
    def chance_level(self) -> float:
        """The squared error of always answering 1: the variance of the sum of two uniform numbers."""
        return 1 / 6

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Float32[np.ndarray, "B L 2"], Float32[np.ndarray, "B"]]:
        """`size` fresh sequences and their sums."""
        values = rng.random((size, self.length), dtype=np.float32)
        half = self.length // 2
        first, second = rng.integers(half, size=size), rng.integers(half, self.length, size=size)
        markers, rows = np.zeros_like(values), np.arange(size)
        markers[rows, first] = markers[rows, second] = 1
        return np.stack([values, markers], axis=2), values[rows, first] + values[rows, second]
