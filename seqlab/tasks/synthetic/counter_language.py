"""The language aⁿbⁿ (Gers and Schmidhuber, 2001): can a model count up, and down again to nothing?

    inputs    a a a b b b
    targets   . . . 0 . 1     (is this b the last one?)

As many b as a. Two of the b are scored: the last, whose answer is yes, and one of the others, drawn at
random, whose answer is no, so that neither answer is the commoner and always saying no scores a half. In
training the word is shown whole: nothing before the last b tells that it is the last, but the count.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError


@dataclass(frozen=True)
class Task:
    """Words of up to `length` letters (ids 1 for a, 2 for b), filled up with 0 on the right.

    n is uniform above a quarter of `length`, up to a half of it, so that no word of twice a length has an n
    that words of the length have.
    """

    length: int

    def __post_init__(self) -> None:
        if self.length < 4:
            raise UsageError(f"aⁿbⁿ needs a length of 4 or more, two letters of each, found {self.length}.")

    @property
    def vocabulary(self) -> int:
        """Ids of inputs; targets are 0 and 1."""
        return 3

    @property
    def guess(self) -> float:
        """The accuracy of always saying no."""
        return 1 / 2

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        n = rng.integers(self.length // 4 + 1, self.length // 2 + 1, size=size)
        place = np.arange(self.length)
        inputs = np.where(place < n[:, None], 1, np.where(place < 2 * n[:, None], 2, 0)).astype(np.int32)
        targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
        rows = np.arange(size)
        targets[rows, 2 * n - 1] = scored[rows, 2 * n - 1] = 1
        scored[rows, n + rng.integers(n - 1)] = True
        return inputs, targets, scored
