"""Copy memory (Arjovsky et al., 2016, after Hochreiter and Schmidhuber, 1997): can a model keep a whole word?

    inputs    s3 s1 s7 .  .  .  go .  .
    targets   .  .  .  .  .  .  s3 s1 s7     (each symbol `delay` steps after it was shown)

A word first, then blanks (id 0), then the sign to go, from which on the word is to be said again. The
original scores the silence between as well, which a model learns at once; here the word alone is scored.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError


@dataclass(frozen=True)
class Task:
    """A word of `word` symbols out of `symbols`, to be said `delay` steps after it was shown.

    The original has words of 10 symbols out of 8.
    """

    delay: int
    word: int = 10
    symbols: int = 8

    def __post_init__(self) -> None:
        if self.symbols < 2:
            raise UsageError(f"copy memory needs 2 symbols or more, found {self.symbols}.")
        if not 1 <= self.word <= self.delay:
            raise UsageError(
                f"a word of 1 symbol or more must be shown before it is asked: expected a word of 1 to the "
                f"delay, found a word of {self.word} and a delay of {self.delay}."
            )

    @property
    def vocabulary(self) -> int:
        """Ids: the blank, the sign to go, the symbols."""
        return 2 + self.symbols

    @property
    def guess(self) -> float:
        """The accuracy of naming any symbol."""
        return 1 / self.symbols

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        inputs = np.zeros((size, self.delay + self.word), np.int32)
        inputs[:, : self.word] = rng.integers(2, self.vocabulary, size=(size, self.word))
        inputs[:, self.delay] = 1
        targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
        targets[:, self.delay :], scored[:, self.delay :] = inputs[:, : self.word], True
        return inputs, targets, scored
