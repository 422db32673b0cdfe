"""Bidirectional LSTM (Graves and Schmidhuber, 2005): in each layer one reads on and one reads back.

x ← x + W [LSTM→(norm(x)); LSTM←(norm(x))] + b
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float

from seqlab.models import lstm
from seqlab.models.parts.checks import check_positive, check_seen, check_sequence
from seqlab.models.parts.lookahead import Lookahead


@dataclass(frozen=True)
class Config:
    """Sizes: `hidden` units in each direction (width by default)."""

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
    """norm, an LSTM each way, their outputs joined and added to what came in."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width)
        self.onward, self.back = (
            lstm.Layer(
                width=config.width, units=config.units, forget_bias=config.forget_bias, orthogonal=True
            )
            for _ in range(2)
        )
        self.join = nn.Linear(2 * config.units, config.width)

    def __call__(
        self, x: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None
    ) -> Float[mx.array, "B L D"]:
        y = self.norm(x)
        both = [self.onward(y), turned(self.back(turned(y, seen)), seen)]
        return x + self.join(mx.concatenate(both, axis=-1)).astype(x.dtype)


def turned(x: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None) -> Float[mx.array, "B L D"]:
    """The real steps in reverse order, where they stand; padding, on the right, stays behind them.

    So neither direction has read padding when it comes to a real step.
    """
    if seen is None:
        return x[:, ::-1]
    at, real = mx.arange(x.shape[1]), mx.sum(seen, axis=1, keepdims=True)
    order = mx.where(at < real, real - 1 - at, at)
    return mx.take_along_axis(x, order[..., None], axis=1)


class Model(Lookahead):
    """A stack of layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.layers = [Layer(config) for _ in range(config.depth)]

    @property
    def width(self) -> int:
        """Features of an input and an output step."""
        return self.config.width

    def __call__(
        self, x: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B L D"]:
        """All steps at once. `seen` is True at real steps, all of which come before padding."""
        check_sequence(x, size=self.width)
        if seen is not None:
            check_seen(seen, x)
        for layer in self.layers:
            x = layer(x, seen)
        return x
