"""How much memory does a step need beyond what is there before it?

MLX counts the buffers that it allocates, on every backend; Python's own memory is not in it. What is
active before the step (parameters, optimiser state, the batch) is subtracted, so that the number is
what activations, gradients and temporary arrays take.
"""

import gc
from collections.abc import Callable
from typing import Any

import mlx.core as mx


def peak_memory(step: Callable[[], Any]) -> int:
    """Peak of MLX's memory during `step()`, less what was active before it, in bytes.

    `step` returns a tree of all arrays that it computes. It runs twice: the first call makes what is
    made once, such as an optimiser's moments, and is not counted.
    """
    mx.eval(step())
    gc.collect()  # arrays that wait in reference cycles would count as active, then be freed in between
    mx.synchronize()
    mx.clear_cache()
    before = int(mx.get_active_memory())
    mx.reset_peak_memory()
    mx.eval(step())
    mx.synchronize()
    return max(int(mx.get_peak_memory()) - before, 0)
