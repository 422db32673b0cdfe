"""Which input does an output listen to, and how loudly?

A gradient of one output position with respect to every input position says both: how fast influence
fades with distance (@hochreiter1991, @bengio1994), and that a causal model hears nothing of the
future. Outputs of a position are joined by a random projection, which can hide an influence only by
an exact cancellation. Functions here map [B L D] to [B L E]; embed tokens first.
"""

from collections.abc import Callable

import mlx.core as mx
import numpy as np
from jaxtyping import Bool, Float

Sequences = Float[mx.array, "B L D"]
SequenceMap = Callable[[Sequences], Float[mx.array, "B L E"]]
TINY = float(np.finfo(np.float32).tiny)  # smaller gradients are not told apart in single precision


def norm_by_distance(
    function: SequenceMap, *, length: int, width: int, batch: int, rng: np.random.Generator
) -> Float[np.ndarray, " length"]:
    """Norm of d(last output)/d(input) at each distance 0 ... length-1, relative to distance 0.

    Inputs are standard normal; the geometric mean is taken over the batch. A gradient that underflows
    single precision counts as its smallest normal number, so that its logarithm exists.
    """
    x = mx.array(rng.standard_normal((batch, length, width)), dtype=mx.float32)
    gradient = _gradient(function, x, length - 1, rng)
    # In double precision: the square of a small single would underflow long before the number does.
    norm = np.linalg.norm(np.array(gradient, dtype=np.float64), axis=-1)
    log_norm = np.log(np.maximum(norm, TINY)).mean(axis=0)[::-1]
    return np.asarray(np.exp(log_norm - log_norm[0]))


def influence(
    function: SequenceMap, x: Sequences, position: int, rng: np.random.Generator
) -> Float[np.ndarray, " L"]:
    """Largest absolute gradient of the output at `position` with respect to each input position."""
    gradient = mx.abs(_gradient(function, x, position, rng)).max(axis=(0, 2))
    return np.array(gradient, dtype=np.float64)


def future_influence(function: SequenceMap, x: Sequences, rng: np.random.Generator) -> float:
    """Largest absolute gradient of any output with respect to a later input: 0 for a causal model."""
    length = x.shape[1]
    return max((float(influence(function, x, t, rng)[t + 1 :].max()) for t in range(length - 1)), default=0.0)


def connected_pairs(function: SequenceMap, x: Sequences, rng: np.random.Generator) -> Bool[np.ndarray, "L L"]:
    """Whether output i (row) depends on input j (column) at all; the share is `.mean()`."""
    return np.stack([influence(function, x, t, rng) > 0 for t in range(x.shape[1])])


def _gradient(function: SequenceMap, x: Sequences, position: int, rng: np.random.Generator) -> Sequences:
    """Gradient [B L D] of a random projection of the output at `position`, each sequence its own."""

    def projected(x: mx.array) -> mx.array:
        y = function(x)[:, position]
        return mx.sum(y * mx.array(rng.standard_normal(y.shape), dtype=y.dtype))

    gradient: mx.array = mx.grad(projected)(x)
    mx.eval(gradient)
    return gradient
