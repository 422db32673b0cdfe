"""With which tokens does a model complete a text, and how often are they right?

The completion is the most probable next token. Tokens below the id `first` complete nothing: a model may
assign them probability, and may be right to, but they are never chosen.
"""

import math

import mlx.core as mx
import numpy as np
from jaxtyping import Bool, Float, Int32, Integer
from mlx import nn

LOGITS = 1 << 23  # of one evaluation, to bound its memory


def most_probable(logits: Float[mx.array, "... V"], *, first: int = 0) -> Integer[mx.array, "..."]:
    """The most probable ids, none of them below `first`."""
    return mx.argmax(logits[..., first:], axis=-1) + first


def score_windows(
    model: nn.Module,
    inputs: Int32[np.ndarray, "K L"],
    targets: Int32[np.ndarray, "K L"],
    scored: Bool[np.ndarray, "K L"],
    *,
    first: int = 0,
) -> tuple[Bool[np.ndarray, "K L"], float]:
    """Whether the completion is right at each position, and the mean bits of the scored targets.

    The model's attribute `vocabulary` is the number of its ids.
    """
    right, bits = np.zeros(targets.shape, bool), 0.0
    at_once = max(1, LOGITS // (model.vocabulary * targets.shape[1]))
    for i in range(0, len(targets), at_once):
        logits, expected = model(mx.array(inputs[i : i + at_once])), mx.array(targets[i : i + at_once])
        nats = mx.logsumexp(logits, axis=-1) - mx.take_along_axis(logits, expected[..., None], -1).squeeze(-1)
        right[i : i + at_once] = np.array(most_probable(logits, first=first) == expected)
        bits += float(np.array(nats)[scored[i : i + at_once]].sum()) / math.log(2)
    return right, bits / int(scored.sum())


def complete(
    model: nn.Module, contexts: Int32[np.ndarray, "P C"], *, length: int, first: int = 0
) -> Int32[np.ndarray, "P T"]:
    """The `length` ids with which the model continues each context, the most probable one at a time.

    The context is read again for each of them, so this is for short contexts.
    """
    start = contexts.shape[1]
    read = np.zeros((len(contexts), start + length), np.int32)
    read[:, :start] = contexts
    for end in range(start, start + length):
        logits = model(mx.array(read[:, :-1]))  # of one shape, since no position reads the later ones
        read[:, end] = np.array(most_probable(logits[:, end - 1], first=first))
    return read[:, start:]
