"""By how much do the outputs of a causal network differ between ways of computing them?

The reference is the network on prefixes alone, where no later input exists. It is compared with the whole
sequence at once and with single steps from a state; the whole is also compared with pieces of random sizes.
The gradient of all positions at once, as in training, is compared with the sum of those of all prefixes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten

from seqlab.measure.float64 import double

PREFIXES = 16  # evenly spread ends of the prefixes that are computed alone
CUTS = 4  # between pieces, at random places

Step = Callable[[mx.array, Any], tuple[mx.array, Any]]


@dataclass(frozen=True)
class Reader:
    """A causal network that reads inputs [B L ...] whole, step by step from a state or, if it can, in pieces.

    `inputs(length)` draws random inputs and `start(length)` gives the state before the first of them.
    """

    model: nn.Module
    inputs: Callable[[int], mx.array]
    whole: Callable[[mx.array], mx.array]
    start: Callable[[int], Any]
    step: Step
    extend: Step | None = None


def largest_difference(left: mx.array | np.ndarray, right: mx.array | np.ndarray) -> float:
    """The largest absolute difference of two arrays of one shape."""
    return float(np.abs(double(left) - double(right)).max())


def reading_differences(reader: Reader, length: int, rng: np.random.Generator) -> Mapping[str, float]:
    """The largest difference of each way of reading a random sequence.

    Outputs `at once` and by `steps` are compared with those of prefixes, those by `pieces` with the whole.
    """
    x = reader.inputs(length)
    ends = np.unique(np.linspace(0, length - 1, PREFIXES).astype(int))
    whole, places = reader.whole(x), mx.array(ends)
    alone = mx.stack([reader.whole(x[:, : end + 1])[:, -1] for end in ends.tolist()], axis=1)
    state, stepped = reader.start(length), []
    for index in range(length):
        y, state = reader.step(x[:, index], state)
        mx.eval(y, state)  # as in decoding: the graph of a long sequence would be deep
        stepped.append(y)
    found = {
        "at once": largest_difference(whole[:, places], alone),
        "steps": largest_difference(mx.stack(stepped, axis=1)[:, places], alone),
    }
    if reader.extend is not None:
        cuts = rng.integers(1, length, size=CUTS)
        state, pieces = reader.start(length), []
        for piece in mx.split(x, np.unique(cuts).tolist(), axis=1):
            y, state = reader.extend(piece, state)
            pieces.append(y)
        found["pieces"] = largest_difference(mx.concatenate(pieces, axis=1), whole)
    return found


def gradient_difference(reader: Reader, length: int) -> float:
    """The gradient of a sum over all positions at once against the sum of the gradients of all prefixes.

    The difference is relative to the gradient's largest entry. The sum is of a random projection of the
    outputs.
    """
    x = reader.inputs(length)
    weight = mx.random.normal(reader.whole(x).shape)

    def gradient(loss: Callable[[], mx.array]) -> Mapping[str, np.ndarray]:
        found = nn.value_and_grad(reader.model, loss)()[1]
        return {name: double(part) for name, part in dict(tree_flatten(found)).items()}

    def at(end: int) -> mx.array:
        return mx.sum(weight[:, end] * reader.whole(x[:, : end + 1])[:, -1])

    whole = gradient(lambda: mx.sum(weight * reader.whole(x)))
    summed = {name: np.zeros(part.shape) for name, part in whole.items()}
    for end in range(length):
        alone = gradient(partial(at, end))
        summed = {name: part + alone[name] for name, part in summed.items()}
    largest = max(float(np.abs(part).max()) for part in summed.values())
    return max(largest_difference(whole[name], summed[name]) for name in whole) / largest
