"""How many operations must follow one another, however parallel the machine?

The longest chain of primitives, each needing the one before, in MLX's own graph. This is the column
"sequential operations" of @vaswani2017attention (Table 1), counted rather than derived: exact, and
blind to the load of the machine.

What counts is what a machine must do and wait for: arithmetic, reductions, matrix products, and
moving data (gather, scatter, pad, concatenate). Views do not count: they rename the same numbers, run
no kernel, and their number says how a program is written rather than what it computes. Neither does
anything that depends on no input, so parameters and masks have depth 0. How many primitives one step
takes is a matter of the library; how their number grows with the length is the result.

Counted is the plain form (`machine.kernels`), which need not be the one that is timed. Attention in blocks of
64 queries, the default on x86-64 CPUs, adds the blocks' shares of the keys' and values' gradients one after
another: a training step then waits for about one operation more a layer for every 64 tokens.
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
# All others are 1. AddMM is a product, then a sum: writing them apart must not change the count.
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
    """How a count grows: its kind, by how many operations for each such unit of length (for a constant: their
    mean number), and the largest distance of a count from the fitted line.
    """

    kind: Kind
    amount: float
    misfit: float


def trend(counts: Mapping[int, int]) -> Trend:
    """The growth that fits counts by length best, by least squares; none where no line explains the counts.

    Lengths that do not divide evenly cost an operation here and there, so that a constant may jitter: a
    line must explain `EXPLAINED` of the counts' variance. Needs three lengths or more, else every line
    would fit, and raises `UsageError` for fewer.
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
    # Rounded, for counts on a line are off it by what a sum of doubles is off.
    return Trend(kind, round(amount, 6), round(float(np.abs(distance).max()), 6))
