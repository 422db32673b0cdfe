"""From tokens to vectors, and from vectors to the logits of tokens or labels."""

import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from jaxtyping import Float, Integer

from seqlab.errors import UsageError
from seqlab.models.parts.checks import check_positive, check_token_array, check_tokens


class TokenModel(nn.Module):
    """What models of tokens share: the embedding, the final norm and the projection to logits.

    Embeddings start with variance 1/D and are multiplied by √D (Vaswani et al. 2017, section 3.4), so every
    backbone gets inputs of unit variance. With `outputs`, logits are over that many classes, such as labels,
    instead of the vocabulary. With `tied`, logits are norm(y) Eᵀ for the embedding E (Press and Wolf, 2017),
    without a bias; the scale of E gives them unit variance.
    """

    def __init__(self, *, width: int, vocabulary: int, outputs: int | None, tied: bool) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.outputs = vocabulary if outputs is None else outputs
        check_positive(width=width, vocabulary=vocabulary, outputs=self.outputs)
        if tied and self.outputs != vocabulary:
            raise UsageError(
                f"tied weights need as many outputs as tokens, found outputs {self.outputs} and vocabulary "
                f"{vocabulary}. Use tied=False."
            )
        self.tied = tied
        self.embedding = nn.Embedding(vocabulary, width)
        self.norm = nn.LayerNorm(width)
        if not tied:
            self.to_logits = nn.Linear(width, self.outputs)

    def check(self, tokens: Integer[mx.array, "..."] | np.ndarray) -> None:
        """Raise `UsageError` unless every token id is in the vocabulary, padding included.

        MLX reads outside the embedding without an error. Check data before training: this evaluates.
        """
        check_tokens(np.array(tokens), self.vocabulary)

    def embed(self, tokens: Integer[mx.array, "..."]) -> Float[mx.array, "... D"]:
        """Vectors of unit variance. Type and size are checked here, token ids by `check`."""
        check_token_array(tokens)
        vectors: mx.array = self.embedding(tokens) * math.sqrt(self.embedding.weight.shape[1])
        return vectors

    def read(self, y: Float[mx.array, "... D"]) -> Float[mx.array, "... V"]:
        """Logits from the outputs of the backbone."""
        logits: mx.array = (
            self.embedding.as_linear(self.norm(y)) if self.tied else self.to_logits(self.norm(y))
        )
        return logits
