"""Language model with dropout: features dropped at random in training, before and after the backbone.

y = backbone(dropout(embedding(tokens))), logits = projection(norm(dropout(y)))

Not between steps in time, where dropout would erase a recurrent state bit by bit (Zaremba et al., 2014).
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Integer

from seqlab.models.heads import Backbone, LanguageModel


class DropoutModel(LanguageModel):
    """`LanguageModel` with dropout of a share of the features, in training mode only."""

    def __init__(self, backbone: Backbone, *, vocabulary: int, dropout: float) -> None:
        super().__init__(backbone, vocabulary=vocabulary)
        self.dropout = nn.Dropout(dropout)

    def embed(self, tokens: Integer[mx.array, "..."]) -> Float[mx.array, "... D"]:
        """The tokens' vectors."""
        kept: mx.array = self.dropout(super().embed(tokens))
        return kept

    def read(self, y: Float[mx.array, "... D"]) -> Float[mx.array, "... V"]:
        """Logits of the backbone's outputs."""
        return super().read(self.dropout(y))


@dataclass(frozen=True)
class DropoutHead:
    """Wraps a backbone as a `DropoutModel`; see `seqlab.models.backbones.TokenHead`."""

    vocabulary: int
    dropout: float

    def __call__(self, backbone: Backbone) -> DropoutModel:
        return DropoutModel(backbone, vocabulary=self.vocabulary, dropout=self.dropout)
