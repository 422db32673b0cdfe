"""Copy memory (Arjovsky et al., 2016, after Hochreiter and Schmidhuber, 1997): can a model store a string?

    inputs    s3 s1 s7 .  .  .  go .  .
    targets   .  .  .  .  .  .  s3 s1 s7     (each symbol `delay` steps after its input)

A string of symbols comes first, then blanks (id 0), then a delimiter ("go"), from which on the model must
repeat the string. The original also scores the blanks between, which a model learns at once; here only the
string is scored.
"""

from dataclasses import dataclass

import numpy as np

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.labelling import Labelled, answered_at_end, require


@dataclass(frozen=True)
class Task:
    """A string of `word` symbols out of `symbols`, repeated `delay` steps later.

    The original has strings of 10 symbols out of 8.
    """

    delay: int
    word: int = 10
    symbols: int = 8

    def __post_init__(self) -> None:
        require("copy memory", symbols=(self.symbols, 2), word=(self.word, 1))
        if self.word > self.delay:
            raise UsageError(
                "copy memory: the whole string must come before it is repeated; word must be at most delay, "
                f"found a word of {self.word} and a delay of {self.delay}."
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
        inputs = np.zeros((size, self.delay + self.word), np.int32)
        inputs[:, : self.word] = rng.integers(2, self.vocabulary, size=(size, self.word))
        inputs[:, self.delay] = 1
        return answered_at_end(inputs, inputs[:, : self.word])
