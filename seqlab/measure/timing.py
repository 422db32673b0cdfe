"""How long does a step take, with all of its work inside the timer?

MLX is lazy: a step returns before anything is computed, and reading a loss computes the forward pass alone.
So `seconds` evaluates everything that a step returns, and `pending_operations` checks that no other state was
left to be computed.
"""

import gc
import io
import time
from collections.abc import Callable
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten


def pending_operations(tree: Any) -> int:
    """How many primitives MLX has yet to run before every array of the tree has its values.

    The count is exact, from MLX's graph of the arrays: an array that is computed has no primitive any more.
    """
    arrays = [leaf for leaf in dict(tree_flatten(tree)).values() if isinstance(leaf, mx.array)]
    graph = io.StringIO()
    mx.export_to_dot(graph, *arrays)
    return graph.getvalue().count("[label")


def seconds(step: Callable[[], Any]) -> float:
    """How long one call takes, until all that it returns is computed."""
    collecting = gc.isenabled()
    gc.disable()  # a collection of Python's garbage is not part of the step
    try:
        mx.synchronize()  # Here and not below: 7 µs, and `eval` returns when all that it got is there.
        begin = time.perf_counter()
        mx.eval(step())  # Evaluate now: MLX is lazy, and the clock is running.
        return time.perf_counter() - begin
    finally:
        if collecting:
            gc.enable()
