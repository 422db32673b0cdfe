"""How long would training GPT-3, PaLM and T5 take on machines like this?

The work of a training run follows from the sizes of model and data: six operations a parameter and token
[@kaplan2020scaling], and a further term for attention [@chowdhery2022palm]. The formula is checked against
the published totals of five models. Then the published totals give the time that the same runs would take on
machines like this one, at the highest rate that matrix products reach here and at the utilisation, the used
share of that rate, that PaLM's authors report. The work is assumed to divide evenly, with no loss between
machines, so the times are lower bounds.

Would a recurrent model of equal work take as long? It differs in its critical path, the longest chain of
operations that must follow one another, which no number of machines makes shorter. Its length for one
training step is counted in MLX's graph of small models, forward and backward. It grows evenly with tokens and
layers, so it can be extrapolated to large models. Each operation is given the least time that this machine
needs for one operation after another, and each training step begins when the one before has ended.

Three networks are compared. A Transformer's critical path leads through its layers. A recurrent stack, as it
is usually written, has a long one, as each layer waits for the whole layer below. If layers overlap, each one
token behind the layer below, it is shorter. In the figure the falling part of a line is the work, and the
level part the critical path. Kernels that hold a whole loop would make the path cheaper, networks between
machines would make it more expensive.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

import mlx.core as mx
from mlx import nn

from seqlab.measure.ceilings import product_rate
from seqlab.measure.depth import sequential_operations
from seqlab.measure.graph import forward_and_backward
from seqlab.measure.large_depth import depth_at, pipelined_depth
from seqlab.measure.latency import operation_latency
from seqlab.measure.training_work import DAY, attention_operations, training_days, training_operations
from seqlab.models import lstm, transformer
from seqlab.notebook import Budget, Curve, Experiment, Measurement, Point, Table, Trial, grid
from seqlab.tasks import published
from seqlab.tasks.published import SHAPES

KNOWN = published.load()
MODELS = ("T5", "GPT-3", "PaLM")  # those that the article names, by their work
COUNTS = ("published", "6 N D", "with attention")
OVERLAPPED, STACKED = "LSTM, layers overlapped", "LSTM, layer after layer"
NETWORKS = ("Transformer", OVERLAPPED, STACKED)
MONTH = 30.0  # days: how long one might be ready to wait
DECADES = 12  # of machines: far enough that the critical path shows, on a small machine too


def operations(model: str, count: str) -> float:
    """The work of a training run: as published, or by the formula."""
    if count == "published":
        return KNOWN.value(model, "operations")
    shape, tokens = SHAPES[model], KNOWN.value(model, "tokens")
    work = training_operations(KNOWN.value(model, "parameters"), tokens, active=shape.active)
    if count == "6 N D":
        return work
    layers = round(shape.layers * shape.active)
    return work + attention_operations(tokens, layers=layers, width=shape.width, context=shape.context)


@dataclass(frozen=True)
class Device:
    """This machine: its highest rate of products (FLOP/s), and the least time of an operation (s)."""

    rate: float
    latency: float


@cache  # one measurement a seed, for all that is computed from it
def device(repeats: int, seed: int) -> Device:
    """Measure both. Nothing is drawn: another seed measures again."""
    return Device(product_rate(repeats=repeats).best, operation_latency(repeats=10 * repeats))


def mean_square(model: nn.Module, x: mx.array) -> mx.array:
    """A loss that adds next to nothing to the critical path, the same for both networks."""
    return mx.square(model(x)).mean()


@cache
def counted(network: str, layers: int, length: int) -> int:
    """Sequential operations of one training step of a small network, forward and backward."""
    width = 8  # it changes no count
    backbone: nn.Module
    if network == STACKED:
        backbone = lstm.Model(lstm.Config(width=width, depth=layers))
    else:
        backbone = transformer.Model(transformer.Config(width=width, depth=layers, heads=1))
    step = forward_and_backward(backbone, mean_square)
    return sequential_operations(step, mx.zeros((1, length, width)))


def critical_path(network: str, *, layers: int, length: int) -> float:
    """Sequential operations of one training step of a large network."""
    if network == OVERLAPPED:
        return pipelined_depth(partial(counted, STACKED), layers=layers, length=length)
    return depth_at(partial(counted, network), layers=layers, length=length)


def critical_path_days(model: str, network: str, latency: float) -> float:
    """Days of the critical path alone, through all training steps."""
    shape = SHAPES[model]
    path = critical_path(network, layers=shape.layers, length=shape.context)
    return KNOWN.updates(model) * path * latency / DAY


def work(trial: Trial) -> Iterator[Measurement]:
    """The formula beside what was published."""
    yield Measurement("training_operations", operations(trial["model"], trial["count"]))


def speeds(trial: Trial) -> Iterator[Measurement]:
    """What this machine can do."""
    here = device(trial["repeats"], trial.seed)
    yield Measurement("matmul_rate", here.rate)
    yield Measurement("operation_latency", here.latency)


def days_of_work(model: str, machines: int, *, rate: float, utilisation: str) -> float:
    """Days of a model's published work on so many machines like this one."""
    share = 1.0 if utilisation == "full" else KNOWN.value("PaLM", "utilisation")
    return training_days(operations(model, "published"), devices=machines, rate=rate, utilisation=share)


def take(trial: Trial) -> Iterator[Measurement]:
    """Days on one machine like this one, and machines for a month."""
    rate = device(trial["repeats"], trial.seed).rate
    days = days_of_work(trial["model"], 1, rate=rate, utilisation=trial["utilisation"])
    yield Measurement("training_operations", operations(trial["model"], "published"))
    yield Measurement("training_days", days)
    yield Measurement("machines", days / MONTH)


def chain(trial: Trial) -> Iterator[Measurement]:
    """The part that no number of machines makes shorter."""
    model, network, shape = trial["model"], trial["network"], SHAPES[trial["model"]]
    latency = device(trial["repeats"], trial.seed).latency
    path = critical_path(network, layers=shape.layers, length=shape.context)
    yield Measurement("sequential_operations", path)
    yield Measurement("updates", KNOWN.updates(model))
    yield Measurement("training_days", critical_path_days(model, network, latency))


def machines(trial: Trial) -> Iterator[Measurement]:
    """Days against machines: the work divided by all of them, and never less than the critical path."""
    model, here = trial["model"], device(trial["repeats"], trial.seed)
    least = critical_path_days(model, trial["network"], here.latency)
    for number in (10**decade for decade in range(DECADES + 1)):
        days = days_of_work(model, number, rate=here.rate, utilisation="as PaLM's")
        yield Measurement("days_on_machines", max(days, least), step=number)


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"machines": machines, "chain": chain, "take": take, "device": speeds, "work": work}
    yield from parts[trial["part"]](trial)


def points(seeds: int) -> tuple[Point, ...]:
    """All parts. Only what is timed has seeds: the work is arithmetic."""
    return (
        *grid(part="machines", model=MODELS, network=NETWORKS, seeds=seeds),
        *grid(part="chain", model=MODELS, network=NETWORKS, seeds=seeds),
        *grid(part="take", model=MODELS, utilisation=("full", "as PaLM's"), seeds=seeds),
        *grid(part="device", seeds=seeds),
        *grid(part="work", model=SHAPES, count=COUNTS),
    )


experiment = Experiment(
    chapter=25,
    run=run,
    protocol={"repeats": 5},
    budgets=(
        Budget("smoke", points(seeds=1), {"repeats": 2}, timeout=60),
        Budget("quick", points(seeds=1), timeout=120),
        Budget("full", points(seeds=10)),
    ),
    figures=(
        Curve(
            x="step", y="days_on_machines", hue="network", columns="model", where={"part": "machines"},
            x_scale="log10", y_scale="log10", guides={"a month": MONTH},
            caption="Least time to train against the number of machines like this one: the published work at "
            "the utilisation that PaLM's authors report, divided evenly, with nothing lost between machines. "
            "Where a line turns level, only the critical path of sequential operations is left.",
        ),
        Table(
            rows=("model", "utilisation"), where={"part": "take"},
            metrics=("training_operations", "training_days", "machines"),
            caption="The published work, the days that one machine like this one would need for it, and the "
            "machines that would need a month of 30 days.",
        ),
        Table(
            rows=("model", "network"), where={"part": "chain"},
            metrics=("sequential_operations", "updates", "training_days"),
            caption="The part that no number of machines makes shorter: sequential operations of one "
            "training step, training steps, and the days of both at this machine's least time of an "
            "operation. The recurrent networks have as many layers, and the same context and batch.",
        ),
        Table(
            rows=("part",), where={"part": "device"}, metrics=("matmul_rate", "operation_latency"),
            caption="This machine, as measured for the two tables above.",
        ),
        Table(
            rows=("model",), columns="count", where={"part": "work"}, metrics=("training_operations",),
            caption="The formula against the published totals. Those of GPT-3 and T5 leave attention out, "
            "those of PaLM include it.",
        ),
    ),
)  # fmt: skip
