"""How is h_t = λ h_{t-1} + b_t computed for complex λ that are the same at every step?

A constant λ needs no scan: h_t = Σ_{s≤t} λ^{t-s} b_s + λ^{t+1} start is a convolution with the powers of λ.
A complex array is a pair of real arrays, since not every back end has gradients of complex products. Time is
the last axis, so that each λ has its own matrix or transform. All forms give equal results up to rounding.

- `loop`: L steps, one after another; the reference.
- `chunked`: the powers of λ as a triangular matrix of √L steps, used inside all chunks in parallel and then
  over the ends of the chunks. All operations are matrix products, and none waits for a previous step.
- `fft`: one convolution, as a product of Fourier transforms.
"""

from collections.abc import Callable
from typing import Literal

import mlx.core as mx
from jaxtyping import Float

from seqlab.models.parts.recurrence import unbind_steps
from seqlab.models.parts.scan import chunk_size

Form = Literal["loop", "chunked", "fft"]
Pair = tuple[mx.array, mx.array]  # a complex array: real and imaginary parts of equal shape
Factor = tuple[Float[mx.array, "N"], Float[mx.array, "N"]]
Powers = tuple[Float[mx.array, "N P"], Float[mx.array, "N P"]]
States = tuple[Float[mx.array, "N B"], Float[mx.array, "N B"]]
Series = tuple[Float[mx.array, "N B L"], Float[mx.array, "N B L"]]


def map_parts(function: Callable[..., mx.array], *pairs: Pair) -> Pair:
    """Apply a function to the real parts and to the imaginary parts."""
    real, imaginary = (function(*parts) for parts in zip(*pairs, strict=True))
    return real, imaginary


def complex_product(a: Pair, b: Pair) -> Pair:
    """The product of complex arrays."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def powers(factor: Factor, count: int) -> Powers:
    """λ^0 to λ^(count-1), by repeated doubling. cos(kθ) would lose precision for large k."""
    leap = map_parts(lambda part: part[:, None], factor)
    found: Pair = mx.ones_like(leap[0]), mx.zeros_like(leap[1])
    while found[0].shape[1] < count:
        found = map_parts(
            lambda low, high: mx.concatenate([low, high], axis=1), found, complex_product(found, leap)
        )
        leap = complex_product(leap, leap)
    return map_parts(lambda part: part[:, :count], found)


def loop(factor: Factor, b: Series, start: States) -> Series:
    """One step after another."""
    column = map_parts(lambda part: part[:, None], factor)
    states: list[Pair] = []
    for term in zip(*(unbind_steps(part, axis=-1) for part in b), strict=True):
        states.append(map_parts(mx.add, complex_product(column, states[-1] if states else start), term))
    return map_parts(lambda *parts: mx.stack(list(parts), axis=-1), *states)


def add_start(h: Series, power: Powers, start: States) -> Series:
    """Add λ^{t+1} start to states computed from a start of zero."""
    row = map_parts(lambda part: part[:, None, 1:], power)
    return map_parts(mx.add, h, complex_product(row, map_parts(lambda part: part[..., None], start)))


def triangle(power: Float[mx.array, "N P"]) -> Float[mx.array, "N P P"]:
    """λ^{t-s} in row s and column t, and zero where s > t.

    Rows of P powers and P zeros are reshaped into rows that are shorter by one, which shifts each row one
    place to the right of the row above. A gather is possible too, but its gradient is a slow scatter.
    """
    count, size = power.shape
    rows = mx.broadcast_to(mx.pad(power, [(0, 0), (0, size)])[:, None], (count, size, 2 * size))
    return rows.reshape(count, -1)[:, : size * (2 * size - 1)].reshape(count, size, -1)[..., :size]


def product(factor: Factor, b: Series, start: States | None = None) -> Series:
    """All L steps by a product with the triangular matrix of L powers."""
    power = powers(factor, b[0].shape[-1] + 1)
    real, imaginary = map_parts(lambda part: triangle(part[:, :-1]), power)
    h = b[0] @ real - b[1] @ imaginary, b[0] @ imaginary + b[1] @ real
    return h if start is None else add_start(h, power, start)


def chunked(factor: Factor, b: Series, start: States) -> Series:
    """Chunks of √L: first their ends from a start of zero, then their true starts, then all steps."""
    count, batch, length = b[0].shape
    size = chunk_size(length)
    chunks = -(-length // size)
    if padding := chunks * size - length:  # the padded steps come last and are cut off
        b = map_parts(lambda part: mx.pad(part, [(0, 0), (0, 0), (0, padding)]), b)

    inside = product(factor, map_parts(lambda part: part.reshape(count, -1, size), b))
    power = powers(factor, size + 1)
    leap = map_parts(lambda part: part[:, -1], power)
    ends = product(leap, map_parts(lambda part: part[..., -1].reshape(count, batch, chunks), inside), start)
    starts = map_parts(
        lambda first, end: mx.concatenate([first[..., None], end[..., :-1]], axis=-1).reshape(count, -1),
        start,
        ends,
    )
    h = add_start(inside, power, starts)
    return map_parts(lambda part: part.reshape(count, batch, -1)[..., :length], h)


def fft(factor: Factor, b: Series, start: States) -> Series:
    """One convolution; transforms of twice the length, so that it does not wrap around."""
    length = b[0].shape[-1]
    power = powers(factor, length + 1)
    kernel = map_parts(lambda part: part[:, None, :-1], power)
    transformed = [mx.fft.fft(real + 1j * imaginary, n=2 * length) for real, imaginary in (b, kernel)]
    h = mx.fft.ifft(transformed[0] * transformed[1])[..., :length]
    return add_start((mx.real(h), mx.imag(h)), power, start)


FORMS: dict[Form, Callable[[Factor, Series, States], Series]] = {
    "loop": loop,
    "chunked": chunked,
    "fft": fft,
}
