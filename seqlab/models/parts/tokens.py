"""How do tokens become vectors, and vectors the logits of tokens or of labels?"""

import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from jaxtyping import Float, Integer

from seqlab.errors import UsageError
from seqlab.models.parts.checks import check_positive, check_token_array, check_tokens


class TokenModel(nn.Module):
    """What models of tokens share: the embedding, the final norm and the logits.

    Embeddings start with variance 1/D and are multiplied by √D (Vaswani et al. 2017, section 3.4), so
    every backbone gets inputs of unit scale. `outputs` classes for each position, such as labels, instead of
    the vocabulary. With `tied`, logits are norm(y) Eᵀ, E being the embedding (Press and Wolf, 2017),
    without a bias: E's scale makes them of unit variance, so nothing else is needed.
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
        """Raise `UsageError` unless every id is in the vocabulary. For data, before training: it evaluates.

        MLX reads outside the embedding without complaint. Padding needs an id of the vocabulary, too.
        """
        check_tokens(np.array(tokens), self.vocabulary)

    def embed(self, tokens: Integer[mx.array, "..."]) -> Float[mx.array, "... D"]:
        """Vectors of unit variance. Type and size are checked here, ids by `check`."""
        check_token_array(tokens)
        vectors: mx.array = self.embedding(tokens) * math.sqrt(self.embedding.weight.shape[1])
        return vectors

    def read(self, y: Float[mx.array, "... D"]) -> Float[mx.array, "... V"]:
        """Logits from the last layer's output."""
        logits: mx.array = (
            self.embedding.as_linear(self.norm(y)) if self.tied else self.to_logits(self.norm(y))
        )
        return logits
