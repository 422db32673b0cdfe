"""Copying a string (Jelassi et al., 2024): can a model say again what it has just read, however long?

    inputs    c a b a | c a b
    targets   . . . . c a b a

A string of random letters, a bar, and the string once more. Each letter of the copy is asked for while the
letters before it are shown, as in a language model, so one mistake is no more than one mistake.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError


@dataclass(frozen=True)
class Task:
    """Strings of half of `length` letters: `length` steps in all. The bar is id 0."""

    length: int
    letters: int = 26  # as in Jelassi et al.

    def __post_init__(self) -> None:
        if self.length < 2 or self.length % 2 or self.letters < 2:
            raise UsageError(
                f"copying needs an even length of 2 or more and 2 letters or more, found length "
                f"{self.length} and {self.letters} letters."
            )

    @property
    def vocabulary(self) -> int:
        """Ids: the bar and the letters."""
        return 1 + self.letters

    @property
    def guess(self) -> float:
        """The accuracy of naming any letter."""
        return 1 / self.letters

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        half = self.length // 2
        string = rng.integers(1, self.vocabulary, size=(size, half), dtype=np.int32)
        inputs = np.concatenate([string, np.zeros((size, 1), np.int32), string[:, :-1]], axis=1)
        targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
        targets[:, half:], scored[:, half:] = string, True
        return inputs, targets, scored
