"""Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000).

i, f, o = σ(W x_t + b + U h_{t-1}), one block of rows each;  g = tanh(W x_t + b + U h_{t-1}), the last block
c_t = f ⊙ c_{t-1} + i ⊙ g
h_t = o ⊙ tanh(c_t)
"""

from dataclasses import dataclass

import mlx.core as mx
from jaxtyping import Float

from seqlab.models.parts.recurrence import CellState, RecurrentConfig, Stack, UnrolledCell, check_recurrent


@dataclass(frozen=True)
class Config(RecurrentConfig):
    """Sizes; `forget_bias` is where the forget gate's bias starts (1: Jozefowicz et al., 2015).

    `orthogonal` starts each gate's block of U as an orthogonal matrix.
    """

    forget_bias: float = 1.0
    orthogonal: bool = False


class Layer(UnrolledCell):
    """One layer; rows of W, U and b are in the order i, f, o, g, so that one σ serves three gates."""

    def __init__(self, *, width: int, units: int, forget_bias: float, orthogonal: bool) -> None:
        super().__init__(width=width, units=units, gates=4, orthogonal=orthogonal)
        self.bias = mx.concatenate(
            [mx.zeros((units,)), mx.full((units,), forget_bias), mx.zeros((2 * units,))]
        )

    def initial_state(self, batch: int) -> CellState:
        """h and c, both zero."""
        return mx.zeros((batch, self.units)), mx.zeros((batch, self.units))

    def advance(self, z: Float[mx.array, "B G"], state: CellState) -> CellState:
        """One step: (h, c) to (h, c)."""
        h, c = state
        gates, candidate = mx.split(mx.addmm(z, h, self.recurrent_weight.T), [3 * self.units], axis=-1)
        i, f, o = mx.split(mx.sigmoid(gates), 3, axis=-1)
        c = f * c + i * mx.tanh(candidate)
        return o * mx.tanh(c), c


class Model(Stack):
    """A stack of LSTM layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        check_recurrent(config)
        super().__init__(
            config,
            [
                Layer(
                    width=config.width,
                    units=config.units,
                    forget_bias=config.forget_bias,
                    orthogonal=config.orthogonal,
                )
                for _ in range(config.depth)
            ],
        )
