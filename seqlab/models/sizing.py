"""How many parameters has a model, and which size gives it as many as another?"""

from collections.abc import Callable

import mlx.nn as nn
from mlx.utils import tree_reduce

from seqlab.errors import UsageError

TOLERANCE = 0.02  # comparisons that match parameters are fair within 2 %


def parameters(model: nn.Module) -> int:
    """The number of trainable parameters, computed from shapes without evaluating anything."""
    return int(tree_reduce(lambda total, array: total + array.size, model.trainable_parameters(), 0))


def match_parameters(
    make: Callable[[int], nn.Module], target: int, *, low: int, high: int, multiple: int = 1
) -> int:
    """The multiple of `multiple` from `low` to `high` for which `make` builds a model nearest to `target`.

    The number of parameters must grow with the size. Building models draws from MLX's random state, so set
    the seed after this call. Raises `UsageError` if the nearest model differs by more than 2 %.
    """
    first, last = -(-low // multiple), high // multiple
    if first > last:
        raise UsageError(f"no multiple of {multiple} lies between {low} and {high}. Widen the range.")

    def count(step: int) -> int:
        return parameters(make(step * multiple))

    while first < last:  # the smallest size that reaches the target, or the largest allowed
        middle = (first + last) // 2
        first, last = (first, middle) if count(middle) >= target else (middle + 1, last)
    candidates = [step for step in (first - 1, first) if step * multiple >= low]
    counts = {step * multiple: count(step) for step in candidates}
    size = min(counts, key=lambda candidate: abs(counts[candidate] - target))
    if abs(counts[size] - target) > TOLERANCE * target:
        raise UsageError(
            f"no size from {low} to {high} comes within 2 % of {target:,} parameters: size {size} has "
            f"{counts[size]:,}. Widen the range or change the target."
        )
    return size
