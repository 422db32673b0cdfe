"""How many bytes are alive at most while a graph is computed, one operation after another?

This is what a measured peak (`seqlab.measure.memory`) would be without a queue: a device may hold the arrays
of several operations that wait or have just ended, and the allocator rounds. The count is exact for the graph
that MLX exports, uncompiled and by the plain kernels, so it is the same on every device and in every
repetition. MLX's own order is followed (`eval_impl` in its `transforms.cpp`): from the results back, breadth
first, at most so many arrays wide. An array lives from its operation until the last that reads it. Views take
nothing, and an elementwise operation writes over an input that nothing else will read.

Two things keep the count from a measurement with one task in flight. Copies inside an operation are not
counted, such as those of a matrix product whose input is not contiguous. And MLX merges equal parts of a
graph before it exports it, so what a step computes twice counts once, but for as long as it is needed. On a
CPU a Transformer, an LSTM and a TCN took up to a twentieth more than the count, an LRU an eighth more, a
minGRU three tenths less.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx

from seqlab.measure.depth import VIEWS
from seqlab.measure.graph import events

WIDTH = 20  # MLX_BFS_MAX_WIDTH in MLX's `utils.h`
_OVERWRITING = (
    "Abs Add AsType Ceil Cos Cosh Divide Erf Exp Expm1 Floor GreaterEqual Greater Less LessEqual Log Log1p "
    "LogicalAnd LogicalNot LogicalOr Maximum Minimum Multiply Negative Power Remainder Round Rsqrt Scatter "
    "ScatterAxis Select Sigmoid Sign Sin Sinh SliceUpdate Softmax Sqrt Square Subtract Tan Tanh"
)
OVERWRITING = frozenset(_OVERWRITING.split())  # they may write their result over an input of equal size

Array = tuple[str, tuple[int, ...], mx.Dtype]


@dataclass(frozen=True)
class _Node:
    """An operation: its name, the names of its inputs, and its outputs with their sizes in bytes."""

    name: str
    inputs: tuple[str, ...]
    outputs: dict[str, int]


def live_bytes(function: Callable[..., Any], *inputs: mx.array) -> int:
    """The most that is alive during `function(*inputs)`, less what was before, in bytes.

    What the function holds, such as parameters, is there before and may be freed or written over. The inputs
    stay. Changes that the function makes to its own state are not undone. Raises `UsageError` where MLX
    cannot trace the function.
    """
    graph = events(function, *inputs)
    nodes = [
        _Node(event["name"], tuple(name for name, *_ in event["inputs"]), dict(map(_size, event["outputs"])))
        for event in graph
        if event["type"] == "primitive"
    ]
    (outputs,) = (
        tuple(name for name, *_ in event["outputs"]) for event in graph if event["type"] == "outputs"
    )
    held = {
        name: array.nbytes
        for event in graph
        if event["type"] == "constants"
        for name, array in event["constants"]
    }
    return _peak([nodes[place] for place in _order(nodes, outputs)], outputs, held)


def _size(array: Array) -> tuple[str, int]:
    name, shape, dtype = array
    return name, math.prod(shape) * dtype.size


def _order(nodes: Sequence[_Node], outputs: Sequence[str]) -> list[int]:
    """The places of the nodes that the outputs need, in the order in which MLX computes them."""
    maker = {name: place for place, node in enumerate(nodes) for name in node.outputs}
    waiting: Counter[int] = Counter()  # how many readers of a node are not in the tape yet
    seen, stack = set[int](), [maker[name] for name in outputs if name in maker]
    waiting.update(stack)
    while stack:
        place = stack.pop()
        if place not in seen:
            seen.add(place)
            needed = [maker[name] for name in nodes[place].inputs if name in maker]
            waiting.update(needed)
            stack.extend(needed)

    tape: list[Sequence[str]] = [outputs]  # of each node that is taken, its inputs
    order: list[int] = []
    deeper: list[tuple[Sequence[str], int]] = []
    at = 0
    while at < len(tape) or deeper:
        if at < len(tape):
            read, start = tape[at], 0
            at += 1
        else:
            read, start = deeper.pop()
        for next_one in range(start, len(read)):
            place = maker.get(read[next_one], -1)
            if place < 0 or not waiting[place]:
                continue
            if len(tape) - at >= WIDTH:
                deeper.append((read, next_one))
                break
            waiting[place] -= 1
            if not waiting[place]:
                tape.append(nodes[place].inputs)
                order.append(place)
    return order[::-1]


def _peak(order: Sequence[_Node], outputs: Sequence[str], held: dict[str, int]) -> int:
    """The most bytes at once, less those of `held`."""
    readers = Counter(name for node in order for name in node.inputs)
    readers.update(outputs)  # they are never read to the end
    owner = {name: name for name in held}  # an array, and the one whose memory it is in
    sizes, arrays = dict(held), Counter(owner.values())  # of what is in memory: bytes, arrays in it
    live = peak = 0
    for node in order:
        left = Counter(node.inputs)
        ending = [name for name in left if name in owner and readers[name] == left[name]]
        for name, size in node.outputs.items():
            source = owner.get(node.inputs[0]) if node.name in VIEWS and node.inputs else None
            if node.name in OVERWRITING:
                over = (owner[name] for name in ending if arrays[owner[name]] == 1)
                source = next((one for one in over if sizes[one] == size), None)
            if source is None:
                source, sizes[name] = name, size
                live += size
            owner[name] = source
            arrays[source] += 1
        peak = max(peak, live)
        readers.subtract(left)
        for name in (*ending, *(name for name in node.outputs if not readers[name])):
            source = owner.pop(name)
            arrays[source] -= 1
            if not arrays[source]:
                live -= sizes.pop(source)
                del arrays[source]
    return peak
