"""Is the history right, and what would it take to repeat it here?

An article that names years, chips and tokens can be checked without training anything. Each of its numbers
is held against what was published, and counts as right within five per cent of the larger of the two. A
published figure settles something only if a second statement bears it out: another paper, or arithmetic on
other figures of the same one. Every figure stands in the last table with its source, its place there and
how it was read: in the source itself, in a copy of its text, or computed from what stands beside it. What
is known only from a sentence that others quote is listed and settles nothing.

Words need a meaning before they can be right. Here a plural begins at two and ends at two of the next
larger unit: "days" are two days to two weeks, "weeks" two weeks to two months, and "trillions" begin at
two.

Days instead of weeks? The Transformer's authors set their training costs beside those of recurrent
translators [@vaswani2017attention], which trained for days as well, on many more chips [@wu2016google;
@shazeer2017outrageously]. The table in that paper says operations, but what was multiplied is time, chips
and a chip's rate. So it can be turned round: how long would each have taken on the Transformer's own eight
chips, at the rates that its authors assume? The convolutional network in that table is the control. It has
no recurrence and computes all positions in parallel [@gehring2017convolutional]. If it too would have taken
weeks, parallel positions alone are not what saved them.

How long GPT-3 trained was never published. The days that circulate are arithmetic on a rate that its owners
gave, and on a number of chips from a press release; their authors say that it might as well have been ten
times longer on a tenth of the chips [@patterson2021carbon]. The verdict here rests on such arithmetic and
says so. T5's paper and its code name two ways of sharing the work, by batch and by model, and no sequence
was ever cut [@raffel2020exploring; @raffel2019code]; "sequence parallelism" is the name of a later
technique that does just that [@li2021sequence]. That models of this scale would be infeasible otherwise is
not tested: nobody can run that history again. Nor is it tested that parallel processing was the cause.

The work of a training can be computed from the size of model and data: six operations a parameter and token
[@kaplan2020scaling], and a further term for attention [@chowdhery2022palm]. The calculator is checked
against the published totals, and then asks what the same trainings would take on machines like this one.
Its rate is the largest that matrix products reach here, and the utilisation is the one that PaLM's authors
report. Work is taken to divide evenly, and nothing is lost between machines, so these are least times.

A recurrent model of equal work differs in one thing: its chain. However many machines share the work, the
operations of a training step that wait for one another must follow one another. Their number is counted in
MLX's graph of small models, forward and backward, and grows evenly with tokens and layers, so that it can
be written down for large ones. Each operation is given the least time that this machine needs for one
operation after another, and each step of training begins when the one before has ended. A Transformer has
such a chain too, through its layers. A recurrent stack has a long one where each layer waits for the whole
of the one below, as it is usually written, and a shorter one where layers overlap, each a token behind the
one below. All three are drawn: the falling line is the work, the level one the chain. Kernels that hold a
whole loop make the chain cheaper, networks between machines make it dearer.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import mlx.core as mx
from mlx import nn

from seqlab.measure.ceilings import product_rate
from seqlab.measure.depth import sequential_operations
from seqlab.measure.graph import forward_and_backward
from seqlab.measure.latency import operation_latency
from seqlab.measure.training_work import DAY, attention_operations, training_days, training_operations
from seqlab.models import lstm, transformer
from seqlab.notebook import (
    Budget,
    Claim,
    Curve,
    Exact,
    Experiment,
    Interval,
    Measurement,
    Point,
    Table,
    Trial,
    grid,
)
from seqlab.tasks import published
from seqlab.tasks.published import Published

# What a word covers: from two of its unit to two of the next.
DAYS = (2.0, 14.0)
WEEKS = (14.0, 2 * 365.25 / 12)
TRILLIONS = (2e12, math.inf)
HUGE = (300e9, math.inf)  # tokens: as many as the article's own example
NAMED = ("T5", "GPT-3", "PaLM")  # the models that the article names, by their work
EIGHT = 8  # P100 chips, which the Transformer was trained on (Vaswani et al., 2017, section 5.2)


def exactly(number: float) -> tuple[float, float]:
    """A statement that is a number."""
    return float(number), float(number)


@dataclass(frozen=True)
class Statement:
    """What the article says, as the numbers that its words allow, and the figure to hold it against."""

    claim: str
    allowed: tuple[float, float]
    figure: Callable[[Published], float]


def agreed(model: str, what: str) -> Callable[[Published], float]:
    """A figure that two statements bear out."""
    return lambda known: known.agreed(model, what)


def stated(model: str, what: str) -> Callable[[Published], float]:
    """A figure that has one statement."""
    return lambda known: known.value(model, what)


def on_eight(model: str) -> Callable[[Published], float]:
    """Days that a published cost would have taken on the Transformer's chips."""
    return lambda known: training_days(
        known.value(model, "operations"), devices=EIGHT, rate=known.value("P100", "sustained rate")
    )


def gpt3_days(known: Published) -> float:
    """By the rate, the chips and the work that are published."""
    return training_days(
        known.agreed("GPT-3", "operations"),
        devices=known.agreed("GPT-3", "chips"),
        rate=known.agreed("GPT-3", "rate of a chip"),
    )


STATEMENTS: Mapping[str, Statement] = {
    "Transformer: days": Statement("C20", DAYS, agreed("Transformer (big)", "days to train")),
    "GNMT: weeks": Statement("C20", WEEKS, agreed("GNMT", "days to train")),
    "LSTM with experts: weeks": Statement("C20", WEEKS, agreed("LSTM with experts", "days to train")),
    "GNMT on the Transformer's chips: weeks": Statement("C20", WEEKS, on_eight("GNMT")),
    "LSTM with experts on the Transformer's chips: weeks": Statement(
        "C20", WEEKS, on_eight("LSTM with experts")
    ),
    **{f"{model}: huge data": Statement("C22", HUGE, agreed(model, "tokens")) for model in NAMED},
    "GPT-3: 300 billion tokens": Statement("C29", exactly(300e9), agreed("GPT-3", "tokens")),
    "GPT-3: weeks on V100 chips": Statement("C29", WEEKS, gpt3_days),
    "GPT-3: weeks on A100 chips": Statement("C29", WEEKS, stated("GPT-3 on A100", "days to train")),
    "PaLM: 6144 chips": Statement("C30", exactly(6_144), agreed("PaLM", "chips")),
    "T5: sequences in parts": Statement(
        "C31", (2.0, math.inf), agreed("T5", "parts that a sequence is split into")
    ),
    **{
        f"{model}: trillions of {what}": Statement("C32", TRILLIONS, agreed(model, what))
        for model in NAMED
        for what in ("parameters", "tokens")
    },
    # Nothing came before the Transformer that rests on attention alone, its authors say (section 2).
    "no Transformer before": Statement("C34", exactly(0), lambda known: 0.0),
    **{
        f"no parallel positions before (but {model})": Statement(
            "C34", exactly(0), stated(model, "days before the Transformer")
        )
        for model in ("ConvS2S", "ByteNet")
    },
}


BOUND = tuple(dict.fromkeys(said.claim for said in STATEMENTS.values()))


def difference(allowed: tuple[float, float], figure: float) -> float:
    """How far the nearest number that the words allow lies from the figure, relative to the larger of "
    "them."""
    nearest = min(max(allowed[0], figure), allowed[1])
    return abs(nearest - figure) / max(nearest, figure, 1e-300)  # none where both are zero


@dataclass(frozen=True)
class Shape:
    """What the calculator and the chain need: layers, heads' sizes together, context, share of parameters."""

    layers: int
    width: int
    context: int
    active: float = 1.0


# GPT-3: Brown et al., 2020, table 2.1. PaLM: Chowdhery et al., 2022, table 1 and section 2.1 (heads of 256).
# T5: Raffel et al., 2020, section 3.7, encoder and decoder together, of which a token meets one.
SHAPES: Mapping[str, Shape] = {
    "GPT-3": Shape(96, 12_288, 2_048),
    "PaLM 8B": Shape(32, 16 * 256, 2_048),
    "PaLM 62B": Shape(64, 32 * 256, 2_048),
    "PaLM": Shape(118, 48 * 256, 2_048),
    "T5": Shape(2 * 24, 128 * 128, 512, active=0.5),
}
COUNTS = ("published", "6 N D", "with attention")
OVERLAPPED, STACKED = "LSTM, layers overlapped", "LSTM, layer after layer"
NETWORKS = ("Transformer", OVERLAPPED, STACKED)
MONTH = 30.0  # days: how long one might be ready to wait


def operations(model: str, count: str) -> float:
    """The work of a training: as published, or by the calculator."""
    known, shape = published.load(), SHAPES[model]
    if count == "published":
        return known.value(model, "operations")
    tokens = known.value(model, "tokens")
    work = training_operations(known.value(model, "parameters"), tokens, active=shape.active)
    if count == "6 N D":
        return work
    layers = round(shape.layers * shape.active)
    return work + attention_operations(tokens, layers=layers, width=shape.width, context=shape.context)


def updates(model: str) -> float:
    """Steps of training. GPT-3's are tokens by the largest batch, fewer than it took."""
    known = published.load()
    if model == "GPT-3":
        return known.value(model, "tokens") / known.value(model, "tokens a step")
    return known.value(model, "steps")


@dataclass(frozen=True)
class Device:
    """This machine: its largest rate of products (FLOP/s), and the least time of an operation (s)."""

    rate: float
    latency: float


@cache  # one measurement a seed, for all that is computed from it
def device(repeats: int, seed: int) -> Device:
    """Measure both. Nothing is drawn: another seed measures again."""
    return Device(product_rate(repeats=repeats).best, operation_latency(repeats=10 * repeats))


def squares(model: nn.Module, x: mx.array) -> mx.array:
    """A loss that adds next to nothing to the chain, the same for both networks."""
    return mx.square(model(x)).mean()


@cache
def counted(network: str, layers: int, length: int) -> int:
    """The longest chain of one training step of a small network, forward and backward."""
    width = 8  # it changes no count
    backbone: nn.Module
    if network == STACKED:
        backbone = lstm.Model(lstm.Config(width=width, depth=layers))
    else:
        backbone = transformer.Model(transformer.Config(width=width, depth=layers, heads=1))
    return sequential_operations(forward_and_backward(backbone, squares), mx.zeros((1, length, width)))


def chain(network: str, *, layers: int, length: int) -> float:
    """The same of a large one: each further layer, token and both together add what they add to a small one.

    Overlapped, a recurrent layer follows the one below by one token, so that it adds one token's operations.
    """
    if network == OVERLAPPED:
        one = chain(STACKED, layers=1, length=length)
        return one + (layers - 1) * (chain(STACKED, layers=1, length=length + 1) - one)
    (first, last), (few, many) = (2, 3), (16, 32)
    at_few, at_many = (counted(network, first, tokens) for tokens in (few, many))
    more_at_few, more_at_many = (
        counted(network, last, tokens) - start for tokens, start in ((few, at_few), (many, at_many))
    )
    along = (length - few) / (many - few)
    start = at_few + along * (at_many - at_few)
    a_layer = more_at_few + along * (more_at_many - more_at_few)
    return start + (layers - first) * a_layer


def chain_days(model: str, network: str, latency: float) -> float:
    """Days of the chain alone, through all steps of training."""
    shape = SHAPES[model]
    return updates(model) * chain(network, layers=shape.layers, length=shape.context) * latency / DAY


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {
        "figure": figure, "training": training, "work": work, "device": speeds, "take": take,
        "chain": chains, "machines": machines, **dict.fromkeys(BOUND, statement),
    }  # fmt: skip
    yield from parts[trial["part"]](trial)


def figure(trial: Trial) -> Iterator[Measurement]:
    """A published figure."""
    known = next(row for row in published.load().figures if level(row) == trial.factors)
    yield Measurement("published_figure", known.value)


def statement(trial: Trial) -> Iterator[Measurement]:
    """What the article says, against what was published."""
    said = STATEMENTS[trial["statement"]]
    found = said.figure(published.load())
    yield Measurement("published_figure", found)
    yield Measurement("relative_difference", difference(said.allowed, found))


def training(trial: Trial) -> Iterator[Measurement]:
    """A training of those years: as it was, or on the Transformer's chips."""
    known, model = published.load(), trial["training"]
    if trial["chips"] == "its own":
        yield Measurement("training_days", known.value(model, "days to train"))
        if model != "LSTM of 2014":
            yield Measurement("chip_count", known.value(model, "chips"))
    else:
        yield Measurement("training_days", on_eight(model)(known))
        yield Measurement("chip_count", EIGHT)
    if model != "LSTM of 2014":
        yield Measurement("training_operations", known.value(model, "operations"))


def work(trial: Trial) -> Iterator[Measurement]:
    """The calculator beside what was published."""
    yield Measurement("training_operations", operations(trial["model"], trial["count"]))


def speeds(trial: Trial) -> Iterator[Measurement]:
    """What this machine can do."""
    here = device(trial["repeats"], trial.seed)
    yield Measurement("matmul_rate", here.rate)
    yield Measurement("operation_latency", here.latency)


def take(trial: Trial) -> Iterator[Measurement]:
    """Days on one machine like this one, and machines for a month."""
    days = training_days(
        operations(trial["model"], "published"),
        devices=1,
        rate=device(trial["repeats"], trial.seed).rate,
        utilisation=utilisation(trial["utilisation"]),
    )
    yield Measurement("training_operations", operations(trial["model"], "published"))
    yield Measurement("training_days", days)
    yield Measurement("machines", days / MONTH)


def utilisation(name: str) -> float:
    """As a share of the largest rate."""
    return 1.0 if name == "full" else published.load().value("PaLM", "utilisation")


def chains(trial: Trial) -> Iterator[Measurement]:
    """The part that no number of machines makes shorter."""
    shape, network = SHAPES[trial["model"]], trial["network"]
    yield Measurement("sequential_operations", chain(network, layers=shape.layers, length=shape.context))
    yield Measurement("updates", updates(trial["model"]))
    yield Measurement(
        "training_days", chain_days(trial["model"], network, device(trial["repeats"], trial.seed).latency)
    )


def machines(trial: Trial) -> Iterator[Measurement]:
    """Days against machines: the work divided by all of them, and never less than the chain."""
    here = device(trial["repeats"], trial.seed)
    least = chain_days(trial["model"], trial["network"], here.latency)
    for number in (10**decade for decade in range(DECADES + 1)):
        days = training_days(
            operations(trial["model"], "published"),
            devices=number, rate=here.rate, utilisation=utilisation("as PaLM's"),
        )  # fmt: skip
        yield Measurement("days_on_machines", max(days, least), step=number)


DECADES = 12  # of machines: far enough that the chain shows, on a small machine too


def level(row: published.Figure) -> Mapping[str, str]:
    """The levels that name a figure of the table."""
    named = f"{row.model}: {row.what}" + (f" ({row.unit})" if row.unit else "")
    source = f"{row.source.name}, {row.source.date:%Y-%m}; {row.place}"
    return MappingProxyType({"part": "figure", "figure": named, "source": source, "read": row.how})


def points(seeds: int) -> tuple[Point, ...]:
    """All parts. Only what is timed has seeds: the rest is arithmetic."""
    said = tuple(
        Point(MappingProxyType({"part": each.claim, "statement": name}), None)
        for name, each in STATEMENTS.items()
    )
    figures = tuple(Point(level(row), None) for row in published.load().figures)
    trained = grid(
        part="training", training=("Transformer (big)", "GNMT", "LSTM with experts", "LSTM of 2014"),
        chips="its own",
    ) + grid(
        part="training", training=("Transformer (big)", "GNMT", "LSTM with experts", "ConvS2S"),
        chips="the Transformer's",
    )  # fmt: skip
    return (
        *grid(part="machines", model=NAMED, network=NETWORKS, seeds=seeds),
        *grid(part="chain", model=NAMED, network=NETWORKS, seeds=seeds),
        *grid(part="take", model=NAMED, utilisation=("full", "as PaLM's"), seeds=seeds),
        *grid(part="device", seeds=seeds),
        *grid(part="work", model=SHAPES, count=COUNTS),
        *trained,
        *said,
        *figures,
    )


def claim(name: str, reads: str) -> Claim:
    """Every statement of the claim is within five per cent of its figure."""
    where = {"part": name}
    rule = Exact(metric="relative_difference", per=("statement",), along="statement", where=where, below=0.05)
    return Claim(name, rule, reads)


experiment = Experiment(
    chapter=20,
    run=run,
    budgets=(
        Budget("smoke", points(seeds=1), {"repeats": 2}, timeout=60),
        Budget("quick", points(seeds=1), {"repeats": 5}, timeout=120),
        Budget("full", points(seeds=10), {"repeats": 30}),
    ),
    claims=(
        claim(
            "C20",
            "The Transformer of 2017 trained for days, and the recurrent translators that it was compared "
            "with for weeks: on the chips that they had and, computed from the published costs, on the "
            "Transformer's eight. Days are two to fourteen of them, weeks are two weeks to two months, each "
            "within five per cent. What caused it is not tested.",
        ),
        claim(
            "C22",
            "Each of the three models that the article names was trained on at least as many tokens as its "
            "own example of a huge data set, 300 billion, within five per cent. It is not tested whether a "
            "recurrent model could be.",
        ),
        claim(
            "C29",
            "GPT-3 saw 300 billion tokens, within five per cent, and its training took weeks, which is two "
            "weeks to two months. No duration was published: the days are arithmetic on the work, the rate "
            "and the number of chips that others state, and again on newer chips for which it was estimated "
            "later.",
        ),
        claim(
            "C30",
            "PaLM was trained on 6,144 chips, within five per cent. The number is tested, and not that "
            "parallel processing of a sequence explains it: the work was shared by batch and by model.",
        ),
        claim(
            "C31",
            "T5's paper and its code say that sequences were split over devices, into two parts at least: "
            "that is what sequence parallelism means.",
        ),
        claim(
            "C32",
            "Each of the three models that the article names has at least two trillion parameters and was "
            "trained on at least two trillion tokens, within five per cent. Read as one trillion, T5's "
            "tokens alone would pass, and the verdict would be the same.",
        ),
        claim(
            "C34",
            "Nothing before the paper of 2017 did what it is said to have introduced: neither an earlier "
            "Transformer, nor an earlier network that computes all positions in parallel in training. Its "
            "own section on related work names three of the latter; two are dated here, in days before it.",
        ),
    ),
    figures=(
        Curve(
            x="step", y="days_on_machines", hue="network", columns="model", where={"part": "machines"},
            x_scale="log10", y_scale="log10", guides={"a month": MONTH},
            caption="Least time to train against the number of machines like this one: the published work at "
            "the utilisation that PaLM's authors report, divided evenly, with nothing lost between machines. "
            "Where a line turns level, the chain of operations that wait for one another is all that is "
            "left.",
        ),
        Interval(
            x="training_days", y="training", hue="chips", where={"part": "training"}, x_scale="log10",
            guides={"two weeks": DAYS[1]},
            caption="Days to train of the translators of those years: on the chips that they had, and by "
            "their published cost on the eight chips of the Transformer. The convolution, which is as "
            "parallel as the Transformer, is the control.",
        ),
        Table(
            rows=("model", "utilisation"), where={"part": "take"},
            metrics=("training_operations", "training_days", "machines"),
            caption="What it would take: the published work, the days that one machine like this one would "
            "need, and the machines that would need a month of thirty days.",
        ),
        Table(
            rows=("model", "network"), where={"part": "chain"},
            metrics=("sequential_operations", "updates", "training_days"),
            caption="The part that no number of machines makes shorter: operations of one training step that "
            "wait for one another, steps of training, and the days of both at this machine's least time of "
            "an operation. A recurrent network is given as many layers, and the same context and batch.",
        ),
        Table(
            rows=("part",), where={"part": "device"}, metrics=("matmul_rate", "operation_latency"),
            caption="This machine, as measured for the two tables above.",
        ),
        Table(
            rows=("model",), columns="count", where={"part": "work"}, metrics=("training_operations",),
            caption="The calculator against the published totals. Those of GPT-3 and T5 leave attention out, "
            "those of PaLM count it.",
        ),
        Table(
            rows=("training", "chips"), where={"part": "training"},
            metrics=("training_days", "chip_count", "training_operations"),
            caption="The translators' trainings in numbers. Their work is what the Transformer's authors "
            "print: time, times chips, times a rate assumed for each chip.",
        ),
        Table(
            rows=("part", "statement"), where={"part": BOUND},
            metrics=("published_figure", "relative_difference"),
            caption="What the article says, the published or computed figure (days, tokens, parameters, "
            "chips or parts), and how far the nearest number that the words allow lies from it.",
        ),
        Table(
            rows=("figure", "source", "read"), where={"part": "figure"}, metrics=("published_figure",),
            caption="Published figures, with who stated them first when, where it stands, and how it was "
            "read: in the source itself, in a copy of its text, or computed from what stands beside it. What "
            "is only quoted by others settles nothing.",
        ),
    ),
)  # fmt: skip
