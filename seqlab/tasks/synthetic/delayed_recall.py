"""Delayed recall: can a model keep one symbol while others pass that mean nothing?

    inputs    s2 n1 n4 n4 n2 n3 ?
    targets   .  .  .  .  .  .  s2     (the symbol, `delay` steps after it was shown)

In the spirit of the latching task of Bengio et al. (1994): what must be kept comes first, noise of other ids
lies between, and the last step alone is scored. Where the sequence begins tells where the symbol stands, so
that nothing but the distance makes it hard.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError


@dataclass(frozen=True)
class Task:
    """A symbol of `symbols`, noise of as many other ids, and the question (id 0) `delay` steps later."""

    delay: int
    symbols: int = 4

    def __post_init__(self) -> None:
        if self.delay < 1 or self.symbols < 2:
            raise UsageError(
                f"delayed recall needs a delay of 1 or more and 2 symbols or more, found delay {self.delay} "
                f"and {self.symbols} symbols."
            )

    @property
    def vocabulary(self) -> int:
        """Ids: the question, the symbols, the noise."""
        return 1 + 2 * self.symbols

    @property
    def guess(self) -> float:
        """The accuracy of naming any symbol."""
        return 1 / self.symbols

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        inputs = rng.integers(1 + self.symbols, self.vocabulary, size=(size, self.delay + 1), dtype=np.int32)
        inputs[:, 0] = rng.integers(1, 1 + self.symbols, size=size)
        inputs[:, -1] = 0
        targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
        targets[:, -1], scored[:, -1] = inputs[:, 0], True
        return inputs, targets, scored
