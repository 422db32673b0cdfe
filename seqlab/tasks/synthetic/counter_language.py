"""The language aⁿbⁿ (Gers and Schmidhuber, 2001): can a model count up and back down to zero?

    inputs    a a a b b b
    targets   . . . 0 . 1     (is this b the last one?)

A word has as many b as a. Two of the b are scored: the last, whose answer is yes, and one of the others,
drawn at random, whose answer is no. Both answers are thus equally frequent, and always answering no scores
one half. Only the count tells that a b is the last: padding comes after it.
"""

from dataclasses import dataclass

import numpy as np

from seqlab.tasks.synthetic.labelling import Labelled, require


@dataclass(frozen=True)
class Task:
    """Words of up to `length` letters (ids 1 for a, 2 for b), padded with 0 on the right.

    n is uniform above a quarter of `length` and up to a half of it, so that words of length L and of length
    2L have no n in common.
    """

    length: int

    def __post_init__(self) -> None:
        require("aⁿbⁿ", length=(self.length, 4))  # two letters of each

    @property
    def vocabulary(self) -> int:
        """Ids of inputs; targets are 0 and 1."""
        return 3

    @property
    def chance_level(self) -> float:
        """The accuracy of always answering no."""
        return 1 / 2

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        n = rng.integers(self.length // 4 + 1, self.length // 2 + 1, size=size)
        place = np.arange(self.length)
        inputs = np.where(place < n[:, None], 1, np.where(place < 2 * n[:, None], 2, 0)).astype(np.int32)
        targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
        rows = np.arange(size)
        targets[rows, 2 * n - 1] = scored[rows, 2 * n - 1] = 1
        scored[rows, n + rng.integers(n - 1)] = True
        return inputs, targets, scored
