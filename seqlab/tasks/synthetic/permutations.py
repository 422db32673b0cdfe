"""Composing permutations (Merrill et al., 2024): can a model track a ball under cups that are swapped?

    inputs    (1 2) (2 3) (1 3) (1 2)
    targets    2     3     1     2       (the cup that hides the ball, at first cup 1)

Each step swaps any two of n cups. Swaps compose to every permutation of n elements. S5, the permutations of
five, is the smallest such group that no fixed number of Transformer layers composes at every length, unless
two complexity classes coincide (TC⁰ and NC¹); S3 does not decide that. Merrill et al. ask for the whole
permutation. Tracking one ball is as hard, since the model must simulate the same automaton, and it has only n
answers.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from seqlab.tasks.synthetic.labelling import Labelled, require


@dataclass(frozen=True)
class Task:
    """`length` random swaps of two of `cups` cups; the ball's position is scored after every step."""

    length: int
    cups: int = 5

    def __post_init__(self) -> None:
        require("permutations", length=(self.length, 1), cups=(self.cups, 2))

    @property
    def swaps(self) -> tuple[tuple[int, int], ...]:
        """The two cups that each input swaps."""
        return tuple(combinations(range(self.cups), 2))

    @property
    def vocabulary(self) -> int:
        """Ids of inputs and of targets."""
        return max(len(self.swaps), self.cups)

    @property
    def chance_level(self) -> float:
        """The accuracy of a random cup, once the sequence is long."""
        return 1 / self.cups

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
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
