"""Vanilla recurrent network (Elman, 1990): one state, one tanh.

h_t = tanh(W x_t + b + U h_{t-1})
"""

from dataclasses import dataclass

import mlx.core as mx
from jaxtyping import Float

from seqlab.models.parts.recurrence import CellState, RecurrentConfig, Stack, UnrolledCell, check_recurrent


@dataclass(frozen=True)
class Config(RecurrentConfig):
    """Sizes; `orthogonal` starts U as an orthogonal matrix."""

    orthogonal: bool = False


class Layer(UnrolledCell):
    """One layer."""

    def advance(self, z: Float[mx.array, "B G"], state: CellState) -> CellState:
        """Two operations a step: a fused multiply-add and a tanh."""
        (h,) = state
        return (mx.tanh(mx.addmm(z, h, self.recurrent_weight.T)),)


class Model(Stack):
    """A stack of tanh layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        check_recurrent(config)
        super().__init__(
            config,
            [
                Layer(width=config.width, units=config.units, gates=1, orthogonal=config.orthogonal)
                for _ in range(config.depth)
            ],
        )
