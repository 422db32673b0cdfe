"""Induction (Olsson et al., 2022): can a model continue what it has seen once, having never seen it before?

    inputs    d a c e b d a c e b d a
    targets   .  .  .  .  . a c e b d a c

Random tokens, repeated after a period of each sequence's own, so that no fixed distance leads to the answer:
a model must find where the present token came before and read the token after it. Scored from the first
token that comes a second time. Attention does it with two layers (an induction head).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError


@dataclass(frozen=True)
class Task:
    """Sequences of `length` ids below `vocabulary`; no id comes twice in a period.

    Periods are uniform from a quarter to a half of the length.
    """

    length: int
    vocabulary: int

    def __post_init__(self) -> None:
        if self.length < 4:
            raise UsageError(f"induction needs a length of 4 or more, found {self.length}.")
        if self.vocabulary < self.length // 2:
            raise UsageError(
                f"periods of up to {self.length // 2} different ids need as large a vocabulary, "
                f"found {self.vocabulary}."
            )

    @property
    def guess(self) -> float:
        """The accuracy of naming any id."""
        return 1 / self.vocabulary

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
        """`size` fresh sequences: inputs, targets (one token on), and which positions are scored."""
        longest = self.length // 2
        ids = np.argsort(rng.random((size, self.vocabulary)), axis=1)[:, :longest].astype(np.int32)
        periods = rng.integers(self.length // 4, longest + 1, size=(size, 1))
        places = np.arange(self.length + 1)
        tokens = np.take_along_axis(ids, places % periods, axis=1)
        return tokens[:, :-1], tokens[:, 1:], places[:-1] >= periods
