"""On which inputs does an output depend, how strongly, and does a gradient survive the way through all
layers?

The gradient of one output position with respect to every input position shows how fast influence decays with
distance (@hochreiter1991, @bengio1994), and that a causal model does not depend on the future. The features
of an output are joined by a random projection, which can hide an influence only by an exact cancellation. The
functions measured here map [B L D] to [B L E]; embed tokens first.
"""

from collections.abc import Callable

import mlx.core as mx
import numpy as np
from jaxtyping import Bool, Float, Int

Sequences = Float[mx.array, "B L D"]
SequenceMap = Callable[[Sequences], Float[mx.array, "B L E"]]
TINY = float(np.finfo(np.float32).tiny)  # smaller gradients lose digits in single precision


def norm_by_distance(
    function: SequenceMap, *, length: int, width: int, batch: int, rng: np.random.Generator
) -> Float[np.ndarray, " length"]:
    """Norm of d(last output)/d(input) at each distance 0 ... length-1, relative to distance 0.

    Inputs are standard normal; the geometric mean is taken over the batch. A gradient that underflows
    single precision counts as its smallest normal number, so that its logarithm exists.
    """
    x = mx.array(rng.standard_normal((batch, length, width)), dtype=mx.float32)
    log_norm = _log_norm(_gradient(function, x, length - 1, rng), -1).mean(axis=0)[::-1]
    return np.asarray(np.exp(log_norm - log_norm[0]))


def decades_per_step(distances: Int[np.ndarray, " N"], norms: Float[np.ndarray, " N"]) -> float:
    """Slope of log10(norm) against distance, by least squares; distance 0, if there, is left out."""
    far = distances > 0
    return float(np.polyfit(distances[far], np.log10(norms[far]), deg=1)[0])


def answer_gradient(
    logits: Callable[[Sequences], Float[mx.array, "B V"]],
    x: Sequences,
    answers: Int[mx.array, "B"],
    place: int,
) -> Float[np.ndarray, " B"]:
    """Norm of d(log odds of the answer)/d(input at `place`), for each sequence.

    `logits` maps whole sequences to the logits of their answers. The log odds, log(p / (1 - p)), have the
    gradient of the cross entropy without its factor p - 1. That factor says how wrong the answer is, not
    how far the gradient reaches, and is 0 in single precision where the answer is certain.
    """

    def odds(x: mx.array) -> mx.array:
        found = logits(x)
        right = mx.arange(found.shape[1]) == answers[:, None]
        return mx.sum(mx.where(right, found, 0)) - mx.sum(
            mx.logsumexp(mx.where(right, -mx.inf, found), axis=1)
        )

    return np.asarray(np.exp(_log_norm(mx.grad(odds)(x)[:, place], -1)))


def norm_through(
    function: SequenceMap, *, length: int, width: int, batch: int, rng: np.random.Generator
) -> float:
    """Norm of a gradient that has reached the inputs, relative to its norm at the outputs.

    The gradient at the outputs is random, at all positions at once; inputs are standard normal. The
    geometric mean is taken over the batch; underflow is treated as in `norm_by_distance`.
    Gradients of parameters would not show it: where every layer shrinks its input, those of the last layer
    are as small, because of a small input, as those of the first, because of a small gradient.
    """
    x = mx.array(rng.standard_normal((batch, length, width)), dtype=mx.float32)
    sent = mx.array(rng.standard_normal(function(x).shape), dtype=mx.float32)
    _, (arrived,) = mx.vjp(function, [x], [sent])
    return float(np.exp((_log_norm(arrived, (1, 2)) - _log_norm(sent, (1, 2))).mean()))


def influence(
    function: SequenceMap, x: Sequences, position: int, rng: np.random.Generator
) -> Float[np.ndarray, " L"]:
    """Largest absolute gradient of the output at `position` with respect to each input position."""
    gradient = mx.abs(_gradient(function, x, position, rng)).max(axis=(0, 2))
    return np.array(gradient, dtype=np.float64)


def influences(function: SequenceMap, x: Sequences, rng: np.random.Generator) -> Float[np.ndarray, "L L"]:
    """`influence` on every output (row): which outputs depend on which inputs, and how strongly."""
    return np.stack([influence(function, x, t, rng) for t in range(x.shape[1])])


def future_influence(function: SequenceMap, x: Sequences, rng: np.random.Generator) -> float:
    """Largest absolute gradient of any output with respect to a later input: 0 for a causal model."""
    return float(np.triu(influences(function, x, rng), k=1).max())


def connected_pairs(function: SequenceMap, x: Sequences, rng: np.random.Generator) -> Bool[np.ndarray, "L L"]:
    """Whether output i (row) depends on input j (column) at all; the share is `.mean()`."""
    return influences(function, x, rng) > 0


def _log_norm(gradient: mx.array, axes: int | tuple[int, int]) -> np.ndarray:
    # In double precision: the square of a small single would underflow long before the number does.
    norm = np.linalg.norm(np.array(gradient, dtype=np.float64), axis=axes)
    return np.asarray(np.log(np.maximum(norm, TINY)))


def _gradient(function: SequenceMap, x: Sequences, position: int, rng: np.random.Generator) -> Sequences:
    """Gradient [B L D] of a random projection of the output at `position`, each sequence its own."""

    def projected(x: mx.array) -> mx.array:
        y = function(x)[:, position]
        return mx.sum(y * mx.array(rng.standard_normal(y.shape), dtype=y.dtype))

    gradient: mx.array = mx.grad(projected)(x)
    mx.eval(gradient)
    return gradient
