"""Vanilla recurrent network (Elman, 1990): one state, one tanh.

h_t = tanh(W x_t + b + U h_{t-1})
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
    """The step for compiled training (`parts.bptt`)."""

    def prepare(self, parameters: tuple[mx.array, ...], batch: int) -> mx.array:
        """U."""
        return parameters[0]

    def forward(
        self, z: Float[mx.array, "1 B H"], prepared: mx.array, state: BlockState
    ) -> tuple[BlockState, mx.array]:
        """The new state, which is all that `backward` needs."""
        h = fused_tanh(state[0] @ prepared + z)
        return (h,), h

    def backward(self, gradient: BlockState, saved: mx.array) -> tuple[mx.array, mx.array, None, BlockState]:
        """∂tanh = 1 - tanh²."""
        dz = gradient[0] * (1 - saved * saved)
        return dz, dz, None, ()


class Layer(UnrolledCell):
    """One layer."""

    gates = 1

    def advance(self, z: Float[mx.array, "B G"], state: CellState) -> CellState:
        """Two operations per step: a fused multiply-add and a tanh."""
        (h,) = state
        return (mx.tanh(mx.addmm(z, h, self.recurrent_weight.T)),)

    def fused_step(self) -> FusedStep:
        """The same step for compiled training."""
        return FusedStep(self.input_weight, self.recurrent_weight, self.bias)


class Model(Stack):
    """A stack of tanh layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, [Layer(config) for _ in range(config.depth)])
