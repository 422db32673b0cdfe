"""How many bits does each token of a text take, and how many at each position of a window?

The bits of a token are -log2 of the probability that the model gave it.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import mlx.core as mx
import numpy as np
from jaxtyping import Float, Float64, Int32, Integer
from mlx import nn

from seqlab.notebook.metrics import Measurement

AT_ONCE = 64  # windows of one evaluation, to bound the memory of logits


def target_bits(
    logits: Float[mx.array, "... V"], targets: Integer[mx.array, "..."]
) -> Float64[np.ndarray, "..."]:
    """The bits of each target."""
    log_probabilities = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    of_targets = mx.take_along_axis(log_probabilities, targets[..., None], axis=-1).squeeze(-1)
    return np.array(-of_targets, np.float64) / math.log(2)


def token_bits(
    model: nn.Module, inputs: Int32[np.ndarray, "B L"], targets: Int32[np.ndarray, "B L"], *, last: int = 0
) -> Float64[np.ndarray, "B _"]:
    """The bits of every target of a language model, or of the `last` ones of each window."""
    found = []
    for i in range(0, len(inputs), AT_ONCE):
        logits = model(mx.array(inputs[i : i + AT_ONCE]))[:, -last:]
        found.append(target_bits(logits, mx.array(targets[i : i + AT_ONCE, -last:])))
    return np.concatenate(found)


def bits_per_token(
    model: nn.Module,
    loss: Callable[..., mx.array],
    inputs: Int32[np.ndarray, "B L"],
    targets: Int32[np.ndarray, "B L"],
) -> float:
    """The mean `loss(model, inputs, targets)` of all windows, which is in nats, in bits."""
    total = 0.0
    for i in range(0, len(inputs), AT_ONCE):
        some = mx.array(inputs[i : i + AT_ONCE]), mx.array(targets[i : i + AT_ONCE])
        total += float(loss(model, *some)) * len(some[0])
    return total / len(inputs) / math.log(2)


def bits_by_position(
    bits: Float64[np.ndarray, "B L"], edges: Sequence[int], *, split: str
) -> Iterator[Measurement]:
    """Mean bits of the targets between one edge and the next, by the number of tokens read before them.

    A measurement's step is the upper edge of its interval, at most the windows' length.
    """
    length = bits.shape[1]
    for low, high in zip((0, *edges), (*edges, length), strict=False):
        if low < length:
            mean = float(bits[:, low : min(high, length)].mean())
            yield Measurement("bits_at_position", mean, split, step=min(high, length))
