"""Is a Transformer with a cache faster at writing than a recurrent network, and must it write one by one?

A model that writes reads the token that it has just chosen, then chooses the next. A recurrent network
reads it into a state whose size never changes. A Transformer compares it with all tokens before. It need
not compute their keys and values again, for it keeps them in a cache, but it must look at all of them, and
the cache grows with the text. The article says that this cache makes it much faster than recurrent
networks. State space models, which are recurrent, report a higher throughput [@gu2023mamba].

Here all of them write side by side: in every block of the clock each model writes a few tokens after a
context of the same length. All have as many parameters as the Transformer, within two hundredths. The cache
has no empty place to look at, which favours the Transformer. The opponent is the recurrent network that is
fastest at that length, and each model runs in the fastest way that was found for it, in a trial of its own.
A network that may do as much work for a token as the Transformer does after that context can be larger, so
a second comparison grows one until its work is the same.

Reading a prompt is another matter than writing. All of its tokens are known, so a Transformer takes them at
once. The longest path through both, counted in MLX's graph, says so without a clock.

Is "one by one" a law? Each token depends on the one chosen before it: the chapter puts the second most
probable token in its place and looks what becomes of the next. But a token that depends on another can
still be guessed before that other is there. @stern2018blockwise let a model check several guesses in one
pass, keep those that it would have written itself, and report up to half the passes without a loss;
@leviathan2023fast do so for tokens that are drawn, and report an acceleration of two to three times with
identical outputs. Guesses may come from a smaller model or, as here, from the text itself: what followed
when the last three characters stood there before [@saxena2023prompt]. A small Transformer learns to write
Shakespeare and goes on from places of a play that it has not seen, once plainly and once with guesses.
Greedy writing repeats itself, a small model's more than a large one's, so guessing is easy here: the count
of passes shows that there is an exception, not how much it saves a large model.

In a small model, starting the operations may take longer than doing them, and a Transformer has more of
them. Networks of two widths tell this apart from the cost of the cache.

Work and memory are those of the model's equations: the operations of one token, and the weights and the
cache or state that it must read, the weights once for all sequences of a batch.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from itertools import product, takewhile
from math import inf, log, prod
from operator import eq
from statistics import median
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_map

from seqlab.decoding.generate import Decoder, generate
from seqlab.decoding.speculation import speculate
from seqlab.machine import kernels
from seqlab.machine.kernels import Kernels
from seqlab.measure.blocks import Arm, Times, time_blocks
from seqlab.measure.depth import sequential_operations
from seqlab.measure.flops import flops
from seqlab.measure.memory import cache_bytes
from seqlab.models import gru, linear_attention, lru, lstm, mingru, rnn, transformer
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.losses import token_loss
from seqlab.models.parts.streaming import State
from seqlab.models.sizing import match_parameters, parameters
from seqlab.notebook import (
    Budget,
    Claim,
    Curve,
    Exact,
    Experiment,
    Measurement,
    Point,
    Ratio,
    Slope,
    Table,
    Trial,
    grid,
)
from seqlab.tasks import characters
from seqlab.training import fit

VOCABULARY = 64  # of the random tokens that costs are measured on
DEPTH = 2  # layers
SMALL, LARGE = 64, 512  # widths: in the small one, starting operations may take longer than doing them
BACKBONES: Mapping[str, Callable[[int, int], Backbone]] = {
    # Each takes a width and the hidden size that is free to match the Transformer. How weights start changes
    # no time, and an orthogonal start of a large network takes seconds.
    "Transformer": lambda width, hidden: transformer.Model(transformer.Config(width, DEPTH, hidden=hidden)),
    "RNN": lambda width, hidden: rnn.Model(rnn.Config(width, DEPTH, hidden, residual=True, orthogonal=False)),
    "LSTM": lambda width, hidden: lstm.Model(
        lstm.Config(width, DEPTH, hidden, residual=True, orthogonal=False)
    ),
    "GRU": lambda width, hidden: gru.Model(gru.Config(width, DEPTH, hidden, residual=True, orthogonal=False)),
    "minGRU": lambda width, hidden: mingru.Model(mingru.Config(width, DEPTH, hidden, residual=True)),
    "LRU": lambda width, hidden: lru.Model(lru.Config(width, DEPTH, hidden)),
    "Linear attention": lambda width, hidden: linear_attention.Model(
        linear_attention.Config(width, DEPTH, hidden=hidden)
    ),
}
RECURRENT = ("RNN", "LSTM", "GRU", "minGRU", "LRU")  # the opponents; linear attention is shown beside them
ANEW = "Transformer, no cache"
LARGER = {"RNN, equal work": "RNN", "LSTM, equal work": "LSTM"}  # as much work as the Transformer at a length
READERS = ("Transformer", "LSTM", "minGRU")  # whose reading of a prompt is timed
PHASES = ("prefill", "decode")


def build(name: str, *, width: int, hidden: int) -> LanguageModel:
    """A model of this kind and size, with whatever weights MLX's random state gives."""
    return LanguageModel(BACKBONES[name](width, hidden), vocabulary=VOCABULARY)


@cache
def hidden_size(name: str, width: int, context: int) -> int:
    """The free size that gives the Transformer's parameters, or its work for a token after a context."""
    if name in ("Transformer", ANEW):
        return 4 * width  # Vaswani et al. 2017, section 3.3
    if name in LARGER:
        target = token_flops("Transformer", width, 4 * width, context)
        work = partial(token_flops, LARGER[name], width, context=context)
        sizes = range(1, 64 * width)
        above = bisect_left(sizes, target, key=work)
        return min(sizes[max(0, above - 1) : above + 1], key=lambda size: abs(work(size) - target))
    target = parameters(build("Transformer", width=width, hidden=4 * width))
    return match_parameters(
        lambda hidden: build(name, width=width, hidden=hidden), target, low=width // 4, high=16 * width
    )


def sized(name: str, *, width: int, context: int, seed: int = 0) -> LanguageModel:
    """The model that stands for a name in comparisons."""
    hidden = hidden_size(name, width, context)  # first: it draws from the random state
    mx.random.seed(seed)
    return build({ANEW: "Transformer", **LARGER}.get(name, name), width=width, hidden=hidden)


@cache
def token_flops(name: str, width: int, hidden: int, context: int) -> int:
    """Work, in FLOP, of the token that one sequence writes after so many."""
    if name == ANEW:
        model = build("Transformer", width=width, hidden=hidden)
        return flops(lambda tokens: model(tokens)[:, -1], mx.zeros((1, context + 1), dtype=mx.int32))
    model = build(name, width=width, hidden=hidden)
    memory = model.initial_state(1, context + 1).memory

    def step(token: mx.array, position: mx.array, *held: mx.array) -> Any:
        given = iter(held)  # as inputs, for what depends on none would not be counted
        return model.advance(token, position, tree_map(lambda _: next(given), memory))

    held = dict(tree_flatten(memory)).values()
    return flops(step, mx.zeros((1,), dtype=mx.int32), mx.array(context), *held)


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"decode": decode, "read": read, "work": work, "depth": depth, "text": text}
    yield from parts[trial["part"]](trial)


# Time


@dataclass(frozen=True)
class Cell:
    """What is timed side by side: the models that write after one context, in one batch."""

    context: int
    batch: int
    seed: int
    width: int
    written: int  # tokens, each time
    blocks: int
    compiled: bool  # on a CPU too, where compiling takes seconds
    anew: bool  # whether the Transformer without a cache is among them


@dataclass(frozen=True)
class Way:
    """One way to run a model: compiled or not, and in which form attention is computed."""

    compiled: bool
    forms: Kernels


TRIED = 3  # blocks that each way is tried for, before the fastest stands for its model


def ways(name: str, *, compiled: bool) -> list[Way]:
    """Those worth a try on this device."""
    both = compiled or mx.default_device().type != mx.DeviceType.cpu
    # For one query MLX's own attention may be faster where for many another form is.
    written = dict.fromkeys([kernels.current(), *([Kernels()] if name == "Transformer" else [])])
    return [Way(*way) for way in product((False, True) if both else (False,), written)]


def remembered(state: State) -> State:
    """A state as after a text: what a cache holds does not change its time, but zeros are no text."""
    if state.room is None:
        return state
    return state._replace(memory=tree_map(lambda held: mx.random.uniform(-1, 1, held.shape), state.memory))


def writer(model: LanguageModel, cell: Cell, way: Way) -> Arm:
    """Writes some tokens after the context, then goes back to where it was."""
    decoder = Decoder(model, compiled=way.compiled)
    last = mx.zeros((cell.batch, 1), dtype=mx.int32)  # of the context
    room = cell.context + cell.written
    start = remembered(model.initial_state(cell.batch, room))._replace(position=cell.context - 1)
    mx.eval(start.memory)
    decoder.prefill(last, tokens=cell.written + 1, start=lambda reads: start)

    def back() -> mx.array:
        return decoder.prefill(
            last,
            tokens=cell.written + 1,
            start=lambda reads: decoder.state._replace(position=cell.context - 1),
        )

    def write() -> tuple[mx.array, Any]:
        with kernels.using(way.forms):
            for _ in range(cell.written):
                token = decoder.step()
                mx.async_eval(token)  # as `generate` does: the next step is built meanwhile
        return token, decoder.state.memory

    return Arm(write, parts=cell.written, reset=back)


def writer_anew(model: LanguageModel, cell: Cell) -> Arm:
    """Writes one token by reading the whole context again."""
    decoder = Decoder(model, cached=False)
    context = mx.random.randint(0, VOCABULARY, (cell.batch, cell.context))
    return Arm(decoder.step, reset=lambda: decoder.prefill(context, tokens=2))


@dataclass(frozen=True)
class Pace:
    """A model's times in its fastest way, and what compiling gains where both were tried."""

    parameters: int
    times: Times
    compile_gain: float | None


@cache
def paces(cell: Cell) -> Mapping[str, Pace]:
    """All models of a cell, each in its fastest way, timed in turn in every block."""
    rng = np.random.default_rng(cell.seed)
    arms, first, gains, sizes = {}, {}, {}, {}
    for name in [*BACKBONES, *LARGER, *([ANEW] if cell.anew else [])]:
        model = sized(name, width=cell.width, context=cell.context, seed=cell.seed)
        mx.eval(model.state)
        sizes[name] = parameters(model)
        if name == ANEW:
            arms[name] = writer_anew(model, cell)
            continue
        known = ways(name, compiled=cell.compiled)
        tried: dict[Way, Times] = {}
        for way in known if len(known) > 1 else []:
            tried |= dict.fromkeys(
                [way], *time_blocks({name: writer(model, cell, way)}, blocks=TRIED, rng=rng).values()
            )
        speed = {way: median(times.kept.values() or [inf]) for way, times in tried.items()}
        best = min(speed, key=speed.__getitem__, default=known[0])
        arms[name] = writer(model, cell, best)
        if tried:
            first[name] = tried[best].first  # now it is compiled, and later is not cold
        eager, compiled = (
            min((speed[way] for way in speed if way.compiled is wanted), default=inf)
            for wanted in (False, True)
        )
        gains[name] = eager / compiled if max(eager, compiled) < inf else None
    found = time_blocks(arms, blocks=cell.blocks, rng=rng)
    return {
        name: Pace(sizes[name], replace(times, first=first.get(name, times.first)), gains.get(name))
        for name, times in found.items()
    }


def decode(trial: Trial) -> Iterator[Measurement]:
    """Time of a token that each sequence of the batch writes, its context read."""
    cell = Cell(
        context=trial["context"], batch=trial["batch"], seed=trial.seed, width=trial["width"],
        written=trial["tokens_at_once"] if trial["width"] == SMALL else 1,  # long enough by itself
        blocks=trial["blocks"], compiled=trial["compiled"],
        anew=trial["batch"] * trial["context"] <= trial["uncached_up_to"] and trial["width"] == SMALL,
    )  # fmt: skip
    found = paces(cell)
    own = found[trial["model"]]
    yield Measurement("parameters", own.parameters)
    yield from own.times.measurements("token_time")
    beside = found["Transformer"].times.kept
    for block, taken in own.times.kept.items():
        yield Measurement("relative_token_time", taken / beside[block], step=block)
    if own.compile_gain is not None:
        yield Measurement("compile_gain", own.compile_gain)


@cache
def phases(cell: Cell) -> Mapping[tuple[str, str], Times]:
    """Reading a prompt, a part a token, and writing after it, both as this device runs them."""
    arms = {}
    for name in READERS:
        model = sized(name, width=cell.width, context=cell.context, seed=cell.seed)
        mx.eval(model.state)
        prompt = mx.random.randint(0, VOCABULARY, (cell.batch, cell.context))
        arms[f"{name} prefill"] = Arm(partial(taken_in, model, prompt), parts=cell.context)
        on_gpu = mx.default_device().type != mx.DeviceType.cpu
        arms[f"{name} decode"] = writer(model, cell, Way(on_gpu, kernels.current()))
    found = time_blocks(arms, blocks=cell.blocks, rng=np.random.default_rng(cell.seed))
    return {(name, phase): found[f"{name} {phase}"] for name in READERS for phase in PHASES}


def taken_in(model: LanguageModel, prompt: mx.array) -> tuple[mx.array, Any]:
    """The logits after a prompt, read at once, and the memory of it."""
    logits, state = model.prefill(prompt, model.initial_state(*prompt.shape))
    return logits, state.memory


def read(trial: Trial) -> Iterator[Measurement]:
    """Time of a token that is read among all of a prompt, or written after it."""
    cell = Cell(
        context=trial["context"], batch=trial["batch"], seed=trial.seed, width=trial["width"],
        written=trial["tokens_at_once"], blocks=trial["blocks"], compiled=False, anew=False,
    )  # fmt: skip
    found = phases(cell)[trial["model"], trial["phase"]]
    yield from found.measurements("token_time")
    if trial["phase"] == "prefill":
        for block, taken in found.kept.items():
            yield Measurement("prefill_time", taken * cell.context, step=block)
    yield Measurement("parameters", parameters(sized(trial["model"], width=cell.width, context=cell.context)))


# Work and depth


def work(trial: Trial) -> Iterator[Measurement]:
    """FLOP of a token, and what has to be read for it: both without a clock."""
    name, width, context = trial["model"], trial["width"], trial["context"]
    model = sized(name, width=width, context=context)
    yield Measurement("parameters", parameters(model))
    kind = LARGER.get(name, name)
    yield Measurement("token_flops", token_flops(kind, width, hidden_size(name, width, context), context))
    if name != ANEW:
        held = cache_bytes(model.initial_state(1, context).memory)
        yield Measurement("cache_bytes", held)
        table = prod(model.embedding.weight.shape)  # of which a token reads a row
        weights = 4 * (parameters(model) - table)  # float32
        yield Measurement("token_bytes", weights / trial["batch"] + held)


def depth(trial: Trial) -> Iterator[Measurement]:
    """Longest path from the first token to the choice after the last."""
    model = sized(trial["model"], width=SMALL, context=1)
    count = trial["tokens"]

    def reading(prompt: mx.array) -> mx.array:
        return mx.argmax(taken_in(model, prompt)[0], axis=-1)

    def writing(prompt: mx.array) -> mx.array:
        logits, state = model.prefill(prompt[:, :1], model.initial_state(1, count))
        for _ in range(count - 1):
            logits, state = model.step(mx.argmax(logits, axis=-1), state)
        return mx.argmax(logits, axis=-1)

    path = {"prefill": reading, "decode": writing}[trial["phase"]]
    prompt = mx.zeros((1, count), dtype=mx.int32)
    yield Measurement("sequential_operations", sequential_operations(path, prompt))


# One by one?


@dataclass(frozen=True)
class Recipe:
    """How a Transformer learns to write, and how much it writes then."""

    text_width: int
    text_batch: int
    text_context: int  # characters: of an example, and before what is written
    text_steps: int
    text_rate: float
    text_prompts: int
    text_written: int  # characters after each prompt


@dataclass(frozen=True)
class Story:
    """What came of the recipe: bits a character of the unseen play, and what writing after it takes."""

    bits: float
    passes: float  # with guesses, for each character after the first that is also plain decoding's
    changed: int  # characters that are not
    choice_effect: float


@cache
def story(recipe: Recipe, seed: int) -> Story:
    """Learn from five plays, then write on from another: plainly, and with guesses."""
    plays = characters.load()
    mx.random.seed(seed)
    backbone = transformer.Model(transformer.Config(recipe.text_width, DEPTH))
    model = LanguageModel(backbone, vocabulary=plays.vocabulary)
    drawn = plays.batches(np.random.default_rng(seed), batch=recipe.text_batch, length=recipe.text_context)
    batches = ((mx.array(inputs), mx.array(targets)) for inputs, targets in drawn)
    list(fit(model, token_loss, batches=batches, steps=recipe.text_steps, learning_rate=recipe.text_rate))
    inputs, targets = map(mx.array, plays.windows("test", length=recipe.text_context))
    prompts = inputs[:: len(inputs) // recipe.text_prompts][: recipe.text_prompts]
    same = passes = 0
    for prompt in prompts:
        plain = [int(token) for token in generate(model, prompt[None], tokens=recipe.text_written)]
        guessed = speculate(model, prompt[None], tokens=recipe.text_written)
        passes += guessed.passes
        same += len([*takewhile(bool, map(eq, plain, guessed.tokens))]) - 1
    return Story(
        bits=float(token_loss(model, inputs[:64], targets[:64])) / log(2),
        passes=passes / max(1, same),
        changed=len(prompts) * (recipe.text_written - 1) - same,
        choice_effect=choice_effect(model, prompts),
    )


def choice_effect(model: LanguageModel, prompts: mx.array) -> float:
    """How far apart the next token's probabilities are after the chosen token and after the second most
    probable: half the sum of absolute differences, of the prompt where it is least."""
    order = mx.argsort(-model(prompts)[:, -1], axis=-1)
    chosen, other = (
        mx.softmax(model(mx.concatenate([prompts, order[:, i : i + 1]], axis=1))[:, -1], axis=-1)
        for i in (0, 1)
    )
    return float((0.5 * mx.abs(chosen - other).sum(axis=-1)).min())


def text(trial: Trial) -> Iterator[Measurement]:
    """How many passes a character takes, and what hangs on the one before."""
    told = story(Recipe(**{field.name: trial[field.name] for field in fields(Recipe)}), trial.seed)
    guessing = trial["method"] == "speculative"
    yield Measurement("bits_per_character", told.bits, "test")
    yield Measurement("passes_per_token", told.passes if guessing else 1.0)  # plainly, each step is one
    yield Measurement("tokens_changed", told.changed if guessing else 0)
    yield Measurement("choice_effect", told.choice_effect)


Lengths = tuple[int, ...]


def points(
    *,
    decoded: Mapping[tuple[int, int], Lengths],
    anew: int,
    read: Mapping[int, Lengths],
    tokens: Lengths,
    seeds: int,
) -> tuple[Point, ...]:
    """The parts: contexts to write after, by width and batch; prompts to read, by batch; paths to count.

    Without a cache is written where a batch has no more than `anew` tokens.
    """
    found: tuple[Point, ...] = ()
    for (width, batch), contexts in decoded.items():
        cells = {"width": width, "batch": batch}
        short = tuple(context for context in contexts if context * batch <= anew and width == SMALL)
        for part, each in (("decode", seeds), ("work", None)):
            found += grid(part=part, model=(*BACKBONES, *LARGER), context=contexts, seeds=each, **cells)
            found += grid(part=part, model=ANEW, context=short, seeds=each, **cells)
    for batch, contexts in read.items():
        found += grid(
            part="read", phase=PHASES, model=READERS, width=SMALL, batch=batch, context=contexts, seeds=seeds
        )
    found += grid(part="depth", phase=PHASES, model=BACKBONES, tokens=tokens)
    return found + grid(part="text", method=("plain", "speculative"), seeds=min(seeds, 3))


DECODE = {"part": "decode"}
READ = {"part": "read"}
WORK = {"part": "work"}
DEPTHS = {"part": "depth"}
TEXT = {"part": "text"}
LONG = (64, 256, 1_024, 4_096, 8_192, 16_384, 32_768)
MATCHED = tuple(BACKBONES)  # the names with the Transformer's parameters

experiment = Experiment(
    chapter=7,
    run=run,
    budgets=(
        Budget(
            "smoke",
            points(
                decoded={(SMALL, 1): (64, 256), (SMALL, 32): (64,)}, anew=256,
                read={1: (64,)}, tokens=(4, 8, 16), seeds=2,
            ),
            {
                "tokens_at_once": 2, "blocks": 2, "compiled": False, "uncached_up_to": 256,
                "text_width": 32, "text_batch": 8, "text_context": 32, "text_steps": 30, "text_rate": 3e-2,
                "text_prompts": 3, "text_written": 24,
            },
            timeout=60,
        ),
        Budget(
            "quick",
            points(
                decoded={
                    (SMALL, 1): (64, 512, 8_192), (SMALL, 32): (64, 512),
                    (LARGE, 1): (64, 4_096),
                },
                anew=512, read={1: (64, 256)}, tokens=(8, 16, 32), seeds=5,
            ),
            {
                "tokens_at_once": 2, "blocks": 3, "compiled": False, "uncached_up_to": 512,
                "text_width": 64, "text_batch": 16, "text_context": 64, "text_steps": 60, "text_rate": 3e-2,
                "text_prompts": 5, "text_written": 48,
            },
            timeout=180,
        ),
        Budget(
            "full",
            points(
                decoded={
                    **dict.fromkeys(((SMALL, 1), (SMALL, 32), (LARGE, 1)), LONG),
                    (LARGE, 32): (64, 256, 1_024, 4_096),  # a cache of 1 GB
                },
                anew=8_192, read={1: (64, 256, 1_024, 4_096, 8_192), 32: (64, 256, 1_024)},
                tokens=(8, 16, 32, 64, 128, 256), seeds=10,
            ),
            {
                "tokens_at_once": 8, "blocks": 30, "compiled": True, "uncached_up_to": 8_192,
                "text_width": 256, "text_batch": 32, "text_context": 256, "text_steps": 2_000,
                "text_rate": 1e-3, "text_prompts": 32, "text_written": 256,
            },
            timeout=4 * 3_600,
        ),
    ),
    claims=(
        Claim(
            "C15",
            Slope(
                metric="sequential_operations", x="tokens", per=("model",), along="model",
                where=DEPTHS | {"phase": "decode"}, above=0.99, seeds=1,
            ),
            "Written plainly, each further token adds at least one operation that must wait for the token "
            "before, in every model.",
        ),
        Claim(
            "C15",
            Exact(metric="passes_per_token", per=("method",), along="method", where=TEXT, above=0.999),
            "If causality forced it, every token would take a pass of its own by every method; one that "
            "writes the same tokens in fewer passes is an exception. (Only tokens that plain decoding writes "
            "too are counted.)",
        ),
        Claim(
            "C17",
            Ratio(
                metric="token_time", per=("width", "batch", "context"), along="context", where=DECODE,
                left={"model": "Transformer"}, right=tuple({"model": name} for name in RECURRENT),
                below=1 / 1.5, matched=("parameters",),
            ),
            "“Much faster” is read as one and a half times: at equal parameters, the Transformer with its "
            "cache takes at most two thirds of the time that the fastest recurrent network takes for a "
            "token. A ratio above one means that the Transformer is the slower one.",
        ),
        Claim(
            "C17",
            Ratio(
                metric="token_time", per=("width", "batch", "context"), along="context", where=DECODE,
                left={"model": "Transformer"}, right=tuple({"model": name} for name in LARGER),
                below=1 / 1.5, matched=(),
            ),
            "The same against recurrent networks so large that they do as much work for a token as the "
            "Transformer does after that context (sized by work, so parameters differ).",
        ),
        Claim(
            "C18",
            Exact(metric="choice_effect", where=TEXT | {"method": "plain"}, above=1e-3),
            "What follows depends on the token chosen: put the second most probable token in its place, and "
            "the next token's probabilities change by more than a thousandth, about a thousand times what "
            "rounding does.",
        ),
        Claim(
            "C18",
            Exact(metric="passes_per_token", per=("method",), along="method", where=TEXT, above=0.999),
            "If no token could be predicted before the one in front of it is there, no pass would ever yield "
            "more than one token that plain decoding writes too.",
        ),
        Claim(
            "C19",
            Slope(
                metric="sequential_operations", x="tokens", per=("phase",), along="phase",
                where=DEPTHS | {"model": "Transformer"}, below=0.01, seeds=1,
            ),
            "In the Transformer a further token adds no waiting operation: asked of a prompt that is read "
            "(prefill) and of tokens that are written (decode).",
        ),
        Claim(
            "C19",
            Ratio(
                metric="token_time", per=("batch", "context"), along="context",
                where=READ | {"model": "Transformer"}, left={"phase": "prefill"}, right={"phase": "decode"},
                below=0.5, matched=("parameters",),
            ),
            "A token that the Transformer reads among all of a prompt takes at most half the time of one "
            "that it writes after that prompt.",
        ),
        Claim(
            "C19",
            Ratio(
                metric="token_time", per=("batch", "context"), along="context",
                where=DECODE | {"width": SMALL},
                left={"model": "Transformer"}, right={"model": ANEW}, below=1.0, matched=("parameters",),
            ),
            "The sentence goes on “with caching boosting speed”: with its cache the Transformer takes less "
            "time for a token than without.",
        ),
        Claim(
            "C37",
            Ratio(
                metric="token_flops", per=("width", "context"), along="context", where=WORK | {"batch": 1},
                left={"model": "Transformer"}, right=tuple({"model": name} for name in RECURRENT),
                below=1.05, matched=("parameters",), seeds=1,
            ),
            "“Maximizing efficiency” is read as: at equal parameters no recurrent network writes a token "
            "with less work, give or take a twentieth.",
        ),
        Claim(
            "C37",
            Ratio(
                metric="token_bytes", per=("width", "batch", "context"), along="context", where=WORK,
                left={"model": "Transformer"}, right=tuple({"model": name} for name in RECURRENT),
                below=1.05, matched=("parameters",), seeds=1,
            ),
            "The same for the memory that a token must read: weights, shared by the sequences of a batch, "
            "and the sequence's own cache or state.",
        ),
    ),
    figures=(
        Curve(
            x="context", y="token_time", hue="model", columns="batch", x_scale="log2", y_scale="log10",
            where=DECODE | {"width": SMALL, "model": (*MATCHED, ANEW)},
            caption="Time in which each sequence of the batch gets one more token, against the tokens before "
            "it, at equal parameters.",
        ),
        Curve(
            x="context", y="relative_token_time", hue="model", columns="batch",
            x_scale="log2", y_scale="log2",
            where=DECODE | {"width": SMALL, "model": (*RECURRENT, "Linear attention", *LARGER)},
            guides={"equal": 1.0, "“much faster”": 1.5},
            caption="The same over the time of the cached Transformer, block by block. Below the lower "
            "dashed line a recurrent network is faster; above the upper one the Transformer is much faster. "
            "Equal work means a network grown until a token takes it as many operations.",
        ),
        Curve(
            x="context", y="relative_token_time", hue="model", columns="width",
            x_scale="log2", y_scale="log2",
            where=DECODE | {"batch": 1, "model": (*RECURRENT, "Linear attention", *LARGER)},
            guides={"equal": 1.0, "“much faster”": 1.5},
            caption="Is that a matter of size? The same ratio of networks of two widths, one sequence.",
        ),
        Curve(
            x="context", y="token_time", hue="phase", columns="model", x_scale="log2", y_scale="log10",
            where=READ | {"batch": 1},
            caption="Time of a token that is read with all of a prompt (prefill), and of one that is written "
            "after it (decode), one sequence.",
        ),
        Curve(
            x="tokens", y="sequential_operations", hue="phase", columns="model", x_scale="log2",
            y_scale="log10", where=DEPTHS | {"model": READERS},
            caption="Longest chain of operations through a prompt of so many tokens (prefill) and through "
            "writing as many (decode).",
        ),
        Curve(
            x="context", y="token_flops", hue="model", x_scale="log2", y_scale="log10",
            where=WORK | {"width": SMALL, "batch": 1, "model": (*MATCHED, ANEW)},
            caption="Work of one written token against the tokens before it, at equal parameters.",
        ),
        Table(
            rows=("model", "width", "batch"), columns="context", metrics=("token_time",),
            where=DECODE | {"model": (*MATCHED, ANEW)},
            caption="Time of a written token, by the length of the context.",
        ),
        Table(
            rows=("model", "width"), where=DECODE | {"batch": 1, "model": MATCHED},
            metrics=("compile_time", "compile_gain", "blocks_dropped", "parameters"),
            caption="The cold first step, which writes several tokens; what compiling gains, where both were "
            "tried; blocks that the drift of the machine ruled out; and size. One sequence, all contexts.",
        ),
        Table(
            rows=("model",), columns="context", where=WORK | {"width": SMALL, "batch": 1, "model": MATCHED},
            metrics=("cache_bytes",),
            caption="What one sequence keeps: the Transformer's cache, the others' state.",
        ),
        Table(
            rows=("model",), columns="context", where=READ | {"phase": "prefill", "batch": 1},
            metrics=("prefill_time",), caption="Time to read a whole prompt, one sequence.",
        ),
        Table(
            rows=("method",), where=TEXT, split="test",
            metrics=("passes_per_token", "tokens_changed", "choice_effect", "bits_per_character@test"),
            caption="Writing on from the unseen play: passes for each character, characters that guessing "
            "changed, how much the character before decides, and how well the model has learned.",
        ),
    ),
)  # fmt: skip
