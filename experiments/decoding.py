"""Does a Transformer with a cache write faster than a recurrent network?

A model that writes reads the token that it has just chosen, then chooses the next one. A recurrent network
reads the token into a state whose size never changes. A Transformer compares the token with all tokens before
it. It keeps their keys and values in a cache and does not compute them again, but it must read all of them,
and the cache grows with the text. The article says that this cache makes Transformers much faster than
recurrent networks. The authors of a state space model, which is recurrent, report a higher throughput than a
Transformer's [@gu2023mamba].

Here the models write side by side: in every block of time measurements each model writes a few tokens after
a context of the same length. All have as many parameters as the Transformer, within 2 %. The cache is exactly
as long as the text, which favours the Transformer. Its opponent is the recurrent network that is fastest at
that length. A decoding step can be compiled or not, and attention has several equal kernels; each model runs
in the variant that was fastest for it in a trial before. On a CPU, compiling takes longer than writing these
tokens; the full budget therefore tries compiled variants there in a comparison of its own, which shows what
the verdicts leave out.

Equal parameters are not equal work. A recurrent network that may do as much work for a token as the
Transformer does after that context can be larger, so a second comparison enlarges an RNN and an LSTM until
their work per token equals the Transformer's.

In a small model, starting the operations may take longer than doing them, and a Transformer has more of them.
Networks of two widths separate this effect from the cost of the cache.

Work and memory follow from the equations, without a clock: the operations of one token, and the bytes that it
must read, which are the weights, once for all sequences of a batch, and the sequence's own cache or state.

Evidence for "much faster" would be a Transformer that takes at most two thirds of the time of the fastest
recurrent network. All times are those of this machine, with random weights and tokens.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import mlx.core as mx
import numpy as np

from seqlab.decoding.costs import decode_bytes, decode_flops, match_decode_flops, uncached_decode_flops
from seqlab.decoding.timing import Workload, decode_arm, fastest, uncached_decode_arm, variants
from seqlab.measure.blocks import Times, time_blocks
from seqlab.measure.memory import cache_bytes
from seqlab.models.backbones import BACKBONES, TRANSFORMER, Size, TokenHead, matched_hidden
from seqlab.models.heads import LanguageModel
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Claim, Experiment, Measurement, Point, Ratio, Trial, grid
from seqlab.notebook.figures import Curve, Table, Where

SMALL, LARGE = 64, 512  # widths: in the small one, starting operations may take longer than doing them
RECURRENT = ("RNN", "LSTM", "GRU", "minGRU", "LRU")  # the opponents
LINEAR = "Linear attention"  # shown beside them
MATCHED = (TRANSFORMER, *RECURRENT, LINEAR)  # all with the Transformer's parameters
UNCACHED = "Transformer, no cache"
UNCACHED_UP_TO = 2_048  # tokens of a batch: each written token reads all of them again
EQUAL_WORK = {"RNN, equal work": "RNN", "LSTM, equal work": "LSTM"}  # with the Transformer's work per token
BACKBONE_OF = {LINEAR: "linear attention", UNCACHED: TRANSFORMER, **EQUAL_WORK}  # others: of the same name
HEAD = TokenHead(vocabulary=64)  # of random tokens


def model_of(name: str, *, width: int, hidden: int) -> LanguageModel:
    """The model of this name and size, with whatever weights MLX's random state gives."""
    # How weights start changes no time, and an orthogonal start of a large network takes seconds.
    return HEAD(BACKBONES[BACKBONE_OF.get(name, name)](Size(width, orthogonal=False), hidden))


@cache
def hidden_size(name: str, width: int, context: int) -> int:
    """The free size that gives the Transformer's parameters, or its work for a token after a context."""
    matched = matched_hidden(BACKBONE_OF.get(name, name), Size(width, orthogonal=False), HEAD)
    if name not in EQUAL_WORK:
        return matched
    target = decode_flops(model_of(TRANSFORMER, width=width, hidden=4 * width), context=context)
    return match_decode_flops(
        lambda hidden: model_of(name, width=width, hidden=hidden), target, context=context, most=64 * width
    )


def sized(name: str, *, width: int, context: int, seed: int = 0) -> LanguageModel:
    """The model that a comparison at this width and context uses under this name."""
    hidden = hidden_size(name, width, context)  # first: it draws from the random state
    mx.random.seed(seed)
    return model_of(name, width=width, hidden=hidden)


def without_cache(width: int, batch: int, context: int) -> bool:
    """Whether the Transformer also writes without a cache: the small one, where that takes not too long."""
    return width == SMALL and batch * context <= UNCACHED_UP_TO


@dataclass(frozen=True)
class Comparison:
    """The models that are timed side by side: of one width, after one context, in one batch."""

    width: int
    work: Workload
    seed: int
    blocks: int
    compiled: bool  # whether compiled variants are tried on a CPU too

    @property
    def uncached(self) -> bool:
        """Whether the Transformer without a cache is among them."""
        return without_cache(self.width, self.work.batch, self.work.context)


@dataclass(frozen=True)
class Pace:
    """A model's times in its fastest variant, and what compiling gains where both were tried."""

    parameters: int
    times: Times
    compile_gain: float | None


@cache  # one measurement serves the trials of all its models
def paces(comparison: Comparison) -> Mapping[str, Pace]:
    """Time all models of a comparison in every block, each in its fastest variant."""
    rng = np.random.default_rng(comparison.seed)
    work, arms, sizes = comparison.work, {}, {}
    first: dict[str, float | None] = {}
    gains: dict[str, float | None] = {}
    for name in (*MATCHED, *EQUAL_WORK, *([UNCACHED] if comparison.uncached else [])):
        model = sized(name, width=comparison.width, context=work.context, seed=comparison.seed)
        mx.eval(model.state)
        sizes[name] = parameters(model)
        if name == UNCACHED:
            arms[name] = uncached_decode_arm(model, work)
            continue
        choice = fastest(model, work, variants(model, compiled=comparison.compiled), rng)
        arms[name] = decode_arm(model, work, choice.variant)
        # If it was tried, that call was its cold one: it is compiled now.
        first[name], gains[name] = choice.first, choice.compile_gain
    return {
        name: Pace(sizes[name], replace(times, first=first.get(name) or times.first), gains.get(name))
        for name, times in time_blocks(arms, blocks=comparison.blocks, rng=rng).items()
    }


def decode(trial: Trial) -> Iterator[Measurement]:
    """Time in which each sequence of the batch gets one more token."""
    width, batch, context = trial["width"], trial["batch"], trial["context"]
    small = width == SMALL
    found = paces(
        Comparison(
            width,
            Workload(context, batch, trial["tokens_at_once"] if small else 1),  # one takes long enough there
            trial.seed,
            blocks=trial["blocks"],
            compiled=trial["part"] == "compiled",
        )
    )
    own, transformer = found[trial["model"]], found[TRANSFORMER].times.kept
    yield Measurement("parameters", own.parameters)
    yield from own.times.measurements("token_time")
    for block, taken in own.times.kept.items():
        yield Measurement("relative_token_time", taken / transformer[block], step=block)
    if own.compile_gain is not None:
        yield Measurement("compile_gain", own.compile_gain)


def work(trial: Trial) -> Iterator[Measurement]:
    """Operations of a token, and the bytes that must be read for it."""
    name, context = trial["model"], trial["context"]
    model = sized(name, width=trial["width"], context=context)
    yield Measurement("parameters", parameters(model))
    if name == UNCACHED:
        yield Measurement("token_flops", uncached_decode_flops(model, context=context))
        return
    yield Measurement("token_flops", decode_flops(model, context=context))
    yield Measurement("cache_bytes", cache_bytes(model.initial_state(1, context).memory))
    yield Measurement("token_bytes", decode_bytes(model, context=context, batch=trial["batch"]))


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    yield from {"decode": decode, "compiled": decode, "work": work}[trial["part"]](trial)


Lengths = tuple[int, ...]


def points(contexts: Mapping[tuple[int, int], Lengths], *, seeds: int) -> tuple[Point, ...]:
    """Contexts to write after, by width and batch."""
    found: tuple[Point, ...] = ()
    for (width, batch), lengths in contexts.items():
        sizes = {"width": width, "batch": batch}
        short = [length for length in lengths if without_cache(width, batch, length)]
        for part, repeats in (("decode", seeds), ("work", None)):
            found += grid(part=part, model=(*MATCHED, *EQUAL_WORK), context=lengths, seeds=repeats, **sizes)
            found += grid(part=part, model=UNCACHED, context=short, seeds=repeats, **sizes)
    return found


def transformer_over(metric: str, names: Iterable[str], **rule: Any) -> Ratio:
    """The Transformer's metric over that of the best of some others, from context to context."""
    return Ratio(
        metric=metric, along="context",
        left={"model": TRANSFORMER}, right=tuple({"model": name} for name in names), **rule,
    )  # fmt: skip


CELLS = ("width", "batch", "context")
DECODE, WORK = {"part": "decode"}, {"part": "work"}
SMALL_ALONE = {"width": SMALL, "batch": 1}


def relative_time(columns: str, where: Where, caption: str) -> Curve:
    """Times over the Transformer's, block by block."""
    return Curve(
        x="context", y="relative_token_time", hue="model", columns=columns,
        x_scale="log2", y_scale="log2",
        where={**DECODE, **where, "model": (*RECURRENT, LINEAR, *EQUAL_WORK)},
        guides={"equal": 1.0, "“much faster”": 1.5}, caption=caption,
    )  # fmt: skip


LONG = (64, 256, 512, 1_024, 4_096, 8_192, 16_384, 32_768)

experiment = Experiment(
    chapter=7,
    run=run,
    # A budget that wants more precision has more seeds, each of which times everything anew.
    protocol={"tokens_at_once": 2, "blocks": 3},
    budgets=(
        Budget(
            "smoke",
            points({(SMALL, 1): (64, 256), (SMALL, 32): (64,)}, seeds=2),
            {"blocks": 2},
            timeout=60,
        ),
        Budget(
            "quick",
            points(
                {(SMALL, 1): (64, 512, 8_192), (SMALL, 32): (64, 512), (LARGE, 1): (64, 4_096)}, seeds=5
            ),
            timeout=180,
        ),
        Budget(
            "full",
            points(
                {
                    **dict.fromkeys(((SMALL, 1), (SMALL, 32), (LARGE, 1)), LONG),
                    (LARGE, 32): (64, 256, 1_024, 4_096),  # a cache of 1 GB
                },
                seeds=20,
            )
            + grid(
                part="compiled", model=(*MATCHED, *EQUAL_WORK), width=SMALL, batch=1, context=(64, 1_024),
                seeds=5,
            ),
            timeout=4 * 3_600,
        ),
    ),
    claims=(
        Claim(
            "C17",
            transformer_over(
                "token_time", RECURRENT, per=CELLS, where=DECODE, below=1 / 1.5, matched=("parameters",)
            ),
            "“Much faster” is read as one and a half times: at equal parameters, the Transformer with its "
            "cache takes at most two thirds of the time that the fastest recurrent network takes for a "
            "token. A ratio above 1 means that the Transformer is slower.",
        ),
        Claim(
            "C17",
            transformer_over("token_time", EQUAL_WORK, per=CELLS, where=DECODE, below=1 / 1.5, matched=()),
            "The Transformer also takes at most two thirds of the time of recurrent networks so large that "
            "they do as much work for a token as it does after that context. They are sized by work, so "
            "parameters differ.",
        ),
        Claim(
            "C19",
            Ratio(
                metric="token_time", per=("batch", "context"), along="context",
                where=DECODE | {"width": SMALL},
                left={"model": TRANSFORMER}, right={"model": UNCACHED}, below=1.0, matched=("parameters",),
            ),
            "The sentence continues “with caching boosting speed”: the Transformer takes less time for a "
            "token with its cache than without.",
        ),
        Claim(
            "C37",
            transformer_over(
                "token_flops", RECURRENT, per=("width", "context"), where=WORK | {"batch": 1},
                below=1.05, matched=("parameters",), seeds=1,
            ),
            "“Maximizing efficiency” is read as: at equal parameters no recurrent network writes a token "
            "with less work than the Transformer, within 5 %.",
        ),
        Claim(
            "C37",
            transformer_over(
                "token_bytes", RECURRENT, per=CELLS, where=WORK,
                below=1.05, matched=("parameters",), seeds=1,
            ),
            "No recurrent network of equal parameters reads less memory for a token, within 5 %: the "
            "weights, which the sequences of a batch share, and the sequence's own cache or state.",
        ),
    ),
    figures=(
        Curve(
            x="context", y="token_time", hue="model", columns="batch", x_scale="log2", y_scale="log10",
            where=DECODE | {"width": SMALL, "model": (*MATCHED, UNCACHED)},
            caption="Time in which each sequence of the batch gets one more token, against the number of "
            "tokens before it, at equal parameters.",
        ),
        relative_time(
            "batch", {"width": SMALL},
            "Time per token relative to the cached Transformer, block by block. Below the lower dashed line "
            "a recurrent network is faster; above the upper one the Transformer is much faster. “Equal "
            "work” names a network enlarged until a token takes it as many operations as the Transformer.",
        ),
        relative_time(
            "width", {"batch": 1},
            "Does the ratio depend on the size of the model? Networks of two widths, one sequence.",
        ),
        Curve(
            x="context", y="token_flops", hue="model", x_scale="log2", y_scale="log10",
            where=WORK | SMALL_ALONE | {"model": (*MATCHED, UNCACHED)},
            caption="Operations for one written token against the number of tokens before it, at equal "
            "parameters.",
        ),
        Table(
            rows=("model", "width", "batch"), columns="context", metrics=("token_time",),
            where=DECODE | {"model": (*MATCHED, UNCACHED)},
            caption="Time of a written token, by the length of the context.",
        ),
        Table(
            rows=("model", "width"), where=DECODE | {"batch": 1, "model": MATCHED},
            metrics=("compile_time", "compile_gain", "blocks_dropped", "parameters"),
            caption="Time of the first, cold step, which writes several tokens; what compiling gains, where "
            "both were tried; blocks dropped because the machine's speed drifted; and size. One sequence, "
            "all contexts.",
        ),
        Table(
            rows=("model",), columns="context", metrics=("relative_token_time",),
            where={"part": "compiled", "model": (*RECURRENT, LINEAR, *EQUAL_WORK)},
            caption="Time per token relative to the cached Transformer, where compiled variants were tried "
            "on a CPU too, and each model runs in its fastest.",
        ),
        Table(
            rows=("model",), columns="context", metrics=("compile_gain",), where={"part": "compiled"},
            caption="What compiling gains in that comparison.",
        ),
        Table(
            rows=("model",), columns="context", where=WORK | SMALL_ALONE | {"model": MATCHED},
            metrics=("cache_bytes",),
            caption="Memory that one sequence keeps: the Transformer's cache, the other models' state.",
        ),
    ),
)  # fmt: skip
