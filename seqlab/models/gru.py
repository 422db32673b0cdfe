"""Gated recurrent unit (Cho et al., 2014): two gates, one state.

r, z = σ(W x_t + b + U h_{t-1} + d), one block of rows each
n    = tanh(W x_t + b + r ⊙ (U h_{t-1} + d)), the last block
h_t  = (1 - z) ⊙ n + z ⊙ h_{t-1}

The reset gate acts after the product with U, as in cuDNN and PyTorch, so that the three blocks of U are
multiplied at once. This needs the second bias d.
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
    """Sizes and how U starts."""


class FusedStep(bptt.FusedStep):
    """The step for compiled training (`parts.bptt`). Only the candidate has its own recurrent bias."""

    gates, sigmoid_gates = 3, 2

    def prepare(self, parameters: tuple[mx.array, ...], batch: int) -> tuple[mx.array, ...]:
        """U of r and z, U of n, and n's recurrent bias, repeated for the batch."""
        weight, bias = parameters
        return weight[:2], weight[2:], bias + mx.zeros((1, batch, bias.size), dtype=bias.dtype)

    def forward(
        self, z: Float[mx.array, "3 B H"], prepared: tuple[mx.array, ...], state: BlockState
    ) -> tuple[BlockState, tuple[mx.array, ...]]:
        """h to h."""
        gates_weight, candidate_weight, bias = prepared
        (h,) = state
        gates_in, candidate_in = mx.split(z, [2], axis=0)
        reset, keep = mx.split(fused_tanh(h @ gates_weight + gates_in, 0.5, 0.5), 2, axis=0)
        candidate_back = mx.addmm(bias, h, candidate_weight)
        candidate = fused_tanh(candidate_in + reset * candidate_back)
        return (candidate + keep * (h - candidate),), (reset, keep, candidate, candidate_back, h)

    def backward(
        self, gradient: BlockState, saved: tuple[mx.array, ...]
    ) -> tuple[mx.array, mx.array, mx.array, BlockState]:
        """∂σ(2x) = 2 σ (1 - σ), as the weights are halved; ∂tanh = 1 - tanh²."""
        (dh,) = gradient
        reset, keep, candidate, candidate_back, h = saved
        d_candidate = (dh - dh * keep) * (1 - candidate * candidate)
        d_reset = 2 * d_candidate * candidate_back * (reset - reset * reset)
        d_keep = 2 * dh * (h - candidate) * (keep - keep * keep)
        dz = mx.concatenate([d_reset, d_keep, d_candidate], axis=2)
        du = mx.concatenate([d_reset, d_keep, d_candidate * reset], axis=2)
        return dz, du, dh * keep, ()


class Layer(UnrolledCell):
    """One layer; rows of W, U and the biases are in the order r, z, n."""

    gates = 3

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.recurrent_bias = mx.zeros((3 * config.units,))

    def advance(self, z: Float[mx.array, "B G"], state: CellState) -> CellState:
        """h to h."""
        (h,) = state
        recurrent = mx.addmm(self.recurrent_bias, h, self.recurrent_weight.T)
        gates_in, candidate_in = mx.split(z, [2 * self.units], axis=-1)
        gates_back, candidate_back = mx.split(recurrent, [2 * self.units], axis=-1)
        reset, keep = mx.split(mx.sigmoid(gates_in + gates_back), 2, axis=-1)
        candidate = mx.tanh(candidate_in + reset * candidate_back)
        return (candidate + keep * (h - candidate),)

    def fused_step(self) -> FusedStep:
        """The same step for compiled training; the two biases of r and z are added up beforehand."""
        of_candidate = self.recurrent_bias[2 * self.units :]
        of_gates = mx.concatenate([self.recurrent_bias[: 2 * self.units], mx.zeros_like(of_candidate)])
        return FusedStep(self.input_weight, self.recurrent_weight, self.bias + of_gates, of_candidate)


class Model(Stack):
    """A stack of GRU layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, [Layer(config) for _ in range(config.depth)])
