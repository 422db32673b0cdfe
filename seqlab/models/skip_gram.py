"""Skip-gram with negative sampling (Mikolov et al., 2013): word vectors learned from neighbouring words.

score(w, v) = u_w · o_v        u: the vector of a word, o: its vector as a neighbour of another word
loss = -E log σ(score(w, v)), v a neighbour of w, - k E log σ(-score(w, v)), v from the noise distribution

The word vectors are u: words with similar neighbours get similar vectors. With a small vocabulary both
expectations are computed exactly, over all words; sampling a neighbour and k negatives estimates them.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from jaxtyping import Float, Int32, Integer

from seqlab.models.parts.checks import check_positive, check_token_array


@dataclass(frozen=True)
class Config:
    """Sizes: `vocabulary` words with `width` features each."""

    vocabulary: int
    width: int = 64

    def __post_init__(self) -> None:
        check_positive(vocabulary=self.vocabulary, width=self.width)


class Model(nn.Module):
    """Words to the scores of all words as their neighbours; the order of the inputs does not matter."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        bound = config.width**-0.5  # scores start near zero, but their gradients do not
        self.own = mx.random.uniform(-bound, bound, (config.vocabulary, config.width))
        self.as_neighbour = mx.random.uniform(-bound, bound, (config.vocabulary, config.width))

    def __call__(self, words: Integer[mx.array, "..."]) -> Float[mx.array, "... V"]:
        check_token_array(words)
        return self.own[words] @ self.as_neighbour.T

    def nearest(self, word: int, *, count: int) -> Int32[np.ndarray, "N"]:
        """The `count` other words with the largest cosine similarity to a word, nearest first."""
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
    """The loss in nats, its mean over words.

    `neighbours` has the distribution of each word's neighbours, `anywhere` is the noise distribution, and
    `others` is k, the number of negatives per neighbour.
    """
    # -log σ(-s) = s - log σ(s): both terms share one logarithm.
    losses = (neighbours + others * anywhere) * mx.logaddexp(0.0, -scores) + others * anywhere * scores
    return mx.mean(mx.sum(losses, axis=-1))
