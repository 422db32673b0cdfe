"""How is backpropagation through time (BPTT) computed in as few operations as possible?

MLX differentiates a loop step by step: each step computes its own share of the recurrent weight's gradient
by a matrix product and adds it to the sum. Here the steps go backward by equations written next to the
forward ones, and the weight's gradient is a single product over all steps at the end. In a compiled step on
a CPU, where the number of operations determines the time of a recurrence, this is faster; uncompiled it
gains nothing. MLX cannot export a custom gradient to count its work, nor map it over seeds, so cells use
this in compiled steps only (`kernels.compiling`).

Arrays have shape [G, B, H], a block for each of G gates, so that each gate is contiguous in memory. Over
several steps, time comes before the batch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from jaxtyping import Float

BlockState = tuple[Float[mx.array, "1 B H"], ...]  # the first is h, which U multiplies


@dataclass(frozen=True)
class FusedStep(ABC):
    """A cell for `unroll`: its parameters (W [G·H, D], U [G·H, H], b [G·H]) and one step, both ways.

    σ(x) is (1 + tanh(x/2)) / 2, so that one tanh serves all gates: the rows of W, U and b that belong to the
    first `sigmoid_gates` gates are halved. `recurrent_bias` [H] is added to the last gate's product with h.
    """

    input_weight: mx.array
    recurrent_weight: mx.array
    bias: mx.array
    recurrent_bias: mx.array | None = None

    gates = 1
    sigmoid_gates = 0

    @abstractmethod
    def prepare(self, parameters: tuple[mx.array, ...], batch: int) -> Any:
        """What `forward` needs of U [G H H] and the recurrent bias [H], if any; computed once per call."""

    @abstractmethod
    def forward(
        self, z: Float[mx.array, "G B H"], prepared: Any, state: BlockState
    ) -> tuple[BlockState, Any]:
        """One step from z = W x + b: the new state, and what is saved for `backward`."""

    @abstractmethod
    def backward(
        self, gradient: BlockState, saved: Any
    ) -> tuple[Float[mx.array, "1 B GH"], Float[mx.array, "1 B GH"], mx.array | None, BlockState]:
        """From the gradient of the new state, four gradients: of z; of the product with h; of the old h other
        than through that product (None if zero); and of the rest of the old state.
        """

    def blocks(self, rows: Float[mx.array, "GH ..."]) -> Float[mx.array, "G K H"]:
        """The rows of each gate as a block to multiply by from the right; those of σ gates are halved."""
        blocks = rows.reshape(self.gates, rows.shape[0] // self.gates, -1).swapaxes(1, 2)
        if not self.sigmoid_gates:
            return blocks
        scale = [0.5] * self.sigmoid_gates + [1.0] * (self.gates - self.sigmoid_gates)
        return blocks * mx.array(scale, dtype=rows.dtype)[:, None, None]


def unroll(
    cell: FusedStep, x: Float[mx.array, "B L D"], state: tuple[Float[mx.array, "B H"], ...]
) -> tuple[Float[mx.array, "B L H"], tuple[Float[mx.array, "B H"], ...]]:
    """The outputs of L steps from a state, and the new state."""
    batch, length, width = x.shape
    units = state[0].shape[1]
    recurrent_bias = () if cell.recurrent_bias is None else (cell.recurrent_bias,)
    saved: list[Any] = []

    @mx.custom_function
    def unrolled(z: mx.array, weight: mx.array, *rest: mx.array) -> tuple[mx.array, ...]:
        saved.clear()
        prepared = cell.prepare((weight, *rest[: len(recurrent_bias)]), batch)
        now, outputs = rest[len(recurrent_bias) :], []
        for z_t in mx.split(z, length, axis=1):
            now, of_step = cell.forward(z_t, prepared, now)
            outputs.append(now[0])
            saved.append(of_step)
        return mx.concatenate(outputs, axis=1), *now

    @unrolled.vjp
    def gradient(
        primals: tuple[mx.array, ...], cotangents: tuple[mx.array, ...], outputs: tuple[mx.array, ...]
    ) -> tuple[mx.array, ...]:
        start = primals[2 + len(recurrent_bias)]
        back = primals[1].swapaxes(1, 2).reshape(cell.gates * units, units)
        d_outputs = mx.split(cotangents[0], length, axis=1)
        dh, rest = d_outputs[-1] + cotangents[1], tuple(cotangents[2:])
        d_inputs, d_products = [], []
        for t in reversed(range(length)):
            dz, du, direct, rest = cell.backward((dh, *rest), saved[t])
            d_inputs.append(dz)
            d_products.append(du)
            terms = [part for part in (direct, d_outputs[t - 1] if t else None) if part is not None]
            dh = mx.addmm(sum(terms[1:], terms[0]), du, back) if terms else du @ back
        dz_all = mx.concatenate(d_inputs[::-1], axis=1)[0]
        du_all = dz_all if du is dz else mx.concatenate(d_products[::-1], axis=1)[0]
        before = mx.concatenate([start, outputs[0][:, :-batch]], axis=1)[0]
        d_weight = (before.T @ du_all).reshape(units, cell.gates, units).swapaxes(0, 1)
        d_bias = (mx.sum(du_all[:, -units:], axis=0),) if recurrent_bias else ()
        d_z = dz_all.reshape(length * batch, cell.gates, units).swapaxes(0, 1)
        found = (d_z, d_weight, *d_bias, dh, *rest)
        # In mixed precision the state is float32 and the weights are not; MLX requires equal types.
        return tuple(part.astype(primal.dtype) for part, primal in zip(found, primals, strict=True))

    rows = x.swapaxes(0, 1).reshape(1, length * batch, width)
    z = mx.addmm(cell.blocks(cell.bias), rows, cell.blocks(cell.input_weight))
    found: Any = unrolled(
        z, cell.blocks(cell.recurrent_weight), *recurrent_bias, *(part[None] for part in state)
    )
    h, *after = found
    return h.reshape(length, batch, units).swapaxes(0, 1), tuple(part[0] for part in after)
