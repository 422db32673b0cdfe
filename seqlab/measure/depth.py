"""How many operations must follow one another, however parallel the machine?

The answer is the longest path of primitives in MLX's graph, each of which needs the one before. This is the
column "sequential operations" of @vaswani2017attention (Table 1), counted rather than derived. It is exact
and does not depend on the load of the machine.

Counted are arithmetic, reductions, matrix products, and operations that move data (gather, scatter, pad,
concatenate). Views are not: they give the same numbers another shape, run no kernel, and depend on how a
program is written rather than on what it computes. Neither is anything that depends on no input, so
parameters and masks have depth 0. How many primitives one step takes depends on the library; the result is
how their number grows with the length.

The plain kernel variants are counted (`machine.kernels`), which need not be those that are timed. Attention
in blocks of 64 queries, the default on x86-64 CPUs, adds the blocks' parts of the gradients of keys and
values one after another: a training step then waits for about one more operation per layer and 64 tokens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import mlx.core as mx
import numpy as np

from seqlab.errors import UsageError
from seqlab.measure.graph import primitives

_VIEWS = (
    "AsStrided Broadcast BroadcastAxes Contiguous Copy Depends DynamicSlice ExpandDims Flatten "
    "NumberOfElements Reshape Slice Split Squeeze StopGradient Transpose Unflatten View"
)
VIEWS = frozenset(_VIEWS.split())
# All others are 1. AddMM is a product and a sum: a program that writes them separately has the same count.
OPERATIONS = dict.fromkeys(VIEWS, 0) | {"AddMM": 2}


def sequential_operations(function: Callable[..., Any], *inputs: mx.array) -> int:
    """Longest path, in primitives that compute, from any input to any output of `function(*inputs)`.

    To count the backward pass too, pass `seqlab.measure.graph.forward_and_backward(model, loss)`.
    Raises `UsageError` where MLX cannot trace the function.
    """
    depth: dict[str, int] = {}
    for primitive in primitives(function, *inputs):
        before = max(depth.get(name, 0) for name, _ in primitive.inputs)
        here = before + OPERATIONS.get(primitive.name, 1)
        depth.update((name, here) for name, _ in primitive.outputs)
    return max(depth.values(), default=0)


Kind = Literal["constant", "per doubling", "per root", "per token"]
UNITS: Mapping[Kind, Callable[[np.ndarray], np.ndarray]] = {
    "per doubling": np.log2,
    "per root": np.sqrt,
    "per token": lambda length: length,
}
EXPLAINED = 0.9  # of the variance: a true growth explains nearly all, a jitter nearly none


@dataclass(frozen=True)
class Trend:
    """How a count grows with the length: `kind` names the unit of length, `amount` is the operations per unit
    (for a constant: their mean number), and `misfit` the largest distance of a count from the fitted line.
    """

    kind: Kind
    amount: float
    misfit: float


def trend(counts: Mapping[int, int]) -> Trend:
    """The growth that fits counts by length best, by least squares; constant where no line explains them.

    A length that does not divide evenly costs an extra operation, so that a constant may jitter: a
    line must explain `EXPLAINED` of the counts' variance. Raises `UsageError` for fewer than three lengths,
    which every line would fit.
    """
    if len(counts) < 3:
        raise UsageError(f"a trend needs counts at three lengths or more, found {len(counts)}.")
    lengths, found = (np.array(list(part), dtype=float) for part in (counts.keys(), counts.values()))
    around = found - found.mean()
    best, least = _trend("constant", float(found.mean()), around), (1 - EXPLAINED) * float(around @ around)
    for kind, unit in UNITS.items():
        amount, start = np.polyfit(unit(lengths), found, deg=1)
        distance = found - (start + amount * unit(lengths))
        if distance @ distance < least:
            best, least = _trend(kind, float(amount), distance), float(distance @ distance)
    return best


def _trend(kind: Kind, amount: float, distance: np.ndarray) -> Trend:
    # Rounded, since counts on a line are off it by the rounding of a sum of doubles.
    return Trend(kind, round(amount, 6), round(float(np.abs(distance).max()), 6))
