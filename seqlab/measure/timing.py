"""How long does a step take, with all of its work inside the timer?

MLX is lazy: a step returns before anything is computed, and reading a loss computes the forward pass
alone. So the harness itself evaluates everything that a step returns, and it can check that no other
state was left with work pending.
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

    Read from MLX's graph of the arrays, where what is computed has no primitive any more. Exact.
    """
    arrays = [leaf for leaf in dict(tree_flatten(tree)).values() if isinstance(leaf, mx.array)]
    graph = io.StringIO()
    mx.export_to_dot(graph, *arrays)
    return graph.getvalue().count("[label")


def seconds(step: Callable[[], Any]) -> float:
    """How long one call takes, with all that it returns computed."""
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
