"""Skip-gram with negative sampling (Mikolov et al., 2013): a vector for each word, by its neighbours.

score(w, v) = u_w · o_v        u: the word's own vector, o: its vector as another's neighbour
loss = -E log σ(score(w, v)), v a neighbour of w, - k E log σ(-score(w, v)), v a word of anywhere

A word's own vector is what is kept: words with like neighbours get like vectors. Where the words are few,
both expectations are taken over all of them at once; to draw a neighbour and k others only estimates them.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from jaxtyping import Float, Int32, Integer

from seqlab.models.parts.checks import check_positive, check_token_array


@dataclass(frozen=True)
class Config:
    """Sizes: so many words, so many features each."""

    vocabulary: int
    width: int = 64

    def __post_init__(self) -> None:
        check_positive(vocabulary=self.vocabulary, width=self.width)


class Model(nn.Module):
    """Words to the scores of all words as their neighbours; what order the words are in plays no part."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        bound = config.width**-0.5  # scores near zero, but gradients that are not: all of them pass a product
        self.own = mx.random.uniform(-bound, bound, (config.vocabulary, config.width))
        self.as_neighbour = mx.random.uniform(-bound, bound, (config.vocabulary, config.width))

    def __call__(self, words: Integer[mx.array, "..."]) -> Float[mx.array, "... V"]:
        check_token_array(words)
        return self.own[words] @ self.as_neighbour.T

    def nearest(self, word: int, *, count: int) -> Int32[np.ndarray, "N"]:
        """The other words whose vectors point most nearly the same way, by the cosine, nearest first."""
        vectors = np.array(self.own, np.float64)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        order = np.argsort(-(vectors @ vectors[word]), kind="stable").astype(np.int32)
        nearest: np.ndarray = order[order != word][:count]
        return nearest


def expected_loss(
    scores: Float[mx.array, "B V"],
    neighbours: Float[mx.array, "B V"],
    anywhere: Float[mx.array, "V"],
    *,
    others: int,
) -> Float[mx.array, ""]:
    """In nats, the mean over words, given the distributions of their neighbours and of words of anywhere."""
    # -log σ(-s) = s - log σ(s), so that both terms need the same logarithm.
    taken = (neighbours + others * anywhere) * mx.logaddexp(0.0, -scores) + others * anywhere * scores
    return mx.mean(mx.sum(taken, axis=-1))
