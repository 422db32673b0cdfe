"""Words of permutations (Merrill et al., 2024): can a model follow a ball under cups that trade places?

    inputs    (1 2) (2 3) (1 3) (1 2)
    targets    2     3     1     2       (where the ball is that began under cup 1)

Each step swaps two of n cups, any two. The swaps compose to every permutation of n things. Those of five, S5,
are the smallest that no fixed number of Transformer layers composes at every length, unless two complexity
classes coincide (TC⁰ and NC¹); those of three, S3, do not settle that. Merrill et al. ask for the whole
permutation; where one ball goes is as hard, since the same automaton must be run, and has n answers only.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError


@dataclass(frozen=True)
class Task:
    """`length` random swaps of two of `cups` cups; every step asks where the ball is."""

    length: int
    cups: int = 5

    def __post_init__(self) -> None:
        if self.length < 1 or self.cups < 2:
            raise UsageError(
                f"permutations need a length of 1 or more and 2 cups or more, found length {self.length} "
                f"and {self.cups} cups."
            )

    @property
    def swaps(self) -> tuple[tuple[int, int], ...]:
        """The two cups that each input swaps."""
        return tuple(combinations(range(self.cups), 2))

    @property
    def vocabulary(self) -> int:
        """Ids of inputs and of targets."""
        return max(len(self.swaps), self.cups)

    @property
    def guess(self) -> float:
        """The accuracy of naming any cup, once the word is long."""
        return 1 / self.cups

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
        """`size` fresh sequences: inputs, targets, and which positions are scored (all)."""
        words = rng.integers(len(self.swaps), size=(size, self.length), dtype=np.int32)
        goes = np.tile(np.arange(self.cups, dtype=np.int32), (len(self.swaps), 1))  # from cup to cup
        for swap, (one, other) in enumerate(self.swaps):
            goes[swap, [one, other]] = other, one
        ball, places = np.zeros(size, np.int32), np.zeros_like(words)
        for step in range(self.length):
            ball = goes[words[:, step], ball]
            places[:, step] = ball
        return words, places, np.ones(words.shape, bool)
