"""Copying a string (Jelassi et al., 2024): can a model repeat a string of any length?

    inputs    c a b a | c a b
    targets   . . . . c a b a

A string of random letters, a bar, and the string once more. The model predicts each letter of the copy from
the correct letters before it, as a language model does (teacher forcing), so that one error causes no others.
"""

from dataclasses import dataclass

import numpy as np

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.labelling import Labelled, answered_at_end, require


@dataclass(frozen=True)
class Task:
    """Strings of half of `length` letters: `length` steps in all. The bar is id 0."""

    length: int
    letters: int = 26  # as in Jelassi et al.

    def __post_init__(self) -> None:
        require("copying", length=(self.length, 2), letters=(self.letters, 2))
        if self.length % 2:
            raise UsageError(f"copying: length must be even, found {self.length}.")

    @property
    def vocabulary(self) -> int:
        """Ids: the bar and the letters."""
        return 1 + self.letters

    @property
    def chance_level(self) -> float:
        """The accuracy of a random letter."""
        return 1 / self.letters

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        half = self.length // 2
        string = rng.integers(1, self.vocabulary, size=(size, half), dtype=np.int32)
        inputs = np.concatenate([string, np.zeros((size, 1), np.int32), string[:, :-1]], axis=1)
        return answered_at_end(inputs, string)
