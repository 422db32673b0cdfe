"""Which primitives does MLX run for a function, on which shapes, and which outputs are whose inputs?

MLX exports its graph (`mx.export_function` with a callback), so depth and work need no formula
for each architecture. The graph is the forward pass as written, or any gradient inside the function. It is
traced on the CPU, where fused kernels appear as their parts, and with the plain kernel variants
(`machine.kernels`), so that a count is the same on every machine. MLX merges equal sub-expressions before it
exports the graph; a compiled function appears unfused.

Only primitives that depend on an input are listed: parameters, masks, positions and random bits
count as given. Changes that a function makes to its own state are not undone: leave optimisers out, and
take gradients with `forward_and_backward`.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten

from seqlab.errors import UsageError
from seqlab.machine import kernels
from seqlab.machine.kernels import Kernels

Shape = tuple[int, ...]
PLAIN = Kernels()
STACK_BYTES = 1 << 28  # MLX recurses over a graph: the usual stack, 8 MiB, overflows at a depth of 50,000


class Primitive(NamedTuple):
    """One node: its name and arguments as MLX gives them, and its inputs and outputs by name and shape."""

    name: str
    arguments: list[Any]
    inputs: list[tuple[str, Shape]]
    outputs: list[tuple[str, Shape]]


def primitives(function: Callable[..., Any], *inputs: mx.array, form: Kernels = PLAIN) -> Iterator[Primitive]:
    """The primitives that compute `function(*inputs)` (a tree of arrays), each after all that it needs.

    They are those of the plain kernel variants; `form` may ask for others, such as those in use. Raises
    `UsageError` where MLX cannot trace the function: because it evaluates an array, or has a custom gradient
    (`mx.custom_function`), which MLX cannot export.
    """
    for event in events(function, *inputs, form=form):
        if event["type"] == "inputs":
            reached = {name for name, _, _ in event["inputs"]}
        elif event["type"] == "primitive" and any(name in reached for name, _, _ in event["inputs"]):
            reached.update(name for name, _, _ in event["outputs"])
            yield Primitive(
                event["name"],
                event["arguments"],
                [(name, tuple(shape)) for name, shape, _ in event["inputs"]],
                [(name, tuple(shape)) for name, shape, _ in event["outputs"]],
            )


def events(function: Callable[..., Any], *inputs: mx.array, form: Kernels = PLAIN) -> list[dict[str, Any]]:
    """The graph as MLX exports it: inputs, outputs, constants, then all primitives.

    Raises `UsageError` as `primitives` does.
    """
    mx.eval(inputs)
    before = threading.stack_size(STACK_BYTES)  # for a recursion over half a million primitives
    try:
        with kernels.using(form), kernels.exporting(), ThreadPoolExecutor(1) as pool:
            return pool.submit(_exported, function, inputs, mx.default_stream(mx.cpu)).result()
    finally:
        threading.stack_size(before)


def forward_and_backward(model: nn.Module, loss: Callable[..., mx.array]) -> Callable[..., Any]:
    """A function of the batch that gives `loss(model, *batch)` and its gradient, to be counted.

    It restores the model's parameters, which MLX leaves traced, and so unusable, after a gradient.
    """
    gradient = nn.value_and_grad(model, loss)

    def both(*batch: mx.array) -> Any:
        kept = model.parameters()
        try:
            return gradient(model, *batch)
        finally:
            model.update(kept)

    return both


def _exported(
    function: Callable[..., Any], inputs: tuple[mx.array, ...], stream: mx.Stream
) -> list[dict[str, Any]]:
    """The graph, traced on the caller's stream: a stream of this thread would outlive it, with a thread."""

    def flat(*arrays: mx.array) -> list[mx.array]:
        leaves = dict(tree_flatten(function(*arrays))).values()
        return [leaf for leaf in leaves if isinstance(leaf, mx.array)]

    found: list[dict[str, Any]] = []
    before = mx.default_device()
    try:
        mx.set_default_device(mx.Device(mx.cpu))
        mx.set_default_stream(stream)
        mx.export_function(found.append, flat, *inputs)
    except ValueError as error:
        hint = " Write its custom gradient with mx.stop_gradient." if "CustomTransforms" in str(error) else ""
        raise UsageError(f"MLX cannot export the graph to be counted: {error}.{hint}") from None
    finally:
        mx.set_default_device(before)
    return found
