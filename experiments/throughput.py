"""Is a training step of a Transformer faster than one of a recurrent network, and at which length?

A recurrent network takes one position after another, a Transformer all of them at once. On parallel hardware
that should make it faster; on any hardware it also has more to do, since it compares every pair of
positions. By arithmetic, attention needs less work than a recurrence only while the sequence is shorter than
the model is wide [@vaswani2017attention, Table 1]. Work, time and parameters need not agree on who is the
cheaper [@dehghani2021efficiency], so all of them stand side by side here.

Six networks are timed: three that must take their steps in order (RNN, LSTM, GRU); the minGRU, whose gate
does not look at the state, so that it trains by a scan [@feng2024rnns]; a convolutional network with as many
blocks as it takes to see the whole sequence [@bai2018empirical]; and the Transformer. All have as many
parameters as the Transformer, within two hundredths. A step is all that training does: forward, backward and
the update. The forward pass is timed beside it. All networks are timed in turn, in blocks of shuffled order,
so that what disturbs the machine meets all of them; blocks in which a fixed product of matrices took another
time than usual are dropped, and counted.

The opponent is the fastest recurrent network of each length, never the slowest. Much of a recurrence's time
is launching small operations rather than doing them [@poppel2024flashrnn], and compiling a step joins many of
them. At the full budget every network is tried both ways, on blocks that are used for nothing else, and runs
the faster way, save that a chain of more than a thousand steps is not compiled: MLX walks such a graph by
recursion. At the smaller budgets, which on a processor would be spent on compiling alone, each runs as this
device's settings have it (`seqlab doctor`). Compiling gains a chain of small operations the most, so that a
verdict of a small budget in the Transformer's favour is the one to doubt. These budgets also do without the
GRU, a cell much like the LSTM. What is timed may be another form of the same sums, where one is faster on
this device: on a processor attention leaves most scores of later tokens out. Work is that of the plain form,
with all of them.

Equal parameters are not equal work: with the length, attention does more and more with the same parameters.
A second view therefore gives every other network the work of the Transformer's step, within a twentieth, by
making it larger. Other views keep the number of tokens of a step, and trade many short sequences for few long
ones, or vary the batch, or the width. How time grows with the length is told by a power, the slope on
logarithmic axes over the last three doublings, by the method of @sen1968estimates.

On a processor there is little to run in parallel. The verdicts are about the device that their scope names.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from itertools import count
from statistics import median

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_map

from seqlab.machine import kernels
from seqlab.measure.blocks import Arm, Times, time_blocks
from seqlab.measure.crossover import crossover
from seqlab.measure.flops import training_step_flops
from seqlab.measure.growth import exponent
from seqlab.models import gru, lstm, mingru, rnn, tcn, transformer
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import match_parameters, parameters
from seqlab.notebook import Budget, Claim, Curve, Experiment, Measurement, Point, Ratio, Table, Trial, grid
from seqlab.training import adamw, training_step
from seqlab.training.step import compile_pays

VOCABULARY = 64  # of the random tokens
BATCH, WIDTH = 8, 64  # where neither is varied
SHORTEST = 16  # tokens
PARAMETERS, WORK = "equal parameters", "equal work"
TRANSFORMER = "Transformer"
CHAINED = ("RNN", "LSTM", "GRU")  # they must take their steps in order
RECURRENT = (*CHAINED, "minGRU")
NONE = "none"
# MLX compiles a graph by recursion. Tried on the usual stack of 8 MiB: with its gradient, a chain of 20,000
# products, each with a tanh, ended the process, and one of 5,000 did not; an LSTM of 1,024 steps did not.
COMPILED_TO = 1024  # tokens
TRIED_BLOCKS = 5  # to see whether compiling a step pays
COUNTED = (4, 8)  # lengths at which a chain's work is counted; from there it is a straight line


@dataclass(frozen=True)
class Cell:
    """What the networks of a comparison have in common: tokens a sequence, sequences, features, the view."""

    length: int
    batch: int
    width: int
    view: str = PARAMETERS


@dataclass(frozen=True)
class Plan:
    """How to time: in so many blocks; compiled where a run of `steps` is, or in the faster of both ways.

    The forward pass by itself is timed with the first `forward_seeds` seeds.
    """

    blocks: int
    steps: int
    both_ways: bool
    forward_seeds: int
    left_out: str  # the network that the budget does without


def convolutional(cell: Cell, hidden: int) -> tcn.Model:
    """A convolutional network of as few blocks as see the whole sequence."""
    configs = (tcn.Config(cell.width, depth=depth, hidden=hidden) for depth in count(1))
    return tcn.Model(next(config for config in configs if config.receptive_field >= cell.length))


BACKBONES: Mapping[str, Callable[[Cell, int], Backbone]] = {
    # Each takes the hidden size that is free to match parameters or work. All have two layers but the TCN.
    TRANSFORMER: lambda cell, hidden: transformer.Model(transformer.Config(cell.width, hidden=hidden)),
    "RNN": lambda cell, hidden: rnn.Model(rnn.Config(cell.width, hidden=hidden, depth=2, residual=True)),
    "LSTM": lambda cell, hidden: lstm.Model(lstm.Config(cell.width, hidden=hidden, depth=2, residual=True)),
    "GRU": lambda cell, hidden: gru.Model(gru.Config(cell.width, hidden=hidden, depth=2, residual=True)),
    "minGRU": lambda cell, hidden: mingru.Model(
        mingru.Config(cell.width, hidden=hidden, depth=2, residual=True)
    ),
    "TCN": convolutional,
}


def networks(left_out: str) -> tuple[str, ...]:
    """Those that a budget times."""
    return tuple(name for name in BACKBONES if name != left_out)


def language_model(name: str, cell: Cell, hidden: int) -> LanguageModel:
    """A network with embedding and logits."""
    return LanguageModel(BACKBONES[name](cell, hidden), vocabulary=VOCABULARY)


@cache  # the same for every seed
def work(name: str, cell: Cell, hidden: int) -> int:
    """FLOP of one training step.

    A chain does the same for every token after the first, so two short ones tell what a long one takes.
    """

    def counted(length: int) -> int:
        model: nn.Module = language_model(name, cell, hidden)
        model.update(tree_map(mx.zeros_like, model.parameters()))  # starting them orthogonal would take time
        tokens = mx.zeros((cell.batch, length), dtype=mx.int32)
        return training_step_flops(model, token_loss, tokens, tokens)

    if name not in CHAINED:
        return counted(cell.length)
    short, long = COUNTED
    at_short, at_long = counted(short), counted(long)
    return at_short + (at_long - at_short) * (cell.length - short) // (long - short)


@cache  # the same for every seed
def hidden_size(name: str, cell: Cell) -> int:
    """The size that makes a network as large as the Transformer of this width, or its step as much work."""
    own = 4 * cell.width
    if name == TRANSFORMER:
        return own
    if cell.view == PARAMETERS:
        target = parameters(language_model(TRANSFORMER, cell, own))
        make = partial(language_model, name, cell)
        return match_parameters(make, target, low=cell.width // 8, high=16 * cell.width)
    # All work is a product of sizes, of which two at most are the hidden one: three counts give all.
    small = (cell.width // 4, cell.width // 2, cell.width)
    curve = np.polyfit(small, [work(name, cell, size) for size in small], deg=2)
    sizes = np.arange(cell.width // 8, 16 * cell.width)
    return int(sizes[np.argmin(np.abs(np.polyval(curve, sizes) - work(TRANSFORMER, cell, own)))])


def arms(name: str, cell: Cell, *, compiled: bool, seed: int) -> tuple[Arm, Arm]:
    """A training step on random tokens, and the forward pass alone."""
    hidden = hidden_size(name, cell)
    mx.random.seed(seed)  # matching drew from the random state
    model: nn.Module = language_model(name, cell, hidden)
    tokens, targets = mx.random.randint(0, VOCABULARY, (2, cell.batch, cell.length))
    mx.eval(model.parameters(), tokens, targets)
    optimizer = adamw(1e-3)
    step = training_step(model, token_loss, optimizer, compiled=compiled)
    forward = mx.compile(kernels.compiling()(model.__call__), inputs=model.state) if compiled else model
    return (
        Arm(lambda: step(tokens, targets), [model.state, optimizer.state]),
        Arm(lambda: forward(tokens)),
    )


@cache  # for all seeds: they have the same shapes
def compiles(name: str, cell: Cell, plan: Plan) -> bool:
    """Whether the step is compiled: by the device's settings, or because that was the faster way."""
    if name in CHAINED and cell.length > COMPILED_TO:
        return False
    if not plan.both_ways:
        return compile_pays(language_model(name, cell, hidden_size(name, cell)), plan.steps)
    ways = {str(way): arms(name, cell, compiled=way, seed=0)[0] for way in (False, True)}
    found = time_blocks(ways, blocks=TRIED_BLOCKS, rng=np.random.default_rng(0))
    eager, compiled = (found[str(way)].kept.values() for way in (False, True))
    return bool(eager and compiled) and median(compiled) < median(eager)


@cache  # one measurement for the trials of all networks, so that they are timed side by side
def timed(cell: Cell, plan: Plan, seed: int) -> Mapping[str, tuple[Times, Times | None]]:
    """The training step of every network, and, where batch and width are the usual ones, its forward pass."""
    forward_too = cell == Cell(cell.length, BATCH, WIDTH) and seed < plan.forward_seeds
    steps, forwards = {}, {}
    for name in networks(plan.left_out):
        compiled = compiles(name, cell, plan)
        steps[name], forwards[f"{name}, forward"] = arms(name, cell, compiled=compiled, seed=seed)
    together = steps | forwards if forward_too else steps
    # No further warm-up: the first call, which is kept apart, was one.
    found = time_blocks(together, blocks=plan.blocks, rng=np.random.default_rng(seed), warmup_steps=0)
    return {name: (found[name], found.get(f"{name}, forward")) for name in steps}


def run(trial: Trial) -> Iterator[Measurement]:
    """One network's share of what was timed together."""
    name = trial["model"]
    cell = Cell(trial["length"], trial["batch"], trial["width"], trial["view"])
    plan = Plan(*(trial[field.name] for field in fields(Plan)))
    hidden = hidden_size(name, cell)
    yield Measurement("parameters", parameters(language_model(name, cell, hidden)))
    yield Measurement("step_flops", work(name, cell, hidden))
    yield Measurement("compiled", float(compiles(name, cell, plan)))
    together = timed(cell, plan, trial.seed)
    step, forward = together[name]
    yield from step.measurements()
    for block, seconds in step.kept.items():
        yield Measurement("token_rate", cell.batch * cell.length / seconds, step=block)
        if name != TRANSFORMER:
            other = together[TRANSFORMER][0].kept[block]
            yield Measurement("relative_time", seconds / other, step=block)
    for block, seconds in forward.kept.items() if forward else ():
        yield Measurement("forward_time", seconds, step=block)
    if trial["part"] == "length" and cell == Cell(trial["longest"], BATCH, WIDTH):
        yield from over_lengths(name, cell, plan, trial.seed)


def over_lengths(name: str, longest: Cell, plan: Plan, seed: int) -> Iterator[Measurement]:
    """How the time of a step grows, and where it crosses the Transformer's, if it does."""
    lengths = octaves(longest.length)
    sweep = {length: timed(replace(longest, length=length), plan, seed) for length in lengths}
    if not all(found[name][0].kept for found in sweep.values()):
        return  # at some length the machine was never as usual
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


def points(
    *,
    longest: int,
    worked: tuple[int, ...],  # lengths at which work is equal
    length: int,  # while batch or width are varied
    batches: tuple[int, ...],
    widths: tuple[int, ...],
    traded: Mapping[int, int],  # length: batch, with as many tokens in all
    seeds: int,
    few: int,
    left_out: str = NONE,
) -> tuple[Point, ...]:
    """All parts. A verdict needs `seeds`; what is shown beside it has `few`."""
    models = networks(left_out)
    usual = partial(grid, model=models, view=PARAMETERS)
    return (
        usual(part="length", length=octaves(longest), batch=BATCH, width=WIDTH, seeds=seeds)
        + usual(part="batch", length=length, batch=batches, width=WIDTH, seeds=seeds)
        + usual(part="width", length=length, batch=BATCH, width=widths, seeds=few)
        + tuple(
            point
            for each, batch in traded.items()
            for point in usual(part="tokens", length=each, batch=batch, width=WIDTH, seeds=few)
        )
        + grid(
            part="length", model=models, view=WORK, length=worked, batch=BATCH, width=WIDTH, seeds=few
        )
    )  # fmt: skip


LENGTH = {"part": "length", "view": PARAMETERS}
OPPONENTS = tuple({"model": name} for name in RECURRENT)

experiment = Experiment(
    chapter=4,
    run=run,
    budgets=(
        Budget(
            "smoke",
            points(
                longest=32, worked=(32,), length=16, batches=(1, 8), widths=(32, 64),
                traded={16: 8, 32: 4}, seeds=2, few=1, left_out="GRU",
            ),
            {
                "blocks": 2, "steps": 30, "both_ways": False, "forward_seeds": 1, "left_out": "GRU",
                "longest": 32,
            },
            timeout=120,
        ),
        Budget(
            "quick",
            points(
                longest=128, worked=(64, 128), length=32, batches=(1, 4, 16), widths=(32, 128),
                traded={16: 32, 32: 16, 128: 4}, seeds=5, few=3, left_out="GRU",
            ),
            {
                "blocks": 3, "steps": 100, "both_ways": False, "forward_seeds": 1, "left_out": "GRU",
                "longest": 128,
            },
            timeout=600,
        ),
        Budget(
            "full",
            points(
                longest=8192, worked=(64, 256, 1024, 4096), length=256, batches=(1, 8, 64),
                widths=(64, 256, 1024), traded={length: 16_384 // length for length in octaves(8192)},
                seeds=10, few=5,
            ),
            {
                "blocks": 30, "steps": 5_000, "both_ways": True, "forward_seeds": 5, "left_out": NONE,
                "longest": 8192,
            },
            timeout=12 * 3_600,  # the trial of the longest sequence may have to time all shorter ones
        ),
    ),
    claims=(
        Claim(
            "C23",
            Ratio(
                metric="step_time", per=("length",), along="length", where=LENGTH,
                left={"model": TRANSFORMER}, right=OPPONENTS, below=0.5, matched=("parameters",),
            ),
            "At equal parameters, a training step of the Transformer takes at most half the time of the "
            "fastest recurrent network. (The sentence speaks of GPUs and TPUs: where the scope names a CPU, "
            "so does the verdict.)",
        ),
        Claim(
            "C04",
            Ratio(
                metric="step_time", per=("batch",), along="batch", where={"part": "batch"},
                left={"model": TRANSFORMER}, right=OPPONENTS, below=0.5, matched=("parameters",),
            ),
            "If taking steps one after another leaves the device idle, then at every batch a training step "
            "of the Transformer, at equal parameters and length, takes at most half the time of the fastest "
            "recurrent network. (The sentence speaks of GPUs: where the scope names a CPU, so does the "
            "verdict.)",
        ),
    ),
    figures=(
        Curve(
            x="length", y="step_time", hue="model", x_scale="log2", y_scale="log10", where=LENGTH,
            caption="Time of a training step against the length of the sequence, at equal parameters and "
            "batch. A line that doubles with the length is a cost for each token.",
        ),
        Curve(
            x="length", y="relative_time", hue="model", columns="view", x_scale="log2", y_scale="log2",
            where={"part": "length"}, guides={"as long": 1.0, "twice as long": 2.0},
            caption="How many times as long as the Transformer's a step takes. Below the lower dashed line a "
            "network is faster than the Transformer. The claim asks that all recurrent networks, even the "
            "lowest line among them, lie above the upper one. The TCN is a control: it is parallel, but not "
            "attention.",
        ),
        Curve(
            x="batch", y="token_rate", hue="model", x_scale="log2", y_scale="log10", where={"part": "batch"},
            caption="Tokens that a second of training takes in, against the number of sequences in a batch.",
        ),
        Curve(
            x="length", y="token_rate", hue="model", x_scale="log2", y_scale="log10",
            where={"part": "tokens"},
            caption="The same number of tokens in every step: many short sequences on the left, few long "
            "ones on the right. Where steps must wait for each other, the line falls.",
        ),
        Table(
            rows=("length", "model"), where=LENGTH | {"length": (32, 128, 512, 2048, 8192)},
            metrics=("step_time", "forward_time", "compile_time", "blocks_dropped"),
            caption="What stands behind the first figure, for every second doubling of the length: medians "
            "of a run's blocks, and the very first step, which is cold.",
        ),
        Table(
            rows=("model",), where=LENGTH, metrics=("time_exponent", "crossover_length"),
            caption="The power of the length with which the time of a step grows over the last three "
            "doublings, and the length at which the Transformer takes as long: the second figure tells which "
            "of the two is the faster beyond it. A dash: the lines do not cross.",
        ),
        Table(
            rows=("view", "model"), columns="length", where={"part": "length"}, metrics=("relative_time",),
            caption="The second figure in numbers: time of a step over the Transformer's.",
        ),
        Table(
            rows=("view", "length", "model"), where={"part": "length", "length": (64, 128, 256, 1024, 4096)},
            metrics=("parameters", "step_flops", "compiled"),
            caption="What the networks of both views were given, at the lengths at which both were measured, "
            "and whether the step ran compiled.",
        ),
        Table(
            rows=("model",), columns="width", where={"part": "width"}, metrics=("relative_time",),
            caption="Wider models: time of a step over that of a Transformer of the same width, at equal "
            "parameters.",
        ),
    ),
)  # fmt: skip
