"""How much memory does a model take: a training step at its peak, its activations, and the cache of decoding?

`peak_memory` is measured: MLX counts the buffers that it allocates, on every backend. Python's own memory and
the work space of a BLAS are not in it. It is the peak of the step as this device runs it, compiled or not and
by its kernels (`machine.settings`), so devices may differ. What is active before the step (parameters,
optimiser state, the batch) is subtracted, which leaves the activations, gradients and temporary arrays.

MLX plans ahead of the device, and the arrays of operations that wait count from the moment they are planned.
So a peak would measure the depth of that queue too: on a CPU it took a Transformer's step at 128 tokens from
2.6 to 3.8 MB, and its growth over three doublings from an exponent of 1.67 to one of 1.57. Here one task is
in flight at a time, since MLX waits for it at a memory limit of zero. A task of a CPU is ten calls of a
kernel; a command buffer of Metal or a graph of CUDA is several dozen operations, or one where
MLX_MAX_OPS_PER_BUFFER is 0 in the environment before MLX opens the device, as `running` sets it for pages
that report a peak.
`measure.liveness` counts the same in the graph.

Activations and caches are exact and need no run: activations come from MLX's graph, and a cache is as large
as its arrays.
"""

import gc
import math
from collections.abc import Callable
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten

from seqlab.measure.capacity import limited
from seqlab.measure.depth import VIEWS
from seqlab.measure.graph import events, forward_and_backward


def peak_memory(step: Callable[[], Any]) -> int:
    """Peak of MLX's memory during `step()`, less what was active before it, in bytes.

    `step` returns a tree of all arrays that it computes. It runs twice: the first call allocates what lasts,
    such as an optimiser's moments, and is not counted.
    """
    with limited(0):  # one task at a time: MLX waits for all tasks while more memory is active than that
        mx.eval(step())
        gc.collect()  # arrays that wait in reference cycles would count as active, then be freed in between
        mx.synchronize()
        mx.clear_cache()
        before = int(mx.get_active_memory())
        mx.reset_peak_memory()
        mx.eval(step())
        mx.synchronize()
    return max(int(mx.get_peak_memory()) - before, 0)


def activation_bytes(model: nn.Module, loss: Callable[..., mx.array], *batch: mx.array) -> int:
    """Bytes of the arrays that the forward pass makes and the backward pass of `loss(model, *batch)` reads.

    They stay in memory from the one to the other. A primitive is forward if the loss depends on it, else
    backward. An array and all views of it count once, as large as the array. Parameters and the batch, which
    are there anyway, do not count, but masks and dropout's choices do. The count is exact for the graph that
    MLX exports (see `seqlab.measure.graph`), uncompiled, on a CPU and by the plain kernels. Other kernels
    may keep less, as fused ones do, or more.
    """
    mx.eval(model.parameters())  # else their initialisation would be a part of the forward pass
    graph = events(forward_and_backward(model, loss), *batch)
    nodes = [event for event in graph if event["type"] == "primitive"]
    (outputs,) = (event["outputs"] for event in graph if event["type"] == "outputs")

    needed, forward = {outputs[0][0]}, set()  # the loss is the first output; from it back to the inputs
    for index in reversed(range(len(nodes))):
        if any(name in needed for name, *_ in nodes[index]["outputs"]):
            forward.add(index)
            needed.update(name for name, *_ in nodes[index]["inputs"])

    sizes: dict[str, int] = {}  # of what the forward pass makes
    viewed: dict[str, str] = {}  # a view, and the array that it is a view of
    kept: set[str] = set()
    for index, node in enumerate(nodes):
        if node["name"] in VIEWS:
            source = node["inputs"][0][0] if node["inputs"] else ""
            viewed.update((name, viewed.get(source, source)) for name, *_ in node["outputs"])
        elif index in forward:
            sizes.update((name, math.prod(shape) * dtype.size) for name, shape, dtype in node["outputs"])
        if index not in forward:
            kept.update(viewed.get(name, name) for name, *_ in node["inputs"])
    return sum(sizes.get(name, 0) for name in kept)


def cache_bytes(memory: Any) -> int:
    """Bytes of all arrays in a decoding memory: keys and values, or recurrent states."""
    leaves = dict(tree_flatten(memory)).values()
    return sum(leaf.nbytes for leaf in leaves if isinstance(leaf, mx.array))


def cache_bytes_per_token(memory_of: Callable[[int], Any]) -> int:
    """Bytes that one more token takes; 0 for a memory that does not grow.

    `memory_of(length)` makes the memory for `length` tokens, as a model's `initial_state` does.
    """
    return cache_bytes(memory_of(2)) - cache_bytes(memory_of(1))
