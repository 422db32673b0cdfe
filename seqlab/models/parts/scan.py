"""How can h_t = a_t h_{t-1} + b_t be computed in parallel, in fewer than T sequential steps?

Two such steps compose to one of the same kind, (a₂, b₂) ∘ (a₁, b₁) = (a₁ a₂, a₂ b₁ + b₂), and composition is
associative: this is a parallel scan. All three algorithms start from `start`, or from zero, and give equal
values and gradients. Scans in log space lose two digits in float32 and are left out.

- `loop`: T steps, one after another; the reference.
- `doubling` (Hillis and Steele, 1986): log₂ T rounds; each combines pairs twice as far apart.
- `chunked`: √T chunks in parallel for √T steps, then a pass over the ends of the chunks, then √T steps again
  from the true starts. The fastest on two x86-64 cores, forward and backward. The gain depends on batch and
  width: `nox -s bench -- --models minGRU --phases scan` times it beside the loop.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import mlx.core as mx
from jaxtyping import Float

from seqlab.machine import kernels
from seqlab.models.parts.recurrence import split_steps

Scan = Literal["doubling", "chunked", "loop"]
Start = Float[mx.array, "B D"] | None
Recurrence = Callable[[mx.array, mx.array, mx.array | None], mx.array]


def chunk_size(length: int) -> int:
    """The length of a chunk: about √L, so that there are as many chunks as steps in a chunk."""
    return min(length, max(1, round(kernels.current().chunk * math.sqrt(length))))


def loop(
    a: Float[mx.array, "B L D"], b: Float[mx.array, "B L D"], start: Start = None
) -> Float[mx.array, "B L D"]:
    """One step after another."""
    states: list[mx.array] = []
    before = None if start is None else start[:, None]
    for factor, term in zip(split_steps(a, axis=1), split_steps(b, axis=1), strict=True):
        before = term if before is None else factor * before + term
        states.append(before)
    return mx.concatenate(states, axis=1)


def doubling(
    a: Float[mx.array, "B L D"], b: Float[mx.array, "B L D"], start: Start = None
) -> Float[mx.array, "B L D"]:
    """After round r every step combines the last 2^r steps; four operations per round."""
    if start is not None:
        b = mx.concatenate([a[:, :1] * start[:, None] + b[:, :1], b[:, 1:]], axis=1)
    length, distance = a.shape[1], 1
    while distance < length:
        b = mx.concatenate([b[:, :distance], b[:, distance:] + a[:, distance:] * b[:, :-distance]], axis=1)
        if 2 * distance < length:
            a = mx.concatenate([a[:, :distance], a[:, distance:] * a[:, :-distance]], axis=1)
        distance *= 2
    return b


def chunked(
    a: Float[mx.array, "B L D"], b: Float[mx.array, "B L D"], start: Start = None
) -> Float[mx.array, "B L D"]:
    """Chunks of √L in parallel: first their ends from zero, then their true starts, then all states.

    The gradient takes the same three passes backwards: λ_t = ∂_t + a_{t+1} λ_{t+1} is the gradient of b_t,
    and λ_t h_{t-1} that of a_t.
    """
    batch, length, width = a.shape
    size = chunk_size(length)
    padding = -length % size
    if padding:  # padding comes last and is cut off, so its values do not matter
        a, b = (mx.pad(x, [(0, 0), (0, padding), (0, 0)]) for x in (a, b))
    start = mx.zeros((batch, width), dtype=b.dtype) if start is None else start
    # MLX cannot export a custom gradient: a graph that is counted has MLX's own.
    h = (_states if kernels.is_exporting() else _with_gradient(size))(a, b, start, size)
    return h[:, :length] if padding else h


def _states(a: mx.array, b: mx.array, start: mx.array, size: int, *, backwards: bool = False) -> mx.array:
    """All states; with `backwards`, from the last step to the first."""
    order = -1 if backwards else 1
    shape, chunked = a.shape, (a.shape[0], -1, size, a.shape[2])
    a, b = a.reshape(chunked), b.reshape(chunked)
    factors, terms = (split_steps(x, axis=2)[::order] for x in (a, b))

    end = terms[0]
    for factor, term in zip(factors[1:], terms[1:], strict=True):
        end = factor * end + term
    ends = split_steps(end.squeeze(2), axis=1)[::order]
    products = split_steps(mx.prod(a, axis=2), axis=1)[::order]
    starts = [start[:, None]]
    for product, end in zip(products[:-1], ends[:-1], strict=True):
        starts.append(product * starts[-1] + end)

    state = mx.concatenate(starts[::order], axis=1)[:, :, None]
    states = []
    for factor, term in zip(factors, terms, strict=True):
        state = factor * state + term
        states.append(state)
    return mx.concatenate(states[::order], axis=2).reshape(shape)


def _with_gradient(size: int) -> Callable[[mx.array, mx.array, mx.array, int], mx.array]:
    """`_states` with the gradient described in `chunked`."""
    custom: Any = mx.custom_function(lambda a, b, start: _states(a, b, start, size))

    def gradient(
        inputs: tuple[mx.array, mx.array, mx.array], d_h: mx.array, h: mx.array
    ) -> tuple[mx.array, mx.array, mx.array]:
        a, _, start = inputs
        after = mx.concatenate([a[:, 1:], mx.zeros_like(a[:, :1])], axis=1)
        d_b = _states(after, d_h, mx.zeros_like(start), size, backwards=True)
        before = mx.concatenate([start[:, None], h[:, :-1]], axis=1)
        return d_b * before, d_b, a[:, 0] * d_b[:, 0]

    def mapped(inputs: tuple[mx.array, ...], axes: tuple[int | None, ...]) -> tuple[mx.array, int]:
        """Under `vmap`, merge the mapped axis into the batch."""
        count = next(x.shape[axis] for x, axis in zip(inputs, axes, strict=True) if axis is not None)
        stacked = [
            mx.broadcast_to(x[None], (count, *x.shape)) if axis is None else mx.moveaxis(x, axis, 0)
            for x, axis in zip(inputs, axes, strict=True)
        ]
        h = custom(*(x.flatten(0, 1) for x in stacked))
        return h.reshape(stacked[1].shape), 0

    custom.vjp(gradient)
    custom.vmap(mapped)
    return lambda a, b, start, _: custom(a, b, start)


SCANS: dict[Scan, Recurrence] = {"loop": loop, "doubling": doubling, "chunked": chunked}
