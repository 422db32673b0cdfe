"""Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000).

i, f, o = σ(W x_t + b + U h_{t-1}), one block of rows each;  g = tanh(W x_t + b + U h_{t-1}), the last block
c_t = f ⊙ c_{t-1} + i ⊙ g
h_t = o ⊙ tanh(c_t)
"""

from dataclasses import dataclass

import mlx.core as mx
from jaxtyping import Float

from seqlab.models.parts import bptt
from seqlab.models.parts.activations import fused_tanh
from seqlab.models.parts.bptt import BlockState
from seqlab.models.parts.recurrence import CellState, Stack, UnrolledCell, UnrolledConfig


@dataclass(frozen=True)
class Config(UnrolledConfig):
    """Sizes and how U starts. The forget gate's bias starts at `forget_bias` (1: Jozefowicz et al., 2015)."""

    forget_bias: float = 1.0


class FusedStep(bptt.FusedStep):
    """The step for compiled training (`parts.bptt`): one tanh for all four gates."""

    gates, sigmoid_gates = 4, 3

    def prepare(self, parameters: tuple[mx.array, ...], batch: int) -> tuple[mx.array, ...]:
        """U, and the factor and term that turn tanh into σ in three of four blocks.

        Both have the full shape [4, B, H], since broadcasting is slow.
        """
        (weight,) = parameters
        block = (1, batch, weight.shape[-1])
        sigmoid = mx.concatenate([mx.ones((3, *block[1:])), mx.zeros(block)]).astype(weight.dtype)
        return weight, 1 - 0.5 * sigmoid, 0.5 * sigmoid

    def forward(
        self, z: Float[mx.array, "4 B H"], prepared: tuple[mx.array, ...], state: BlockState
    ) -> tuple[BlockState, tuple[mx.array, ...]]:
        """(h, c) to (h, c)."""
        weight, factor, term = prepared
        h, c = state
        i, f, o, g = mx.split(fused_tanh(h @ weight + z, factor, term), 4, axis=0)
        after = f * c + i * g
        squashed = fused_tanh(after)
        return (o * squashed, after), (i, f, o, g, c, squashed)

    def backward(
        self, gradient: BlockState, saved: tuple[mx.array, ...]
    ) -> tuple[mx.array, mx.array, None, BlockState]:
        """∂σ(2x) = 2 σ (1 - σ), as the weights are halved; ∂tanh = 1 - tanh²."""
        dh, dc = gradient
        i, f, o, g, c, squashed = saved
        dc = dc + dh * o * (1 - squashed * squashed)
        d_gates = [
            2 * dc * g * (i - i * i),
            2 * dc * c * (f - f * f),
            2 * dh * squashed * (o - o * o),
            dc * i * (1 - g * g),
        ]
        dz = mx.concatenate(d_gates, axis=2)
        return dz, dz, None, (dc * f,)


class Layer(UnrolledCell):
    """One layer; rows of W, U and b are in the order i, f, o, g, so that one σ serves three gates."""

    gates = 4

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        zeros, forget_bias = mx.zeros((config.units,)), mx.full((config.units,), config.forget_bias)
        self.bias = mx.concatenate([zeros, forget_bias, zeros, zeros])

    def initial_state(self, batch: int) -> CellState:
        """h and c, both zero."""
        return mx.zeros((batch, self.units)), mx.zeros((batch, self.units))

    def advance(self, z: Float[mx.array, "B G"], state: CellState) -> CellState:
        """(h, c) to (h, c)."""
        h, c = state
        gates, candidate = mx.split(mx.addmm(z, h, self.recurrent_weight.T), [3 * self.units], axis=-1)
        i, f, o = mx.split(mx.sigmoid(gates), 3, axis=-1)
        c = f * c + i * mx.tanh(candidate)
        return o * mx.tanh(c), c

    def fused_step(self) -> FusedStep:
        """The same step for compiled training."""
        return FusedStep(self.input_weight, self.recurrent_weight, self.bias)


class Model(Stack):
    """A stack of LSTM layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, [Layer(config) for _ in range(config.depth)])
