"""Bidirectional LSTM (Graves and Schmidhuber, 2005): each layer has one LSTM per direction.

x ← x + W [LSTM→(norm(x)); LSTM←(norm(x))] + b
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float

from seqlab.models import lstm
from seqlab.models.parts.checks import check_positive
from seqlab.models.parts.noncausal import NonCausal


@dataclass(frozen=True)
class Config:
    """Sizes: `hidden` units in each direction (width by default). `forget_bias`: see `lstm`."""

    width: int
    depth: int = 1
    hidden: int | None = None
    forget_bias: float = 1.0

    def __post_init__(self) -> None:
        check_positive(width=self.width, depth=self.depth, hidden=self.units)

    @property
    def units(self) -> int:
        """The size of each direction's state."""
        return self.width if self.hidden is None else self.hidden


class Layer(nn.Module):
    """x + join([onward(norm(x)); back(norm(x))]): the outputs of both directions, joined and projected."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width)
        direction = lstm.Config(config.width, hidden=config.units, forget_bias=config.forget_bias)
        self.onward, self.back = (lstm.Layer(direction) for _ in range(2))
        self.join = nn.Linear(2 * config.units, config.width)

    def __call__(
        self, x: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None
    ) -> Float[mx.array, "B L D"]:
        y = self.norm(x)
        both = [self.onward(y), reverse_sequence(self.back(reverse_sequence(y, mask)), mask)]
        return x + self.join(mx.concatenate(both, axis=-1)).astype(x.dtype)


def reverse_sequence(
    x: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None
) -> Float[mx.array, "B L D"]:
    """Reverse the real steps of each sequence and leave padding, which is on the right, in place.

    So neither direction reads padding before a real step.
    """
    if mask is None:
        return x[:, ::-1]
    steps, lengths = mx.arange(x.shape[1]), mx.sum(mask, axis=1, keepdims=True)
    order = mx.where(steps < lengths, lengths - 1 - steps, steps)
    return mx.take_along_axis(x, order[..., None], axis=1)


class Model(NonCausal):
    """A stack of layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.layers = [Layer(config) for _ in range(config.depth)]

    def stack(self) -> Sequence[nn.Module]:
        """The layers, first to last."""
        return self.layers
