"""Selective copy (Jing et al., 2019; Gu and Dao, 2023): can a model keep what matters and drop the rest?

    inputs    .  s3 .  .  s1 .  s7 go go go
    targets   .  .  .  .  .  .  .  s3 s1 s7

Symbols at random places among blanks (id 0), then as many signs to go, at which they are to be said in their
order. Distances differ from symbol to symbol and from sequence to sequence, so that no fixed filter does it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError


@dataclass(frozen=True)
class Task:
    """`word` symbols out of `symbols`, scattered over `length` steps; `word` more steps ask for them."""

    length: int
    word: int = 16  # as in Gu and Dao
    symbols: int = 14  # with the blank and the sign: 16 ids

    def __post_init__(self) -> None:
        if self.symbols < 2:
            raise UsageError(f"selective copy needs 2 symbols or more, found {self.symbols}.")
        if not 1 <= self.word <= self.length:
            raise UsageError(
                "selective copy scatters a word over steps: expected a word of 1 to the length, "
                f"found a word of {self.word} and a length of {self.length}."
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
        inputs = np.zeros((size, self.length + self.word), np.int32)
        places = np.sort(np.argsort(rng.random((size, self.length)), axis=1)[:, : self.word], axis=1)
        word = rng.integers(2, self.vocabulary, size=(size, self.word), dtype=np.int32)
        np.put_along_axis(inputs, places, word, axis=1)
        inputs[:, self.length :] = 1
        targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
        targets[:, self.length :], scored[:, self.length :] = word, True
        return inputs, targets, scored
