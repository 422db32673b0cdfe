"""Which character comes next, by an n-gram model with Kneser-Ney smoothing?

An n-gram model counts how often each character followed each context of up to n - 1 characters. Smoothing
takes a discount D off every count and gives it to the model of the next shorter context. With h' the context
h without its first character:

    p_n(c | h) = (count(h c) - D(count(h c)) + sum_c D(count(h c)) p_{n-1}(c | h')) / count(h)

This is interpolated Kneser-Ney smoothing with three discounts (Chen and Goodman, 1998, section 3), down to a
uniform distribution over the alphabet. Below the highest order, count(h c) is the number of different
characters seen before h c. Order 1 knows frequencies only.

Measured on the test play of `seqlab.tasks.characters` at orders 1, 2, 3, 5, 6, 7, 8: 4.86, 3.62, 3.06,
2.41, 2.34, 2.33, 2.34 bits per character; on the validation play, order 7 is the best too.

Published figures for seven plays from the same source are 4.87, 3.68, 3.03 and 2.48 at orders 1, 2, 3 and 5;
which plays they are and the smoothing are not known. Of seven of the packaged plays, with each in turn for
the test and six to train, the four orders range over 4.77 to 4.86, 3.62 to 3.74, 2.98 to 3.15, 2.35 to 2.52.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from jaxtyping import Float64, Int32, Int64

from seqlab.errors import UsageError

AT_ONCE = 1_000  # positions whose alternatives are scored together, to bound the memory


@dataclass(frozen=True)
class _Counts:
    """N-grams of one length, their discounted counts; contexts, their totals and sums of discounts."""

    grams: Int64[np.ndarray, "K"]
    discounted: Float64[np.ndarray, "K"]
    contexts: Int64[np.ndarray, "C"]
    total: Int64[np.ndarray, "C"]
    freed: Float64[np.ndarray, "C"]


class KneserNey:
    """An n-gram model of `order`, counted on training ids that are below `vocabulary`."""

    def __init__(self, train: Int32[np.ndarray, "T"], vocabulary: int, *, order: int) -> None:
        if order < 1 or vocabulary**order >= 2**63:  # an n-gram is packed into one 64-bit number
            raise UsageError(
                f"expected an order of 1 or more with {vocabulary}**order below 2**63, found {order}. "
                "Lower it."
            )
        self.vocabulary, self.order = vocabulary, order
        self._counts = [self._counted(train, n) for n in range(1, order + 1)]

    def probabilities(self, ids: Int32[np.ndarray, "N"]) -> Float64[np.ndarray, "N-1"]:
        """Probability of each character but the first, given up to `order` - 1 characters before it."""
        size = self.vocabulary
        probability = np.full(len(ids) - 1, 1 / size)
        for n, counts in enumerate(self._counts, start=1):
            asked = _packed(ids, n, size)[1 if n == 1 else 0 :]  # the first character is never asked
            total = _look_up(asked // size, counts.contexts, counts.total)
            freed = _look_up(asked // size, counts.contexts, counts.freed)
            discounted = _look_up(asked, counts.grams, counts.discounted)
            # Near the beginning, and after a context never seen, the shorter context's answer stands.
            shorter = probability[len(probability) - len(asked) :]
            refined = (discounted + freed * shorter) / np.maximum(total, 1)
            probability[len(probability) - len(asked) :] = np.where(total > 0, refined, shorter)
        return probability

    def bits(self, ids: Int32[np.ndarray, "N"], *, skip: int = 0) -> float:
        """The mean of -log2 p, from the second character on; the first `skip` of these are left out."""
        return float(-np.log2(self.probabilities(ids)[skip:]).mean())

    def infill(
        self, ids: Int32[np.ndarray, "N"], positions: Int64[np.ndarray, "K"], *, after: int = 0
    ) -> Float64[np.ndarray, "K V"]:
        """Probability of each character of the alphabet at some positions of a text.

        Given are the `order` - 1 characters before a position and the `after` characters behind it, which
        depend on a character as far as it is in their contexts: p(c | all) ∝ p(c | before) p(behind | before
        and c). Raises `UsageError` for positions too near an end of the text to have these neighbours.
        """
        reach, size = self.order - 1, self.vocabulary
        if len(positions) and not (reach <= positions.min() and positions.max() < len(ids) - after):
            raise UsageError(
                f"expected positions from {reach} to {len(ids) - after - 1}, with their neighbours, "
                f"found {positions.min()} to {positions.max()}."
            )
        found = [np.empty((0, size))]
        for some in np.split(positions, range(AT_ONCE, len(positions), AT_ONCE)):
            around = ids[some[:, None] + np.arange(-reach, after + 1)]
            tried = np.repeat(around[:, None], size, axis=1)
            tried[:, :, reach] = np.arange(size)
            # One more character in front, of any kind: the first of all has no probability.
            flat = np.concatenate([tried.ravel()[:1], tried.ravel()])
            each = self.probabilities(flat).reshape(tried.shape)
            joint = each[:, :, reach:].prod(axis=-1)
            found.append(joint / joint.sum(axis=-1, keepdims=True))
        return np.concatenate(found)

    def _counted(self, train: Int32[np.ndarray, "T"], n: int) -> _Counts:
        """The counts of one length: occurrences at the highest order, else different characters before."""
        size = self.vocabulary
        if n == self.order:
            grams, counts = np.unique(_packed(train, n, size), return_counts=True)
        else:
            longer = np.unique(_packed(train, n + 1, size))
            grams, counts = np.unique(longer % size**n, return_counts=True)
        discount = _discounts(counts)[np.minimum(counts, 3)]
        contexts, first = np.unique(grams // size, return_index=True)
        total, freed = (np.add.reduceat(values, first) for values in (counts, discount))
        return _Counts(grams, counts - discount, contexts, total, freed)


class TrainingText(Hashable, Protocol):
    """A text to count, such as `seqlab.tasks.characters.Characters`."""

    @property
    def train(self) -> Int32[np.ndarray, "T"]:
        """Ids below `vocabulary`."""

    @property
    def vocabulary(self) -> int:
        """How many different ids there are."""


@cache  # counted once for all trials
def ngram(text: TrainingText, order: int) -> KneserNey:
    """The n-gram model of the text's training split."""
    return KneserNey(text.train, text.vocabulary, order=order)


def _discounts(counts: Int64[np.ndarray, "K"]) -> Float64[np.ndarray, "4"]:
    """What to take off counts of 0, 1, 2, and 3 or more (Chen and Goodman, 1998, equation 26)."""
    once, twice, thrice, four = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not (once and twice and thrice):
        return np.array([0, 0.5, 0.5, 0.5])  # too few rare n-grams to estimate from: absolute discounting
    y = once / (once + 2 * twice)
    estimates = [0, 1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice]
    # Never nothing: a character not seen after a context must keep some probability.
    return np.clip(estimates, [0, 0.1, 0.1, 0.1], [0, 1, 2, 3])


def _packed(ids: Int32[np.ndarray, "N"], n: int, vocabulary: int) -> Int64[np.ndarray, "K"]:
    """Each run of n characters as one number in base V, its last character lowest."""
    packed = np.zeros(len(ids) - n + 1, np.int64)
    for i in range(n):
        packed = packed * vocabulary + ids[i : len(ids) - n + 1 + i]
    return packed


def _look_up(
    asked: Int64[np.ndarray, "N"], keys: Int64[np.ndarray, "K"], values: np.ndarray
) -> Float64[np.ndarray, "N"]:
    """The value of each asked key; 0 where it is not among the sorted keys."""
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[at] == asked, values[at], 0).astype(np.float64)
