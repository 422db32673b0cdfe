"""Interpolated Witten-Bell smoothing: how probable is a token after a rare context?

With h' the context h without its last feature, and n(h) the number of different tokens seen after h (Chen
and Goodman, 1998, section 2):

    p(t | h) = (count(h t) + n(h) p(t | h')) / (count(h) + n(h))

down to a uniform distribution. After an unseen context the shorter one's probability is used.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64, Int64


def context_numbers(
    features: Sequence[Int64[np.ndarray, "N"]], *, base: int
) -> Iterator[Int64[np.ndarray, "N"]]:
    """A number for each different context: of the first feature alone, of two, of three and so on.

    Features are below `base`.
    """
    numbers = np.zeros(len(features[0]), np.int64)
    for feature in features:
        numbers = numbers * base + feature
        yield numbers


def probabilities(
    training_contexts: Int64[np.ndarray, "K N"],
    training_tokens: Int64[np.ndarray, "N"],
    *,
    contexts: Int64[np.ndarray, "K M"],
    tokens: Int64[np.ndarray, "M"],
    vocabulary: int,
) -> Float64[np.ndarray, "M"]:
    """The probability of each token after its context; the rows of both contexts number longer ones."""
    probability = np.full(len(tokens), 1 / vocabulary)
    for seen, now in zip(training_contexts, contexts, strict=True):
        grams, counts = np.unique(seen * vocabulary + training_tokens, return_counts=True)
        first = np.flatnonzero(np.diff(grams // vocabulary, prepend=-1))  # they are sorted
        known = grams[first] // vocabulary
        total = _look_up(now, known, np.add.reduceat(counts, first))
        different = _look_up(now, known, np.diff([*first, len(grams)]))
        count = _look_up(now * vocabulary + tokens, grams, counts)
        refined = (count + different * probability) / np.maximum(total + different, 1)
        probability = np.where(total > 0, refined, probability)
    return probability


def _look_up(
    queries: Int64[np.ndarray, "N"], keys: Int64[np.ndarray, "K"], values: Int64[np.ndarray, "K"]
) -> Int64[np.ndarray, "N"]:
    """The value of each queried key; 0 where it is not among the sorted keys."""
    at = np.minimum(np.searchsorted(keys, queries), len(keys) - 1)
    return np.where(keys[at] == queries, values[at], 0)
