"""How fast can a recurrent network be made, and what in it is parallel?

A recurrent network must take its steps in order; an earlier chapter counts these sequential operations. How
long a step takes, and how much of it runs in parallel, are other questions, and the answers depend on the
implementation.

An RNN, an LSTM and a GRU are trained in three implementations of the same equations. The layers that come
with MLX cut one step after another out of the whole sequence, and the gradient of each cut fills an array as
long as the sequence, so their cost grows with the square of the length. Ours split the sequence into parts,
and those into parts again. Compiled, the many small operations of ours are fused into few. The minGRU of
@feng2024rnns, whose gate does not depend on the state, is computed as a loop, by a doubling scan, and by
chunks in parallel. On GPUs, work of this kind has brought an order of magnitude over a plain implementation
once the parallelism within the network was used [@appleyard2016optimizing], and a factor of fifty by kernels
written for a chip's registers [@poppel2024flashrnn]. MLX has no kernel of the latter kind. A verdict from a
GPU is therefore about recurrent networks without it.

The main source of parallelism in a recurrent network is the batch. One sequence or many take the same number
of steps, and with more sequences each step is a larger matrix product. The page therefore raises the number
of tokens in one training step from a single sequence to many, for the recurrent networks and for a
Transformer with as many parameters. If more tokens in a step bring more tokens a second, then the article's
sentences on training with batches of whole sequences, and of thousands of words, are true. If that holds for
every network, they say nothing about Transformers in particular.

A training step on a single sequence takes time of two kinds: time that every further sequence adds again, and
a fixed part. The fixed part is spent on launching operations, waiting for the one before, and updating the
weights. A straight line through the times of the smallest and the largest batch separates the two.

All implementations at one length, and all batches up to 64 sequences, are timed in turn, in blocks of
shuffled order; a compiled network takes its turns with MLX's own, and a larger batch with a single sequence.
Compiling a network on a CPU takes ten seconds and more, so the smoke budget compiles none and the quick
budget the RNN alone. Where batches are compared, networks are compiled if that pays by this device's settings
(`seqlab doctor`). At the full budget, MLX's own layers and compiled networks go up to 1,024 tokens: beyond
that the former would not fit into memory, and compilation follows the chain of operations by recursion.
"""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import cache, partial

import mlx.core as mx
import numpy as np

from seqlab.errors import UsageError
from seqlab.measure.blocks import Times, time_blocks
from seqlab.measure.cold import no_kernels
from seqlab.models import mingru
from seqlab.models.backbones import BACKBONES, TRANSFORMER, Size, TokenHead, matched_hidden
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.recurrence import RecurrentConfig, Stack
from seqlab.models.parts.scan import Scan
from seqlab.models.parts.stock import StockCell
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Claim, Experiment, Measurement, Point, Ratio, Trial, grid
from seqlab.notebook.experiment import BudgetName
from seqlab.notebook.figures import Curve, Interval, Level, Table
from seqlab.training import token_step
from seqlab.training.token_step import random_tokens, step_arm

HEAD = TokenHead(vocabulary=64)
SEQUENCE = 32  # tokens of a sequence where batches are compared: 64 of them are two thousand words
COMMON = 64 * SEQUENCE  # tokens: the batches up to here are timed together, each larger one with a sequence

UNROLLED_TO = 1_024  # tokens, for MLX's layers and compiled networks: beyond, memory or recursion ends them
UNROLLED = ("RNN", "LSTM", "GRU")
RECURRENT = (*UNROLLED, "minGRU")
NETWORKS = (*RECURRENT, TRANSFORMER)
STOCK, OURS, COMPILED = "mlx.nn", "ours", "ours, compiled"
SCANS: Mapping[str, Scan] = {
    "loop": "loop", "doubling": "doubling", "chunks": "chunked", "chunks, compiled": "chunked",
}  # fmt: skip


def language_model(model: str, tier: str, width: int, seed: int) -> LanguageModel:
    """The network in one implementation, as large as the Transformer, between an embedding and logits."""
    size = Size(width)
    hidden = matched_hidden(model, size, HEAD)
    mx.random.seed(seed)  # now, since matching draws from the random state
    backbone: Backbone
    if tier == STOCK:
        cells = [StockCell(model, width=width, units=hidden) for _ in range(size.depth)]
        backbone = Stack(RecurrentConfig(**size.recurrent(hidden)), [*cells])
    elif tier in SCANS:
        backbone = mingru.Model(mingru.Config(**size.recurrent(hidden), scan=SCANS[tier]))
    else:
        backbone = BACKBONES[model](size, hidden)
    return HEAD(backbone)


def default_tier(model: str) -> str:
    """The implementation that other chapters use."""
    return "chunks" if model == "minGRU" else OURS


def reference_tier(model: str) -> str:
    """The implementation that the others of a network are compared with."""
    return "loop" if model == "minGRU" else STOCK


def tiers(model: str, length: int, *, compiled: bool) -> tuple[str, ...]:
    """The implementations of a network that are timed at this length."""
    compiled = compiled and length <= UNROLLED_TO
    if model == "minGRU":
        return tuple(tier for tier in SCANS if compiled or "compiled" not in tier)
    stock = (STOCK,) if length <= UNROLLED_TO else ()
    return (*stock, OURS, *((COMPILED,) if compiled else ()))


def group_of(model: str, tier: str, length: int) -> tuple[tuple[str, str], ...]:
    """The networks and implementations that one is timed with: all uncompiled ones, or its own reference."""
    if "compiled" in tier:
        return (model, reference_tier(model)), (model, tier)
    return tuple((name, other) for name in RECURRENT for other in tiers(name, length, compiled=False))


def steps_of(largest: int) -> tuple[int, ...]:
    """Tokens in one training step: one sequence, four, sixteen … up to so many tokens."""
    return tuple(SEQUENCE * 4**power for power in range(16) if SEQUENCE * 4**power <= largest)


@cache  # all arms of a comparison at once, so that they interleave; each trial then yields its own
def timed_tiers(
    group: tuple[tuple[str, str], ...], length: int, batch: int, width: int, blocks: int, seed: int
) -> Mapping[str, Times]:
    """Networks in some implementations, at one length."""
    arms = {}
    for model, tier in group:
        network = language_model(model, tier, width, seed)
        tokens = random_tokens(HEAD.vocabulary, batch=batch, length=length)
        arms[named(model, tier)] = step_arm(network, tokens, compiled="compiled" in tier)
    with no_kernels() if seed == 0 else nullcontext():  # so that the first seed compiles from nothing
        return time_blocks(arms, blocks=blocks, rng=np.random.default_rng((seed, length)), warmup_steps=0)


@cache
def timed_batches(
    group: tuple[int, ...], width: int, blocks: int, steps: int, seed: int
) -> Mapping[str, Times]:
    """Every network, as a run of so many steps computes it, with these numbers of tokens in one step."""
    arms = {}
    for model in NETWORKS:
        for tokens in group:
            network = language_model(model, default_tier(model), width, seed)
            batch = random_tokens(HEAD.vocabulary, batch=tokens // SEQUENCE, length=SEQUENCE)
            arms[named(model, tokens)] = step_arm(network, batch, steps=steps)
    return time_blocks(arms, blocks=blocks, rng=np.random.default_rng(seed), warmup_steps=0)


def named(model: str, level: Level) -> str:
    """An arm by its network and what distinguishes it from that network's others."""
    return f"{model}: {level}"


def undisturbed(times: Times) -> Times:
    """The times, if there are any; the trial fails otherwise, so that the next command tries again."""
    if not times.kept:
        raise UsageError(
            f"expected a block in which the machine was undisturbed, found none: {times.dropped} were "
            "dropped. Give the same command again when the machine has less to do."
        )
    return times


@cache  # the same for every seed and implementation
def step_flops(model: str, width: int, batch: int, length: int) -> int:
    """Work of one training step, in FLOP, by the network's equations."""
    network = language_model(model, "loop" if model == "minGRU" else OURS, width, seed=0)
    return token_step.step_flops(network, batch=batch, length=length, sequential=model != TRANSFORMER)


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"tier": implementation, "batch": batch_size, "fixed": fixed_share}
    yield from parts[trial["part"]](trial)


def implementation(trial: Trial) -> Iterator[Measurement]:
    """One network in one implementation at one length."""
    model, length, batch = trial["model"], trial["length"], trial["batch"]
    group = group_of(model, trial["tier"], length)
    found = timed_tiers(group, length, batch, trial["width"], trial["blocks"], trial.seed)
    yield from step_measurements(trial, trial["tier"], found[named(model, trial["tier"])], batch, length)
    if (reference := found.get(named(model, reference_tier(model)))) is not None:
        for block, seconds in found[named(model, trial["tier"])].kept.items():
            yield Measurement("form_gain", reference.kept[block] / seconds, step=block)


def batch_size(trial: Trial) -> Iterator[Measurement]:
    """One network with one number of tokens in a training step."""
    model, batch = trial["model"], trial["tokens"] // SEQUENCE
    found = batches_of(trial, trial["tokens"])
    times, one = found[named(model, trial["tokens"])], found[named(model, SEQUENCE)]
    yield from step_measurements(trial, default_tier(model), times, batch, SEQUENCE)
    for block, seconds in times.kept.items():
        yield Measurement("batch_gain", batch * one.kept[block] / seconds, step=block)


def step_measurements(
    trial: Trial, tier: str, times: Times, batch: int, length: int
) -> Iterator[Measurement]:
    """Time and work of a training step."""
    for each in undisturbed(times).measurements("step_time"):
        if each.metric != "compile_time" or trial.seed == 0:  # later seeds find what the first compiled
            yield each
    for block, seconds in times.kept.items():
        yield Measurement("token_rate", batch * length / seconds, step=block)
    yield Measurement("parameters", parameters(language_model(trial["model"], tier, trial["width"], 0)))
    yield Measurement("step_flops", step_flops(trial["model"], trial["width"], batch, length))


def fixed_share(trial: Trial) -> Iterator[Measurement]:
    """The share of a single sequence's step that more sequences do not add to, block by block.

    On the line time = fixed + each x batch through the batches 1 and B, fixed = (B t_1 - t_B) / (B - 1).
    """
    largest = trial["largest"]
    times = batches_of(trial, largest)
    one, many = (undisturbed(times[named(trial["model"], tokens)]).kept for tokens in (SEQUENCE, largest))
    batch = largest // SEQUENCE
    for block, seconds in one.items():
        yield Measurement("fixed_share", (batch - many[block] / seconds) / (batch - 1), step=block)


def batches_of(trial: Trial, tokens: int) -> Mapping[str, Times]:
    """The times of the batches that one of so many tokens is compared with, a single sequence included."""
    group = steps_of(COMMON) if tokens <= COMMON else (SEQUENCE, tokens)
    return timed_batches(group, trial["width"], trial["blocks"], trial["steps"], trial.seed)


def budget(
    name: BudgetName,
    *largest: int,  # tokens of the batches that are compared with a single sequence
    lengths: tuple[int, ...],
    compiled: tuple[str, ...] = (),  # the networks that are compiled too
    seeds: int,
    timeout: float,
    **settings: Level,
) -> Budget:
    """The three parts at these lengths and batches."""
    points: tuple[Point, ...] = ()
    for length in lengths:
        for model in RECURRENT:
            names = tiers(model, length, compiled=model in compiled)
            points += grid(part="tier", model=model, tier=names, length=length, seeds=seeds)
    points += grid(part="batch", model=NETWORKS, tokens=steps_of(largest[-1]), seeds=seeds)
    points += grid(part="fixed", model=NETWORKS, largest=largest, seeds=seeds)
    return Budget(name, points, settings, timeout=timeout)


TIER, BATCH, FIXED = {"part": "tier"}, {"part": "batch"}, {"part": "fixed"}
# Of networks in an implementation, and with a number of tokens in a step.
by_length = partial(Table, rows=("model", "tier"), columns="length", where=TIER)
by_tokens = partial(Table, rows=("model",), columns="tokens", where=BATCH)
gain = partial(Curve, y="form_gain", x="length", hue="tier", x_scale="log2", y_scale="log2")
# 64 sequences in a step; the sides of a claim differ in the tokens of a step alone.
many_tokens = partial(
    Ratio, metric="token_rate", per=("model",), left={"tokens": 64 * SEQUENCE}, matched=("parameters",)
)

experiment = Experiment(
    chapter=3,
    run=run,
    # A budget that wants more precision has more seeds, each of which times everything anew.
    protocol={"batch": 8, "width": 64, "blocks": 3, "steps": 100},
    budgets=(
        budget(
            "smoke", COMMON, lengths=(8, 16), seeds=2, timeout=120, width=32, blocks=2, steps=30,
        ),
        budget("quick", COMMON, lengths=(8, 16, 32), compiled=("RNN",), seeds=5, timeout=300),
        budget(
            "full", COMMON, 16 * COMMON, lengths=(8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192),
            compiled=RECURRENT, seeds=20, timeout=8 * 3_600,
        ),
    ),
    claims=(
        Claim(
            "C02",
            many_tokens(where=BATCH | {"model": UNROLLED}, right={"tokens": SEQUENCE}, below=2.0),
            "If an RNN, an LSTM or a GRU allowed no parallelism, a training step on 64 sequences would "
            "process less than twice the tokens a second of a step on one sequence. Twice or more refutes "
            "the sentence.",
        ),
        Claim(
            "C04",
            Ratio(
                metric="step_time", per=("model", "length"), along="length",
                where=TIER | {"model": UNROLLED}, left={"tier": STOCK},
                right=({"tier": OURS}, {"tier": COMPILED}), below=2.0, matched=("parameters",),
            ),
            "If the sequential steps were what makes recurrent networks slow, the implementation would "
            "matter little: MLX's own layers would take less than twice the time of the fastest of our "
            "implementations of the same network. The chapter on throughput compares recurrent networks "
            "with attention.",
        ),
        Claim(
            "C12",
            many_tokens(where=BATCH, along="model", right={"tokens": 4 * SEQUENCE}, above=1.0),
            "A training step on thousands of words, here 2,048 tokens, processes more tokens a second than "
            "one on a hundred, here 128. The rule tests every network, since the sentence distinguishes the "
            "Transformer only if the others fail.",
        ),
        Claim(
            "C14",
            many_tokens(where=BATCH, along="model", right={"tokens": SEQUENCE}, above=1.0),
            "A training step on a batch of 64 whole sequences processes more tokens a second than a step on "
            "one of them. The rule tests every network, since the sentence distinguishes the Transformer "
            "only if the others fail.",
        ),
    ),
    figures=(
        Curve(
            x="tokens", y="batch_gain", hue="model", where=BATCH, x_scale="log2", y_scale="log2",
            guides={"no parallelism": 1.0, "twice": 2.0},
            caption="Training throughput in tokens a second, relative to that of one sequence of 32 tokens, "
            "against the tokens in a step: one sequence, four, sixteen and so on, at equal parameters. A "
            "rising line shows work done in parallel. Without parallelism it would stay at the lower dashed "
            "line; above the upper one the sentence is refuted.",
        ),
        Interval(
            x="fixed_share", y="model", columns="largest", where=FIXED,
            caption="The share of a training step on a single sequence that further sequences, up to the "
            "largest batch in tokens, do not add to: launching operations, waiting, updating the weights. "
            "The rest is work on the sequence itself.",
        ),
        gain(
            columns="model", where=TIER | {"model": UNROLLED}, guides={"twice": 2.0},
            caption="Speed of a training step on eight sequences, relative to MLX's own layers, against the "
            "length, for each implementation of the same network.",
        ),
        gain(
            where=TIER | {"model": "minGRU"},
            caption="Speed of a training step of the minGRU by two parallel scans, relative to a loop over "
            "the same steps, against the length.",
        ),
        by_length(
            metrics=("step_time",),
            caption="Time of a training step on eight sequences, by length. The shortest of each network is "
            "that of the best implementation on this device.",
        ),
        by_length(
            metrics=("compile_time",),
            caption="Time of the very first step, compilation included, for the first seed alone. The length "
            "that ran first found nothing compiled, and the others reuse its kernels, so the cold start is "
            "the largest number of a row.",
        ),
        by_tokens(
            metrics=("token_rate",),
            caption="Training throughput in tokens a second, by the tokens in one step.",
        ),
        by_tokens(metrics=("step_flops",), caption="Work of that step, at equal parameters."),
        Table(
            rows=("model",), metrics=("parameters", "blocks_dropped"), where=BATCH,
            caption="Parameters, and blocks dropped because the machine was disturbed.",
        ),
    ),
)  # fmt: skip
