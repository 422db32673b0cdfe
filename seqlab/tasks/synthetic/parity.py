"""Parity: can a model keep one bit of state that every input may flip?

    inputs    1 0 0 1 1 0 1
    targets   1 1 1 0 1 1 0     (the number of ones so far, modulo 2)

Every position is scored, or the last alone. A model that learnt the rule, not the lengths it saw, scores
as well on longer sequences (Delétang et al., 2022).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError


@dataclass(frozen=True)
class Task:
    """Sequences of `length` random bits; `every_step` scores each prefix, else only the whole."""

    length: int
    every_step: bool = True

    def __post_init__(self) -> None:
        if self.length < 1:
            raise UsageError(f"parity needs a length of 1 or more, found {self.length}.")

    @property
    def vocabulary(self) -> int:
        """Ids of inputs and of targets: the two bits."""
        return 2

    @property
    def guess(self) -> float:
        """The accuracy of tossing a coin."""
        return 1 / 2

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
        """`size` fresh sequences: inputs, targets, and which positions are scored."""
        bits = rng.integers(2, size=(size, self.length), dtype=np.int32)
        scored = np.full(bits.shape, self.every_step)
        scored[:, -1] = True
        return bits, np.cumsum(bits, axis=1, dtype=np.int32) % 2, scored
