"""How is the gradient of a recurrence through time taken in as few operations as can be?

MLX differentiates a loop step by step: each step multiplies for its own share of the recurrent weight's
gradient and adds it to the sum. Here the steps go backward by equations written next to the forward
ones, and the weight's gradient is a single product over all steps at the end. Inside a compiled step,
where the number of operations is what a recurrence costs on a CPU, that pays; uncompiled it gains
nothing, and MLX can neither export a custom gradient, to count its work, nor map it over seeds. So
cells use it in compiled steps alone (`kernels.compiling`).

Arrays are in blocks of gates [G, B, H], so that each gate lies in one piece, and time comes before batch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from jaxtyping import Float

BlockState = tuple[Float[mx.array, "1 B H"], ...]  # the first is h, which U multiplies


@dataclass(frozen=True)
class Fused(ABC):
    """A cell for `run`: its parameters (W [G·H, D], U [G·H, H], b [G·H]) and one step, both ways.

    σ(x) is (1 + tanh(x/2)) / 2, so that one tanh serves all gates: the rows of the first `halved` gates
    of W, U and b are halved. `inner` [H] is a bias that belongs to the last gate's product with h.
    """

    input_weight: mx.array
    recurrent_weight: mx.array
    bias: mx.array
    inner: mx.array | None = None

    gates = 1
    halved = 0

    @abstractmethod
    def ready(self, parameters: tuple[mx.array, ...], batch: int) -> Any:
        """What `forward` needs of U [G H H] and, if there is one, the inner bias [H]; made once for all."""

    @abstractmethod
    def forward(self, z: Float[mx.array, "G B H"], ready: Any, state: BlockState) -> tuple[BlockState, Any]:
        """One step from W x + b: the new state, and what `backward` needs to know of it."""

    @abstractmethod
    def backward(
        self, gradient: BlockState, kept: Any
    ) -> tuple[Float[mx.array, "1 B GH"], Float[mx.array, "1 B GH"], mx.array | None, BlockState]:
        """From the gradient of the new state: that of z, of the product with h, the old h's share
        without that product (None: it has none), and of the rest of the old state.
        """

    def blocks(self, rows: Float[mx.array, "GH ..."]) -> Float[mx.array, "G K H"]:
        """Rows of gates, some halved, as blocks to multiply by from the right."""
        blocks = rows.reshape(self.gates, rows.shape[0] // self.gates, -1).swapaxes(1, 2)
        if not self.halved:
            return blocks
        scale = [0.5] * self.halved + [1.0] * (self.gates - self.halved)
        return blocks * mx.array(scale, dtype=rows.dtype)[:, None, None]


def run(
    cell: Fused, x: Float[mx.array, "B L D"], state: tuple[Float[mx.array, "B H"], ...]
) -> tuple[Float[mx.array, "B L H"], tuple[Float[mx.array, "B H"], ...]]:
    """The outputs of L steps from a state, and the state after them."""
    batch, length, width = x.shape
    units = state[0].shape[1]
    inner = () if cell.inner is None else (cell.inner,)
    keeps: list[Any] = []

    @mx.custom_function
    def unrolled(z: mx.array, weight: mx.array, *rest: mx.array) -> tuple[mx.array, ...]:
        keeps.clear()
        ready = cell.ready((weight, *rest[: len(inner)]), batch)
        now, outputs = rest[len(inner) :], []
        for z_t in mx.split(z, length, axis=1):
            now, kept = cell.forward(z_t, ready, now)
            outputs.append(now[0])
            keeps.append(kept)
        return mx.concatenate(outputs, axis=1), *now

    @unrolled.vjp
    def gradient(
        primals: tuple[mx.array, ...], cotangents: tuple[mx.array, ...], outputs: tuple[mx.array, ...]
    ) -> tuple[mx.array, ...]:
        start = primals[2 + len(inner)]
        back = primals[1].swapaxes(1, 2).reshape(cell.gates * units, units)
        above = mx.split(cotangents[0], length, axis=1)
        dh, rest = above[-1] + cotangents[1], tuple(cotangents[2:])
        of_inputs, of_products = [], []
        for t in reversed(range(length)):
            dz, du, direct, rest = cell.backward((dh, *rest), keeps[t])
            of_inputs.append(dz)
            of_products.append(du)
            own = [part for part in (direct, above[t - 1] if t else None) if part is not None]
            dh = mx.addmm(sum(own[1:], own[0]), du, back) if own else du @ back
        dz_all = mx.concatenate(of_inputs[::-1], axis=1)[0]
        du_all = dz_all if du is dz else mx.concatenate(of_products[::-1], axis=1)[0]
        before = mx.concatenate([start, outputs[0][:, :-batch]], axis=1)[0]
        of_weight = (before.T @ du_all).reshape(units, cell.gates, units).swapaxes(0, 1)
        of_inner = (mx.sum(du_all[:, -units:], axis=0),) if inner else ()
        of_z = dz_all.reshape(length * batch, cell.gates, units).swapaxes(0, 1)
        found = (of_z, of_weight, *of_inner, dh, *rest)
        # In mixed precision the state is float32 and the weights are not; MLX wants of each its own type.
        return tuple(part.astype(primal.dtype) for part, primal in zip(found, primals, strict=True))

    rows = x.swapaxes(0, 1).reshape(1, length * batch, width)
    z = mx.addmm(cell.blocks(cell.bias), rows, cell.blocks(cell.input_weight))
    found: Any = unrolled(z, cell.blocks(cell.recurrent_weight), *inner, *(part[None] for part in state))
    h, *after = found
    return h.reshape(length, batch, units).swapaxes(0, 1), tuple(part[0] for part in after)
