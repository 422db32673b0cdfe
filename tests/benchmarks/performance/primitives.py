"""Which of MLX's primitives hold the time of a training step, of a token or of a scan?

Every primitive of the graph is run alone, at its shapes, many at once, and its time multiplied by how
often it occurs. Alone, inputs are contiguous and warm, so the sum is an estimate and not the step's
time; the step itself is timed beside it. The form is the eager one: a compiled step has other primitives.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np

from seqlab.machine import kernels
from seqlab.measure.graph import Primitive, forward_and_backward, primitives
from seqlab.models.parts.scan import chunked
from tests.benchmarks.performance import sizes as n
from tests.benchmarks.performance.cases import EAGER, Case, batch
from tests.benchmarks.performance.mlx_job import loss_of
from tests.benchmarks.performance.ours import build, prepare
from tests.benchmarks.performance.rows import Cost, Profile

COPIES, COPIED_BYTES = 64, 1 << 25  # run at once: enough to hide the call, little enough to stay in cache
REPEATS = 5
REDUCTIONS = (mx.all, mx.any, mx.sum, mx.prod, mx.min, mx.max)  # in the order of MLX's ReduceType


def profile(case: Case) -> Profile:
    """Take one of our models apart, eager."""
    function, inputs = traced(case)
    groups: dict[str, list[Primitive]] = {}
    counts: Counter[str] = Counter()
    for primitive in primitives(function, *inputs, form=kernels.current()):
        shapes = [shape for _, shape in primitive.inputs]
        key = f"{primitive.name} {shapes} {primitive.arguments if primitive.name == 'Reduce' else ''}"
        groups.setdefault(key, []).append(primitive)
        counts[primitive.name] += 1
    spent: dict[str, float | None] = dict.fromkeys(counts, 0.0)
    for group in groups.values():
        name, alone = group[0].name, seconds_alone(group[0])
        before = spent[name]
        spent[name] = None if alone is None or before is None else before + len(group) * alone
    costs = [Cost(name, count, spent[name]) for name, count in counts.items()]
    job = prepare(case, EAGER, None)
    return Profile(
        case,
        typical_seconds(job.step, job.reset) / job.parts,
        typical_seconds(lambda: mx.eval(function(*inputs))),
        tuple(sorted(costs, key=lambda cost: -(cost.seconds or 0.0))),
    )


def traced(case: Case) -> tuple[Callable[..., Any], tuple[mx.array, ...]]:
    """A training step's loss and gradient, without its optimiser; one token after a prompt; or a scan."""
    data = tuple(map(mx.array, batch(case)))
    if case.phase == "scan":
        return mx.value_and_grad(lambda a, b: mx.sum(mx.square(chunked(a, b))), argnums=(0, 1)), data
    model = build(case)
    mx.eval(model.parameters())  # else the graph would hold how they are drawn
    if case.phase == "training":
        return forward_and_backward(model, loss_of(case)), data
    prompt = data[0]
    _, state = model.prefill(prompt, model.initial_state(case.batch, case.length + n.TOKENS))
    mx.eval(state.memory)
    position = mx.array(state.position)
    return lambda tokens: model.advance(tokens, position, state.memory), (prompt[:, -1],)


def typical_seconds(run: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> float:
    """The median of a few runs after a first; what comes before each is not timed."""
    times = []
    for _ in range(1 + REPEATS):
        before()
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return float(np.median(times[1:]))


def seconds_alone(primitive: Primitive) -> float | None:
    """One primitive at its shapes; None where this file does not know how to call it."""
    inputs = [mx.random.normal(shape) for _, shape in primitive.inputs]
    call = operation(primitive)
    if call is None:
        return None
    largest = max(4 * int(np.prod(shape)) for _, shape in (*primitive.inputs, *primitive.outputs))
    copies = int(np.clip(COPIED_BYTES // max(largest, 1), 1, COPIES))
    if primitive.name in ("Select", "AsType", "LogicalAnd", "LogicalOr", "LogicalNot"):
        inputs[0] = inputs[0] > 0
    if primitive.name == "DynamicSliceUpdate":
        inputs[2] = mx.zeros(inputs[2].shape, dtype=mx.int32)
    if primitive.name.startswith(("Gather", "Scatter")):  # after the source come places, then any updates
        places = inputs[1:] if primitive.name.startswith("Gather") else inputs[1:-1]
        inputs[1 : 1 + len(places)] = [mx.zeros(place.shape, dtype=mx.int32) for place in places]
    mx.eval(inputs)
    try:
        mx.eval(call(*inputs))
    except (TypeError, ValueError):
        return None
    return typical_seconds(lambda: mx.eval([call(*inputs) for _ in range(copies)])) / copies


def operation(primitive: Primitive) -> Callable[..., Any] | None:
    """How MLX is asked for this primitive on arrays of its inputs' shapes."""
    arguments, (_, shape) = primitive.arguments, primitive.outputs[0]
    match primitive.name:
        case "AddMM":
            return lambda a, b, c: mx.addmm(c, a, b)
        case "Select":
            return mx.where
        case "Sqrt":
            return mx.rsqrt if arguments[0] else mx.sqrt
        case "View":
            return lambda x: mx.view(x, mx.int32)
        case "AsType":
            return lambda x: x.astype(mx.float32)
        case "Reduce":
            reduction, axes = REDUCTIONS[arguments[0]], tuple(arguments[1])
            return lambda x: reduction(x, axis=axes, keepdims=True)
        case "Softmax":
            return lambda x: mx.softmax(x, axis=-1)
        case "LogSumExp":
            return lambda x: mx.logsumexp(x, axis=-1, keepdims=True)
        case "Concatenate":
            return lambda *parts: mx.concatenate(parts, axis=arguments[0])
        case "Split":
            return lambda x: mx.split(x, list(arguments[0]), axis=arguments[1])
        case "Slice":
            cut = tuple(slice(*ends) for ends in zip(*arguments, strict=True))
            return lambda x: x[cut]
        case "SliceUpdate":
            begin = mx.array(list(arguments[1]))
            axes = tuple(range(len(shape)))
            return lambda x, update: mx.slice_update(x, update, begin, axes=axes)
        case "DynamicSliceUpdate":
            return lambda x, update, begin: mx.slice_update(x, update, begin, axes=tuple(arguments[0]))
        case "Transpose":
            return lambda x: mx.transpose(x, arguments[0])
        case "Broadcast":
            return lambda x: mx.broadcast_to(x, shape)
        case "Reshape" | "Squeeze" | "ExpandDims" | "Flatten" | "Unflatten":
            return lambda x: mx.reshape(x, shape)
        case "Gather" if list(arguments[0]) == list(range(len(primitive.inputs) - 1)):
            return lambda x, *places: x[places]
        case "Scatter" if list(arguments[1]) == [0]:
            return lambda x, rows, update: x.at[rows].add(update.reshape(*rows.shape, *x.shape[1:]))
        case "GatherAxis":
            return lambda x, places: mx.take_along_axis(x, places, axis=arguments[0])
        case "ScatterAxis":
            return lambda x, places, update: mx.put_along_axis(x, places, update, axis=arguments[1])
        case "Contiguous":
            return mx.contiguous
    # GreaterEqual is mx.greater_equal, and so on.
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in primitive.name)
    found = getattr(mx, words.lstrip("_"), None)
    return found if callable(found) else None
