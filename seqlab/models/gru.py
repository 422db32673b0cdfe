"""Gated recurrent unit (Cho et al., 2014): two gates, one state.

r, z = σ(W x_t + b + U h_{t-1} + d), one block of rows each
n    = tanh(W x_t + b + r ⊙ (U h_{t-1} + d)), the last block
h_t  = (1 - z) ⊙ n + z ⊙ h_{t-1}

The reset gate acts after the product with U, as in cuDNN and PyTorch, so that U's three blocks are one
product; hence the second bias d.
"""

from dataclasses import dataclass

import mlx.core as mx
from jaxtyping import Float

from seqlab.models.parts.recurrence import CellState, RecurrentConfig, Stack, UnrolledCell, check_recurrent


@dataclass(frozen=True)
class Config(RecurrentConfig):
    """Sizes; `orthogonal` starts each gate's block of U as an orthogonal matrix."""

    orthogonal: bool = False


class Layer(UnrolledCell):
    """One layer; rows of W, U and the biases are in the order r, z, n."""

    def __init__(self, *, width: int, units: int, orthogonal: bool) -> None:
        super().__init__(width=width, units=units, gates=3, orthogonal=orthogonal)
        self.recurrent_bias = mx.zeros((3 * units,))

    def advance(self, z: Float[mx.array, "B G"], state: CellState) -> CellState:
        """One step."""
        (h,) = state
        recurrent = mx.addmm(self.recurrent_bias, h, self.recurrent_weight.T)
        gates_in, candidate_in = mx.split(z, [2 * self.units], axis=-1)
        gates_back, candidate_back = mx.split(recurrent, [2 * self.units], axis=-1)
        reset, keep = mx.split(mx.sigmoid(gates_in + gates_back), 2, axis=-1)
        candidate = mx.tanh(candidate_in + reset * candidate_back)
        return (candidate + keep * (h - candidate),)


class Model(Stack):
    """A stack of GRU layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        check_recurrent(config)
        super().__init__(
            config,
            [
                Layer(width=config.width, units=config.units, orthogonal=config.orthogonal)
                for _ in range(config.depth)
            ],
        )
