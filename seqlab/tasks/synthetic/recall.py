"""Multi-query associative recall (MQAR; Arora et al., 2023): can a model look up values by key?

    inputs    k3 v7 k1 v2 k5 v9 | k5 .  k3 .  .  .  k1 .
    targets   .  .  .  .  .  .  | v9 .  v7 .  .  .  v2 .

Key-value pairs come first. Then every key returns once as a query, in random order and at random distances,
and only the queries are scored. Positions between queries hold a blank (id 0), where the original draws
noise. In the original the order of the queries follows their gaps, so that the first pairs tend to be queried
first; here the order is drawn independently.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.labelling import Labelled, require

# Queries close to the pairs are more likely: a of the appendix's p(gap) ∝ gap^(a-1).
POWER = 0.01


@dataclass(frozen=True)
class Task:
    """`pairs` pairs in sequences of `length` (by default the shortest, 4 × pairs).

    Of the `vocabulary` ids, 0 is the blank, the others below half are keys and the rest are values. No key
    and no value occurs twice in a sequence's pairs.
    """

    pairs: int
    vocabulary: int
    length: int | None = None

    def __post_init__(self) -> None:
        require("recall", pairs=(self.pairs, 1))
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
        """The number of different keys."""
        return self.vocabulary // 2 - 1

    @property
    def values(self) -> int:
        """The number of different values."""
        return self.vocabulary - self.vocabulary // 2

    @property
    def chance_level(self) -> float:
        """The accuracy of a random value. A random one of the sequence's own values scores 1 / pairs."""
        return 1 / self.values

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
        """`size` fresh sequences: inputs, targets (0 where there is none), and which positions are scored."""
        keys = 1 + _distinct(rng.random((size, self.keys)), self.pairs)
        values = self.vocabulary // 2 + _distinct(rng.random((size, self.values)), self.pairs)
        shown = 2 * self.pairs  # positions that hold pairs
        inputs = np.zeros((size, self.steps), np.int32)
        inputs[:, :shown:2], inputs[:, 1:shown:2] = keys, values
        gaps = np.arange(1, (self.steps - shown) // 2 + 1)
        # The smallest of exponential variates at rates p: draws without replacement with probabilities p.
        waits = rng.exponential(size=(size, len(gaps))) / gaps ** (POWER - 1)
        # Shuffled: likelier gaps come first in `waits`, and the first pairs would be queried first.
        queries = shown + 2 * rng.permuted(_distinct(waits, self.pairs), axis=1)
        targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
        np.put_along_axis(inputs, queries, keys, axis=1)
        np.put_along_axis(targets, queries, values, axis=1)
        np.put_along_axis(scored, queries, True, axis=1)
        return inputs, targets, scored


def _distinct(order: np.ndarray, count: int) -> Int32[np.ndarray, "B K"]:
    """The positions of each row's `count` smallest numbers, smallest first."""
    return np.argsort(order, axis=1)[:, :count].astype(np.int32)
