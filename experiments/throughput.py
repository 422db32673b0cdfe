"""Is a Transformer's training step faster than a recurrent network's?

A recurrent network processes one position after another, a Transformer all of them at once. On parallel
hardware that should make it faster. On any hardware it also has more work to do, since attention compares
every pair of positions: by arithmetic, it needs less work than a recurrence only while the sequence is
shorter than the model is wide [@vaswani2017attention, Table 1]. Work, time and parameters need not agree on
which network is cheaper [@dehghani2021efficiency], so the page reports all of them.

Six networks are timed: three that must take their steps in order (RNN, LSTM, GRU); the minGRU, whose gate
does not depend on the state, so that it trains by a parallel scan [@feng2024rnns]; a temporal convolutional
network (TCN) with as many blocks as it takes to see the whole sequence [@bai2018empirical]; and the
Transformer. All have as many parameters as the Transformer, within 2 %. A step is all that training does:
forward, backward and the update. The forward pass is timed beside it. All networks are timed in turn, in
blocks of shuffled order, so that a disturbance of the machine affects all of them alike. Blocks in which a
fixed matrix product took more or less time than usual are dropped, and counted.

The opponent is the fastest recurrent network of each length. Much of a recurrence's time is spent on
launching small operations rather than doing them [@poppel2024flashrnn], and compiling a step fuses many of
them. Each network runs as this device's settings have it for a short training (`seqlab doctor`), since on a
CPU compiling takes longer than all that is timed here. Compiling helps a recurrence the most, so a verdict in
the Transformer's favour is the one to doubt. For that doubt, the full budget tries every network compiled and
uncompiled, on blocks that are used for nothing else, and shows the times of the faster way in a table of its
own; only a recurrence of more than a thousand steps is never compiled, since MLX walks such a graph by
recursion. The smaller budgets leave out the GRU, a cell much like the LSTM; it is timed beside the
Transformer alone. The timed step may use another kernel for the same computation where that is faster on this
device: on a CPU, attention skips most scores of later tokens. Work is counted for the plain kernels, which
compute all of them.

Equal parameters are not equal work: with the length, attention does more and more work with the same
parameters. A second view therefore enlarges every other network until its step takes as much work as the
Transformer's, within 5 %. Further views keep the number of tokens of a step and trade many short sequences
for few long ones, or vary the batch, or the width. The growth of time with the length is reported as an
exponent: the slope on logarithmic axes over the last three doublings, by the method of @sen1968estimates.

A CPU runs little in parallel. The verdicts are about the device that their scope names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import median

from seqlab.measure.blocks import Times
from seqlab.measure.crossover import crossover
from seqlab.measure.growth import exponent
from seqlab.models.backbones import TRANSFORMER
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Claim, Curve, Experiment, Measurement, Ratio, Table, Trial, grid
from seqlab.notebook.experiment import BudgetName
from seqlab.training.matched_steps import (
    PARAMETERS,
    SEQUENTIAL,
    WORK,
    Cell,
    compiles,
    hidden_size,
    language_model,
    time_side_by_side,
    work,
)

BATCH, WIDTH = 8, 64  # the defaults, where neither is varied
SHORTEST = 16  # tokens
RECURRENT = (*SEQUENTIAL, "minGRU")
NETWORKS = (TRANSFORMER, *RECURRENT, "TCN")
EXTRA = "GRU"  # timed by the full budget alone
COMMON = tuple(name for name in NETWORKS if name != EXTRA)


@dataclass(frozen=True)
class Plan:
    """How to time: in so many blocks, compiled where a run of `steps` is."""

    blocks: int
    steps: int


@dataclass(frozen=True)
class Group:
    """The networks that are timed side by side; `both_ways` lets each run the faster way."""

    names: tuple[str, ...]
    both_ways: bool = False


def group_of(trial: Trial) -> Group:
    """The networks that this trial's is timed with."""
    if trial["part"] == "both ways":
        return Group(NETWORKS, both_ways=True)
    return Group((TRANSFORMER, EXTRA) if trial["model"] == EXTRA else COMMON)


@cache  # one measurement for the trials of all networks, so that they are timed side by side
def timed(group: Group, cell: Cell, plan: Plan, seed: int) -> Mapping[str, tuple[Times, Times | None]]:
    """The training step of every network and, at the default batch and width, its forward pass.

    The forward pass is shown, not judged: the first seed's will do.
    """
    forward = cell == Cell(cell.length, BATCH, WIDTH) and seed == 0
    compiled = {
        name: compiles(name, cell, steps=plan.steps, both_ways=group.both_ways) for name in group.names
    }
    return time_side_by_side(compiled, cell, blocks=plan.blocks, seed=seed, forward=forward)


def run(trial: Trial) -> Iterator[Measurement]:
    """One network's share of what was timed together."""
    name = trial["model"]
    cell = Cell(trial["length"], trial["batch"], trial["width"], trial["view"])
    group, plan = group_of(trial), trial.fill(Plan)
    if trial["part"] == "growth":
        yield from over_lengths(group, name, cell, plan, trial.seed)
        return
    hidden = hidden_size(name, cell)
    yield Measurement("parameters", parameters(language_model(name, cell, hidden)))
    yield Measurement("step_flops", work(name, cell, hidden))
    yield Measurement("compiled", float(compiles(name, cell, steps=plan.steps, both_ways=group.both_ways)))
    together = timed(group, cell, plan, trial.seed)
    step, forward = together[name]
    yield from step.measurements()
    for block, seconds in step.kept.items():
        yield Measurement("token_rate", cell.batch * cell.length / seconds, step=block)
        if name != TRANSFORMER:
            other = together[TRANSFORMER][0].kept[block]
            yield Measurement("relative_time", seconds / other, step=block)
    for block, seconds in forward.kept.items() if forward else ():
        yield Measurement("forward_time", seconds, step=block)


def over_lengths(group: Group, name: str, longest: Cell, plan: Plan, seed: int) -> Iterator[Measurement]:
    """How the time of a step grows, and where it crosses the Transformer's, if it does."""
    lengths = octaves(longest.length)
    sweep = {length: timed(group, replace(longest, length=length), plan, seed) for length in lengths}
    if not all(found[name][0].kept for found in sweep.values()):
        return  # at some length every block was disturbed
    own, other = (
        {length: median(found[model][0].kept.values()) for length, found in sweep.items()}
        for model in (name, TRANSFORMER)
    )
    last_octaves = {length: own[length] for length in lengths[-4:]}
    yield Measurement("time_exponent", exponent(last_octaves))
    if name != TRANSFORMER and (place := crossover(own, other)) is not None:
        yield Measurement("crossover_length", place)


def octaves(longest: int) -> tuple[int, ...]:
    """The lengths from the shortest to the longest, each twice the one before."""
    return tuple(SHORTEST << doubling for doubling in range((longest // SHORTEST).bit_length()))


def budget(
    name: BudgetName,
    *longest: int,  # lengths up to which the growth of the time is told
    worked: tuple[int, ...],  # lengths at which work is equal
    length: int,  # while batch or width are varied
    batches: tuple[int, ...],
    widths: tuple[int, ...],
    traded: Mapping[int, tuple[int, ...]],  # tokens of a step: lengths
    both_ways: tuple[int, ...] = (),  # lengths at which compiled and uncompiled steps are tried
    models: tuple[str, ...] = COMMON,
    seeds: int,  # of what a verdict rests on
    few: int,  # of what is shown beside it
    timeout: float,
    **settings: int,
) -> Budget:
    """All views at these sizes."""
    vary = partial(grid, model=models, view=PARAMETERS)
    default = {"batch": BATCH, "width": WIDTH}
    points = vary(part="length", length=octaves(longest[-1]), seeds=seeds, **default)
    points += vary(part="growth", length=longest, seeds=seeds, **default)
    points += vary(part="batch", length=length, batch=batches, width=WIDTH, seeds=seeds)
    points += vary(part="width", length=length, batch=BATCH, width=widths, seeds=few)
    for tokens, lengths in traded.items():
        for each in lengths:
            batch = tokens // each
            points += vary(part="tokens", tokens=tokens, length=each, batch=batch, width=WIDTH, seeds=few)
    points += vary(part="both ways", length=both_ways, seeds=few, **default)
    points += grid(part="length", model=models, view=WORK, length=worked, seeds=few, **default)
    return Budget(name, points, settings, timeout=timeout)


LENGTH, ALL_LENGTHS = {"part": "length", "view": PARAMETERS}, {"part": "length"}
BATCHES, WIDTHS, TOKENS = {"part": "batch"}, {"part": "width"}, {"part": "tokens"}
# The Transformer must take at most half the time of the fastest recurrent network.
half_the_time = partial(
    Ratio, metric="step_time", left={"model": TRANSFORMER}, below=0.5, matched=("parameters",),
    right=tuple({"model": name} for name in RECURRENT),
)  # fmt: skip
line = partial(Curve, hue="model", x_scale="log2")

experiment = Experiment(
    chapter=4,
    run=run,
    # A budget that wants more precision has more seeds, each of which times everything anew.
    protocol={"blocks": 3, "steps": 100},
    budgets=(
        budget(
            "smoke", 32, worked=(32,), length=16, batches=(1, 8), widths=(32, 64), traded={128: (16, 32)},
            seeds=2, few=1, timeout=120, blocks=2, steps=30,
        ),
        budget(
            "quick", 128, worked=(64, 128), length=64, batches=(1, 4, 16), widths=(32, 128),
            traded={512: (16, 32, 128)}, seeds=5, few=3, timeout=600,
        ),
        budget(
            "full", 128, 8192, worked=(64, 128, 256, 1024, 4096), length=64, batches=(1, 4, 16, 64, 256),
            widths=(32, 64, 128, 256, 1024), traded={512: (16, 32, 128), 16_384: octaves(8192)},
            both_ways=(64, 256, 1024), models=NETWORKS, seeds=20, few=5,
            timeout=12 * 3_600,  # the trial of the longest sequence may have to time all shorter ones
        ),
    ),
    claims=(
        Claim(
            "C23",
            half_the_time(per=("length",), along="length", where=LENGTH),
            "At equal parameters, a training step of the Transformer takes at most half the time of the "
            "fastest recurrent network. (The sentence is about GPUs and TPUs: where the scope names a CPU, "
            "so does the verdict.)",
        ),
        Claim(
            "C04",
            half_the_time(per=("batch",), along="batch", where=BATCHES),
            "If sequential steps leave the device idle, then at every batch size a training step of the "
            "Transformer, at equal parameters and length, takes at most half the time of the fastest "
            "recurrent network. (The sentence is about GPUs: where the scope names a CPU, so does the "
            "verdict.)",
        ),
    ),
    figures=(
        line(
            x="length", y="step_time", y_scale="log10", where=LENGTH,
            caption="Time of a training step against the length of the sequence, at equal parameters and "
            "batch. Where the time doubles with the length, every token costs the same.",
        ),
        line(
            x="length", y="relative_time", columns="view", y_scale="log2", where=ALL_LENGTHS,
            guides={"as long": 1.0, "twice as long": 2.0},
            caption="Time of a training step, relative to the Transformer's. Below the lower dashed line a "
            "network is faster than the Transformer. The claim requires that all recurrent networks, even "
            "the fastest among them, lie above the upper one. The TCN is a control: it is parallel, but has "
            "no attention.",
        ),
        line(
            x="batch", y="token_rate", y_scale="log10", where=BATCHES,
            caption="Training throughput in tokens a second, against the number of sequences in a batch.",
        ),
        line(
            x="length", y="token_rate", columns="tokens", y_scale="log10", where=TOKENS,
            caption="Training throughput with the same number of tokens in every step: many short sequences "
            "on the left, few long ones on the right. The line falls where steps must wait for each other.",
        ),
        Table(
            rows=("length", "model"), where=LENGTH | {"length": (32, 128, 512, 2048, 8192)},
            metrics=("step_time", "forward_time", "compile_time", "blocks_dropped"),
            caption="The numbers behind the first figure, for every second doubling of the length: medians "
            "of a run's blocks, and the time of the very first step, which is a cold start.",
        ),
        Table(
            rows=("length", "model"), where={"part": "growth"},
            metrics=("time_exponent", "crossover_length"),
            caption="The exponent with which the time of a step grows over the last three doublings up to "
            "the length, and the length up to there at which the Transformer takes as long. The second "
            "figure shows which of the two is faster beyond that. A dash: the lines do not cross.",
        ),
        Table(
            rows=("model",), columns="length", where={"part": "both ways"}, metrics=("relative_time",),
            caption="Time of a step over the Transformer's, where each network was tried compiled and "
            "uncompiled and runs the faster way.",
        ),
        Table(
            rows=("view", "model"), columns="length", where=ALL_LENGTHS, metrics=("relative_time",),
            caption="The second figure in numbers: time of a step over the Transformer's.",
        ),
        Table(
            rows=("view", "length", "model"), where=ALL_LENGTHS | {"length": (64, 128, 256, 1024, 4096)},
            metrics=("parameters", "step_flops", "compiled"),
            caption="Parameters and work of the networks in both views, at the lengths at which both were "
            "measured, and whether the step ran compiled.",
        ),
        Table(
            rows=("model",), columns="width", where=WIDTHS, metrics=("relative_time",),
            caption="Wider models: time of a step over that of a Transformer of the same width, at equal "
            "parameters.",
        ),
    ),
)  # fmt: skip
