"""Selective copy (Jing et al., 2019; Gu and Dao, 2023): can a model store some inputs and skip the rest?

    inputs    .  s3 .  .  s1 .  s7 go go go
    targets   .  .  .  .  .  .  .  s3 s1 s7

Symbols stand at random positions among blanks (id 0); then come as many delimiters ("go"), at which the model
must repeat the symbols in order. Distances differ from symbol to symbol and from sequence to sequence, so
that no fixed filter solves it.
"""

from dataclasses import dataclass

import numpy as np

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.labelling import Labelled, answered_at_end, require


@dataclass(frozen=True)
class Task:
    """`word` symbols out of `symbols`, scattered over `length` steps; `word` more steps ask for them."""

    length: int
    word: int = 16  # as in Gu and Dao
    symbols: int = 14  # with the blank and the delimiter: 16 ids

    def __post_init__(self) -> None:
        require("selective copy", symbols=(self.symbols, 2), word=(self.word, 1))
        if self.word > self.length:
            raise UsageError(
                "selective copy: each symbol needs a step of its own; word must be at most length, found a "
                f"word of {self.word} and a length of {self.length}."
            )

    @property
    def vocabulary(self) -> int:
        """Ids: the blank, the delimiter, the symbols."""
        return 2 + self.symbols

    @property
    def chance_level(self) -> float:
        """The accuracy of a random symbol."""
        return 1 / self.symbols

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        inputs = np.zeros((size, self.length + self.word), np.int32)
        places = np.sort(np.argsort(rng.random((size, self.length)), axis=1)[:, : self.word], axis=1)
        word = rng.integers(2, self.vocabulary, size=(size, self.word), dtype=np.int32)
        np.put_along_axis(inputs, places, word, axis=1)
        inputs[:, self.length :] = 1
        return answered_at_end(inputs, word)
