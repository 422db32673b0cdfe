"""How can h_t = a_t h_{t-1} + b_t be computed without taking T steps one after another?

Two such steps make one of the same kind, (a₂, b₂) ∘ (a₁, b₁) = (a₁ a₂, a₂ b₁ + b₂), so they may be
joined in any grouping. All three forms start from `start`, or from zero, give equal values and use
MLX's own gradients. Log-space forms lose two digits in float32 and are left out.

- `loop`: T steps, one operation after another; the reference.
- `doubling` (Hillis and Steele, 1986): log₂ T rounds, each joining pairs twice as far apart.
- `chunked`: √T chunks side by side for √T steps, then their ends are carried over. The fastest on two
  x86-64 cores, forward and backward, in a third of the memory of `doubling`; by how much depends on batch
  and width: `nox -s bench -- --models minGRU --phases scan` times it beside the loop.
"""

import math
from collections.abc import Callable
from typing import Literal

import mlx.core as mx
from jaxtyping import Float

from seqlab import forms
from seqlab.models.parts.recurrence import pieces

Scan = Literal["doubling", "chunked", "loop"]
Start = Float[mx.array, "B D"] | None
Recurrence = Callable[[mx.array, mx.array, mx.array | None], mx.array]


def chunk_size(length: int) -> int:
    """Steps in a chunk: about √L, so that there are as many chunks as steps in one."""
    return min(length, max(1, round(forms.current().chunk * math.sqrt(length))))


def loop(
    a: Float[mx.array, "B L D"], b: Float[mx.array, "B L D"], start: Start = None
) -> Float[mx.array, "B L D"]:
    """One step after another."""
    states: list[mx.array] = []
    before = None if start is None else start[:, None]
    for factor, term in zip(pieces(a, axis=1), pieces(b, axis=1), strict=True):
        before = term if before is None else factor * before + term
        states.append(before)
    return mx.concatenate(states, axis=1)


def doubling(
    a: Float[mx.array, "B L D"], b: Float[mx.array, "B L D"], start: Start = None
) -> Float[mx.array, "B L D"]:
    """After round r every step holds the last 2^r of them joined; four operations a round."""
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
    """Chunks of √L: inside each, products A_t and states from zero H_t; then h_t = A_t h_start + H_t."""
    batch, length, width = a.shape
    size = chunk_size(length)
    chunks = -(-length // size)
    padding = chunks * size - length
    if padding:  # the padded steps come last and are cut off, so any value serves
        a, b = (mx.pad(x, [(0, 0), (0, padding), (0, 0)]) for x in (a, b))
    a, b = (x.reshape(batch, chunks, size, width) for x in (a, b))

    products: list[mx.array] = []
    states: list[mx.array] = []
    for factor, term in zip(pieces(a, axis=2), pieces(b, axis=2), strict=True):
        states.append(factor * states[-1] + term if states else term)
        products.append(factor * products[-1] if products else factor)

    # ends[c] is the state at the end of chunk c, where chunk c + 1 starts.
    ends = loop(products[-1].squeeze(2), states[-1].squeeze(2), start)
    first = mx.zeros((batch, 1, width), dtype=b.dtype) if start is None else start[:, None]
    starts = mx.concatenate([first, ends[:, :-1]], axis=1)
    h = mx.concatenate(products, axis=2) * starts[:, :, None] + mx.concatenate(states, axis=2)
    return h.reshape(batch, chunks * size, width)[:, :length]


SCANS: dict[Scan, Recurrence] = {"loop": loop, "doubling": doubling, "chunked": chunked}
