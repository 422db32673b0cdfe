"""How fast can a recurrent network be made, and what in it is parallel?

A recurrent network has to take its steps in order; an earlier chapter counts them. How long a step takes, and
what goes on side by side in it, is another question, and the answer depends on who wrote the code.

An RNN, an LSTM and a GRU are trained in three ways, by the same equations. The layers that come with MLX cut
one step after another out of the whole sequence, and the gradient of each cut fills an array as long as the
sequence, so that their cost grows with the square of the length. Ours cut the sequence into parts and those
into parts again. Compiled, the many small operations of ours become few. The minGRU of @feng2024rnns, whose
gate does not look at the state, is computed as a loop, by doubling, and by chunks side by side. How much such
work can bring is known from GPUs: an order of magnitude over a plain implementation when the parallelism
within the network was first used [@appleyard2016optimizing], and fifty times with kernels made for the
registers of a chip [@poppel2024flashrnn]. MLX has no kernel of that last kind, and so there is none here: a
verdict from a GPU is one on recurrent networks without it.

What is parallel in a recurrent network is the batch, to begin with. One sequence or many take the same
number of steps, and each step is then a larger matrix product. So the number of tokens in one training step
is raised from a single sequence to many, for the recurrent networks and for a Transformer of as many
parameters. If more tokens a second go through the more there are in a step, then the sentences on training
with batches of whole sequences, and of thousands of words, are true. If that holds for every network, they
say nothing of Transformers in particular.

The time of a single sequence has two parts: one that every further sequence adds again, and one that is there
anyway. The second is launching operations, waiting for the one before, and changing the weights. A straight
line through the times of the smallest and the largest batch tells them apart.

All ways of one length, and all batches, are timed in turn, in blocks of changing order. On a processor it
takes ten seconds and more to compile a network, so that the smoke budget compiles none and the quick budget
the RNN alone. Where batches are compared, networks are compiled if this device's settings say that it repays
itself (`seqlab doctor`). At the full budget, MLX's own layers and compiled ones go no further than 1,024
tokens: the first would not fit into memory, and compilation follows the chain of operations by recursion.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import cache, partial

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.errors import UsageError
from seqlab.measure.blocks import Arm, Times, time_blocks
from seqlab.measure.cold import no_kernels
from seqlab.measure.flops import training_step_flops
from seqlab.models import gru, lstm, mingru, rnn, transformer
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.losses import token_loss
from seqlab.models.parts.recurrence import Cell, CellState, RecurrentConfig, Stack
from seqlab.models.parts.scan import Scan
from seqlab.models.sizing import match_parameters, parameters
from seqlab.notebook import (
    Budget,
    Claim,
    Curve,
    Experiment,
    Interval,
    Level,
    Measurement,
    Point,
    Ratio,
    Table,
    Trial,
    grid,
)
from seqlab.notebook.experiment import BudgetName
from seqlab.training import adamw, training_step

VOCABULARY = 64  # of the random tokens; what they say does not matter to the clock
DEPTH = 2
SEQUENCE = 32  # tokens of a sequence where batches are compared: 64 of them are two thousand words
COUNTED = (4, 8)  # tokens at which a recurrence's work is counted; from there it is a straight line

UNROLLED = ("RNN", "LSTM", "GRU")
RECURRENT = (*UNROLLED, "minGRU")
NETWORKS = (*RECURRENT, "Transformer")
STOCK, OURS, COMPILED = "mlx.nn", "ours", "ours, compiled"
SCANS: Mapping[str, Scan] = {
    "loop": "loop", "doubling": "doubling", "chunks": "chunked", "chunks, compiled": "chunked",
}  # fmt: skip
LAYERS: Mapping[str, Callable[[int, int], nn.Module]] = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


class StockCell(Cell):
    """A layer of mlx.nn as it comes, in the place of one of ours."""

    def __init__(self, model: str, *, width: int, units: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nn.Module's is not annotated
        self.units = units
        self.layer = LAYERS[model](width, units)

    def extend(self, x: mx.array, state: CellState | None) -> tuple[mx.array, CellState]:
        """All states of every step; an LSTM has two."""
        found = self.layer(x, *(state or ()))
        states = found if isinstance(found, tuple) else (found,)
        return states[0], tuple(each[:, -1] for each in states)

    def step(self, x: mx.array, state: CellState) -> tuple[mx.array, CellState]:
        """One step, as a sequence of one."""
        y, state = self.extend(x[:, None], state)
        return y[:, 0], state


def backbone(model: str, tier: str, *, width: int, hidden: int) -> Backbone:
    """One network, written in one of the ways; `hidden` is the size that is free to match parameters."""
    if model == "Transformer":
        return transformer.Model(transformer.Config(width=width, depth=DEPTH, hidden=hidden))
    if tier == STOCK:
        cells: list[Cell] = [StockCell(model, width=width, units=hidden) for _ in range(DEPTH)]
        return Stack(RecurrentConfig(width=width, depth=DEPTH, hidden=hidden, residual=True), cells)
    if model == "minGRU":
        return mingru.Model(
            mingru.Config(width=width, depth=DEPTH, hidden=hidden, residual=True, scan=SCANS[tier])
        )
    if model == "RNN":
        return rnn.Model(rnn.Config(width=width, depth=DEPTH, hidden=hidden, residual=True))
    if model == "LSTM":
        return lstm.Model(lstm.Config(width=width, depth=DEPTH, hidden=hidden, residual=True))
    return gru.Model(gru.Config(width=width, depth=DEPTH, hidden=hidden, residual=True))


def as_usual(model: str) -> str:
    """The way in which other chapters compute a network."""
    return "chunks" if model == "minGRU" else OURS


@cache
def matched_hidden(model: str, width: int) -> int:
    """The free size that gives a network as many parameters, within 2 %, as the Transformer of this width."""

    def make(name: str, hidden: int) -> LanguageModel:
        return LanguageModel(
            backbone(name, as_usual(name), width=width, hidden=hidden), vocabulary=VOCABULARY
        )

    if model == "Transformer":
        return 4 * width
    target = parameters(make("Transformer", 4 * width))
    return match_parameters(partial(make, model), target, low=width // 2, high=16 * width)


def language_model(model: str, tier: str, width: int) -> LanguageModel:
    """The network between an embedding and logits, drawn from MLX's random state."""
    hidden = matched_hidden(model, width)
    return LanguageModel(backbone(model, tier, width=width, hidden=hidden), vocabulary=VOCABULARY)


def arm(
    model: str,
    tier: str,
    *,
    width: int,
    batch: int,
    length: int,
    seed: int,
    steps: int = 1,
    compiled: bool | None = None,
) -> Arm:
    """A whole training step on random tokens."""
    matched_hidden(model, width)  # now, for it draws from the random state
    mx.random.seed(seed)
    network = language_model(model, tier, width)
    tokens, targets = mx.random.randint(0, VOCABULARY, (2, batch, length))
    optimizer = adamw(1e-3)
    step = training_step(network, token_loss, optimizer, steps=steps, compiled=compiled)
    return Arm(lambda: step(tokens, targets), state=[network.state, optimizer.state])


def tiers(model: str, length: int, *, compiled: str, unrolled_to: int) -> tuple[str, ...]:
    """The ways in which a network is computed at this length; `compiled` names the networks compiled too."""
    compiles = model in compiled.split() and length <= unrolled_to
    if model == "minGRU":
        return tuple(tier for tier in SCANS if compiles or "compiled" not in tier)
    stock = (STOCK,) if length <= unrolled_to else ()
    return (*stock, OURS, *((COMPILED,) if compiles else ()))


def steps_of(largest: int) -> tuple[int, ...]:
    """Tokens in one training step: one sequence, four, sixteen … up to so many tokens."""
    return tuple(SEQUENCE * 4**power for power in range(16) if SEQUENCE * 4**power <= largest)


@cache  # all arms of a comparison at once, so that they interleave; each trial then yields its own
def timed_tiers(
    length: int, batch: int, width: int, blocks: int, compiled: str, unrolled_to: int, seed: int
) -> Mapping[str, Times]:
    """Every recurrent network in every way, at one length."""
    arms = {
        named(model, tier): arm(
            model, tier, width=width, batch=batch, length=length, seed=seed, compiled="compiled" in tier
        )
        for model in RECURRENT
        for tier in tiers(model, length, compiled=compiled, unrolled_to=unrolled_to)
    }
    with no_kernels() if seed == 0 else nullcontext():  # what is compiled is so for the first time
        return time_blocks(arms, blocks=blocks, rng=np.random.default_rng((seed, length)), warmup_steps=0)


@cache
def timed_batches(largest: int, width: int, blocks: int, steps: int, seed: int) -> Mapping[str, Times]:
    """Every network, as a run of so many steps computes it, with every number of tokens in one step."""
    arms = {
        named(model, tokens): arm(
            model, as_usual(model), width=width, batch=tokens // SEQUENCE, length=SEQUENCE, seed=seed,
            steps=steps,
        )
        for model in NETWORKS
        for tokens in steps_of(largest)
    }  # fmt: skip
    return time_blocks(arms, blocks=blocks, rng=np.random.default_rng(seed), warmup_steps=0)


def named(model: str, level: Level) -> str:
    """An arm by its network and what tells it from that network's others."""
    return f"{model}: {level}"


def settled(times: Times) -> Times:
    """The times, if there are any; the trial fails otherwise, so that the next command tries again."""
    if not times.kept:
        raise UsageError(
            f"expected a block in which the machine was as usual, found none: {times.dropped} were dropped. "
            "Give the same command again when the machine has less to do."
        )
    return times


@cache  # the same for every seed
def step_flops(model: str, width: int, batch: int, length: int) -> int:
    """Work of one training step, in FLOP, as the network's equations have it, whoever wrote it.

    A recurrence does the same for every token after the first, so two short ones tell what a long one takes.
    """
    plain = "loop" if model == "minGRU" else OURS

    def counted(tokens: int) -> int:
        given = mx.zeros((batch, tokens), dtype=mx.int32)
        return training_step_flops(language_model(model, plain, width), token_loss, given, given)

    if model == "Transformer":
        return counted(length)
    short, long = COUNTED
    at_short, at_long = counted(short), counted(long)
    return at_short + (at_long - at_short) * (length - short) // (long - short)


def run(trial: Trial) -> Iterator[Measurement]:
    """One network in one way at one length, or with one number of tokens in a step, or its fixed share."""
    if trial["part"] == "fixed":
        yield from fixed_share(trial)
        return
    model, width = trial["model"], trial["width"]
    if trial["part"] == "tier":
        tier, tokens = trial["tier"], trial["batch"] * trial["length"]
        asked = [trial[name] for name in ("length", "batch", "width", "blocks", "compiled", "unrolled_to")]
        found = timed_tiers(*asked, trial.seed)
        times = found[named(model, tier)]
        usual = found.get(named(model, "loop" if model == "minGRU" else STOCK))
        gain, usual_tokens = "form_gain", tokens
    else:
        tier, tokens = as_usual(model), trial["tokens"]
        found = timed_batches_of(trial)
        times, usual = found[named(model, tokens)], found[named(model, SEQUENCE)]
        gain, usual_tokens = "batch_gain", SEQUENCE
    for each in settled(times).measurements("step_time"):
        if each.metric != "compile_time" or trial.seed == 0:  # later seeds find what the first compiled
            yield each
    for block, seconds in times.kept.items():
        yield Measurement("token_rate", tokens / seconds, step=block)
        if usual is not None:
            yield Measurement(gain, tokens / seconds / (usual_tokens / usual.kept[block]), step=block)
    length = trial.get("length", SEQUENCE)
    yield Measurement("parameters", parameters(language_model(model, tier, width)))
    yield Measurement("step_flops", step_flops(model, width, tokens // length, length))


def timed_batches_of(trial: Trial) -> Mapping[str, Times]:
    """The group that the trial belongs to."""
    return timed_batches(trial["largest"], trial["width"], trial["blocks"], trial["steps"], trial.seed)


def fixed_share(trial: Trial) -> Iterator[Measurement]:
    """The share of a single sequence's step that more sequences do not add to, block by block.

    On the line time = fixed + each x batch through the batches 1 and B, fixed = (B t_1 - t_B) / (B - 1).
    """
    times, largest = timed_batches_of(trial), steps_of(trial["largest"])[-1]
    one, many = (settled(times[named(trial["model"], tokens)]).kept for tokens in (SEQUENCE, largest))
    batch = largest // SEQUENCE
    for block, seconds in one.items():
        yield Measurement("fixed_share", (batch - many[block] / seconds) / (batch - 1), step=block)


TIER, BATCH, FIXED = {"part": "tier"}, {"part": "batch"}, {"part": "fixed"}


def budget(
    name: BudgetName, *, lengths: tuple[int, ...], seeds: int, timeout: float, **settings: Level
) -> Budget:
    """The three parts at these lengths, with these settings."""
    ways: tuple[Point, ...] = ()
    for length in lengths:
        for model in RECURRENT:
            names = tiers(
                model, length, compiled=str(settings["compiled"]), unrolled_to=int(settings["unrolled_to"])
            )
            ways += grid(part="tier", model=model, tier=names, length=length, seeds=seeds)
    batches = grid(part="batch", model=NETWORKS, tokens=steps_of(int(settings["largest"])), seeds=seeds)
    return Budget(
        name, ways + batches + grid(part="fixed", model=NETWORKS, seeds=seeds), settings, timeout=timeout
    )


experiment = Experiment(
    chapter=3,
    run=run,
    budgets=(
        budget(
            "smoke", lengths=(8, 16), seeds=2, timeout=120,
            batch=8, width=32, blocks=2, largest=2048, steps=30, compiled="none", unrolled_to=1024,
        ),
        budget(
            "quick", lengths=(8, 16, 32), seeds=5, timeout=300,
            batch=8, width=64, blocks=3, largest=2048, steps=90, compiled="RNN", unrolled_to=1024,
        ),
        budget(
            "full", lengths=(64, 128, 256, 512, 1024, 2048, 4096, 8192), seeds=10, timeout=8 * 3_600,
            batch=8, width=64, blocks=30, largest=32_768, steps=5_000, compiled="RNN LSTM GRU minGRU",
            unrolled_to=1024,
        ),
    ),
    claims=(
        Claim(
            "C02",
            Ratio(
                metric="token_rate", per=("model",), where=BATCH | {"model": UNROLLED},
                left={"tokens": 64 * SEQUENCE}, right={"tokens": SEQUENCE}, below=2.0,
                matched=("parameters",),
            ),
            "If there were no parallelism in an RNN, an LSTM or a GRU, a training step on 64 sequences would "
            "bring less than twice the tokens a second of a step on one; twice or more refutes the sentence.",
        ),
        Claim(
            "C04",
            Ratio(
                metric="step_time", per=("model", "length"), along="length",
                where=TIER | {"model": UNROLLED}, left={"tier": STOCK},
                right=({"tier": OURS}, {"tier": COMPILED}), below=2.0, matched=("parameters",),
            ),
            "If taking steps were what makes recurrent networks slow, it would not matter much who wrote "
            "them: MLX's own layers would take less than twice the time of the fastest of our forms of the "
            "same network. How recurrent networks fare against attention is asked in the chapter on "
            "throughput.",
        ),
        Claim(
            "C12",
            Ratio(
                metric="token_rate", per=("model",), along="model", where=BATCH,
                left={"tokens": 64 * SEQUENCE}, right={"tokens": 4 * SEQUENCE}, above=1.0,
                matched=("parameters",),
            ),
            "A training step on thousands of words, here 2,048 tokens, brings more tokens a second than one "
            "on a hundred, here 128. Every network is asked, since the sentence sets the Transformer apart "
            "only if the others fail.",
        ),
        Claim(
            "C14",
            Ratio(
                metric="token_rate", per=("model",), along="model", where=BATCH,
                left={"tokens": 64 * SEQUENCE}, right={"tokens": SEQUENCE}, above=1.0,
                matched=("parameters",),
            ),
            "A training step on a batch of 64 whole sequences brings more tokens a second than a step on one "
            "of them. Every network is asked, since the sentence sets the Transformer apart only if the "
            "others fail.",
        ),
    ),
    figures=(
        Curve(
            x="tokens", y="batch_gain", hue="model", where=BATCH, x_scale="log2", y_scale="log2",
            guides={"no parallelism": 1.0, "twice": 2.0},
            caption="Tokens a second in training, over those of one sequence of 32, against the tokens in a "
            "step: one such sequence, four, sixteen and so on, at equal parameters. A line that climbs is "
            "work that goes on side by side. The lower dashed line has none; above the upper one the "
            "sentence is refuted.",
        ),
        Interval(
            x="fixed_share", y="model", where=FIXED,
            caption="The share of a single sequence's training step that no further sequence adds to: "
            "launching, waiting, changing the weights. The rest is the work on the sequence itself.",
        ),
        Curve(
            x="length", y="form_gain", hue="tier", columns="model",
            where=TIER | {"model": UNROLLED}, x_scale="log2", y_scale="log2", guides={"twice": 2.0},
            caption="The same networks by who wrote them, against the length, eight sequences at a time: how "
            "many times as fast as MLX's own layers a training step is.",
        ),
        Curve(
            x="length", y="form_gain", hue="tier", where=TIER | {"model": "minGRU"},
            x_scale="log2", y_scale="log2",
            caption="The minGRU by two scans, against the length: how many times as fast as a loop over the "
            "same steps.",
        ),
        Table(
            rows=("model", "tier"), columns="length", metrics=("step_time",), where=TIER,
            caption="Time of a training step of eight sequences, by length. Of each network, the shortest is "
            "the best that there is on this device.",
        ),
        Table(
            rows=("model", "tier"), columns="length", metrics=("compile_time",), where=TIER,
            caption="The very first step, compilation included, of the first seed alone. The length that "
            "came first found nothing compiled, and the others use its kernels: the cold start is a row's "
            "largest number.",
        ),
        Table(
            rows=("model",), columns="tokens", metrics=("token_rate",), where=BATCH,
            caption="Tokens a second in training, by the tokens in one step.",
        ),
        Table(
            rows=("model",), columns="tokens", metrics=("step_flops",), where=BATCH,
            caption="Work of that step, at equal parameters.",
        ),
        Table(
            rows=("model",), metrics=("parameters", "blocks_dropped"), where=BATCH,
            caption="Parameters, and blocks that were dropped because the machine had changed.",
        ),
    ),
)  # fmt: skip
