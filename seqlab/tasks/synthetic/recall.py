"""Multi-query associative recall (MQAR; Arora et al., 2023): can a model look up what it was told once?

    inputs    k3 v7 k1 v2 k5 v9 | k5 .  k3 .  .  .  k1 .
    targets   .  .  .  .  .  .  | v9 .  v7 .  .  .  v2 .

Pairs of a key and a value first; then every key once more, in random order and at random distances, and
there alone the model is scored. Places between hold a blank (id 0), where the original draws noise. The
original also places queries in the order of their pairs, at gaps of which the short are drawn sooner, so
that the first pairs tend to be asked first; here the order is drawn apart.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32

from seqlab.errors import UsageError

# Queries crowd towards the pairs by this power law: a of the appendix's p(gap) ∝ gap^(a-1).
POWER = 0.01


@dataclass(frozen=True)
class Task:
    """`pairs` pairs in sequences of `length` (4 × pairs by default: no blank but after a query).

    Of the `vocabulary` ids, 0 is the blank, those below half are keys and the rest are values. No key and
    no value comes twice in a sequence's pairs.
    """

    pairs: int
    vocabulary: int
    length: int | None = None

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise UsageError(f"recall needs 1 pair or more, found {self.pairs}.")
        if self.keys < self.pairs:
            raise UsageError(
                f"{self.pairs} pairs need a vocabulary of {2 * self.pairs + 2} or more, "
                f"found {self.vocabulary}."
            )
        if self.steps < 4 * self.pairs:
            raise UsageError(
                f"{self.pairs} pairs need a length of {4 * self.pairs} or more, found {self.length}."
            )

    @property
    def steps(self) -> int:
        """The length of a sequence."""
        return 4 * self.pairs if self.length is None else self.length

    @property
    def keys(self) -> int:
        """How many different keys there are."""
        return self.vocabulary // 2 - 1

    @property
    def values(self) -> int:
        """How many different values there are."""
        return self.vocabulary - self.vocabulary // 2

    @property
    def guess(self) -> float:
        """The accuracy of naming any value. Naming one of those shown, whichever key is asked: 1 / pairs."""
        return 1 / self.values

    def batch(
        self, rng: np.random.Generator, size: int
    ) -> tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        keys = 1 + _distinct(rng.random((size, self.keys)), self.pairs)
        values = self.vocabulary // 2 + _distinct(rng.random((size, self.values)), self.pairs)
        told = 2 * self.pairs
        inputs = np.zeros((size, self.steps), np.int32)
        inputs[:, :told:2], inputs[:, 1:told:2] = keys, values
        gaps = np.arange(1, (self.steps - told) // 2 + 1)
        # The smallest of exponential variates at rates p: draws without replacement with probabilities p.
        waits = rng.exponential(size=(size, len(gaps))) / gaps ** (POWER - 1)
        # Shuffled, for likelier gaps are drawn earlier, and the first pairs would be asked first.
        asked = told + 2 * rng.permuted(_distinct(waits, self.pairs), axis=1)
        targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
        np.put_along_axis(inputs, asked, keys, axis=1)
        np.put_along_axis(targets, asked, values, axis=1)
        np.put_along_axis(scored, asked, True, axis=1)
        return inputs, targets, scored


def _distinct(order: np.ndarray, count: int) -> Int32[np.ndarray, "B K"]:
    """The places of each row's `count` smallest numbers, smallest first."""
    return np.argsort(order, axis=1)[:, :count].astype(np.int32)
