"""How much memory does a longer sequence take, and where does it run out?

Training keeps what the backward pass will need. A recurrent network keeps some numbers for every position,
so that twice the length takes about twice the memory. Attention compares every pair of positions, and in its
plain form keeps a score for each of them: of twice the length there are four times as many pairs. A kernel
can leave the scores out and compute them again [@dao2022flashattention]; whether the one that runs here does
so is measured, not assumed.

Each network is measured in the plain form, uncompiled, which is the computation as its equations have it, and
in the form in use: as this device trains with the settings it was given (`seqlab doctor`), where blocks of
queries, a fused kernel or compilation may keep less. (Networks that loop have one form where nothing is
compiled; only the full budget measures them in both, and the smaller ones do without the GRU, a cell much
like the LSTM.) All have as many parameters and read one sequence at a time. What is counted are MLX's own
buffers, beyond the parameters, the optimiser's moments and the batch; Python, and the graph that MLX holds of
a long loop, come on top of it. The count differs by some percent when it is taken again, most of all in long
loops.

How long a sequence fits is found without filling the memory. A constant, a part for each position and a
part for each pair are fitted to the measured peaks, none of them negative. Then one longer sequence is tried,
twice as long as any measured so far, or less where that might take more than a quarter of the memory or half
of what is free: what it took stands beside what was predicted. The probe joins the fit, whose interval is
that of @barber2021predictive at its widest: each length is left out in turn, and what the others miss it by
is added. No fit is followed further beyond the probe than the probe lies beyond the shortest length; where
the memory would last longer than that, the table says how long at least. It is memory alone that is
reckoned: patience may end first.

Decoding keeps something else: what the next token needs of all tokens before. A recurrent network or a
convolution keeps a state of one size. A Transformer keeps the keys and values of every token in every layer,
two numbers for each feature of its width; its weights are about twelve times the square of that width in
every layer. So for one sequence the cache outweighs the weights after about six tokens for each feature,
and in a batch, where every sequence has its own cache and all share the weights, that much sooner. Fewer
key heads or fewer digits make the cache smaller by some factor. They do not stop it from growing.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache

import mlx.core as mx

from seqlab.errors import UsageError
from seqlab.machine import kernels
from seqlab.measure.capacity import capacity, limited
from seqlab.measure.growth import FEWEST, climb, exponent, fit, safe_length
from seqlab.measure.memory import activation_bytes, cache_bytes, cache_bytes_per_token, peak_memory
from seqlab.models import gru, linear_attention, lru, lstm, mingru, rnn, tcn, transformer
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import match_parameters, parameters
from seqlab.notebook import (
    Budget,
    Claim,
    Curve,
    Exact,
    Experiment,
    Interval,
    Measurement,
    Point,
    Slope,
    Table,
    Trial,
    Where,
    grid,
)
from seqlab.training import adamw, training_step

VOCABULARY = 64
WIDTH = 64
FLOAT = 4  # bytes of a float32, in which everything here is kept
MOMENTS = 2  # arrays as large as the parameters that Adam keeps
BACKBONES: Mapping[str, Callable[[int, int], Backbone]] = {
    # Each takes a width and the hidden size that is free to match parameters.
    "Transformer": lambda width, hidden: transformer.Model(transformer.Config(width, hidden=hidden)),
    "RNN": lambda width, hidden: rnn.Model(rnn.Config(width, hidden=hidden, depth=2, residual=True)),
    "LSTM": lambda width, hidden: lstm.Model(lstm.Config(width, hidden=hidden, depth=2, residual=True)),
    "GRU": lambda width, hidden: gru.Model(gru.Config(width, hidden=hidden, depth=2, residual=True)),
    "minGRU": lambda width, hidden: mingru.Model(mingru.Config(width, hidden=hidden, depth=2, residual=True)),
    "LRU": lambda width, hidden: lru.Model(lru.Config(width, hidden=hidden, depth=2)),
    "Linear attention": lambda width, hidden: linear_attention.Model(
        linear_attention.Config(width, hidden=hidden)
    ),
    # Eight blocks see a thousand tokens back; the usual four would see sixty.
    "TCN": lambda width, hidden: tcn.Model(tcn.Config(width, hidden=hidden, depth=8)),
}
CHAINED = ("RNN", "LSTM", "GRU")  # uncompiled, these have one form, and they take the longest to measure
UNCHAINED = tuple(name for name in BACKBONES if name not in CHAINED)
PLAIN, IN_USE = "plain", "in use"
PROBE = 2  # times the longest length measured
LONGEST_CACHE = 8192  # of the plan's sequences, with the plan's widths and batches
WIDTHS, BATCHES = (64, 256, 1024), (1, 8, 64)


@cache  # matching builds a dozen models
def hidden_size(name: str, width: int) -> int:
    """The size that gives a model as many parameters, within 2 %, as the Transformer of this width."""
    target = parameters(LanguageModel(BACKBONES["Transformer"](width, 4 * width), vocabulary=VOCABULARY))
    return match_parameters(
        lambda hidden: LanguageModel(BACKBONES[name](width, hidden), vocabulary=VOCABULARY),
        target, low=width // 4, high=16 * width,
    )  # fmt: skip


def language_model(name: str, *, width: int) -> LanguageModel:
    """A model of the common size."""
    return LanguageModel(BACKBONES[name](width, hidden_size(name, width)), vocabulary=VOCABULARY)


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"training": training, "limit": limit, "activations": activations, "cache": decoding}
    yield from parts[trial["part"]](trial)


def lengths_to(longest: int) -> tuple[int, ...]:
    """Five lengths over three doublings; more of them where the fit must tell a square from a line."""
    return tuple(longest * sixteenths // 16 for sixteenths in (2, 4, 8, 12, 16))


def peak_of_step(name: str, form: str, steps: int, length: int) -> int:
    """Bytes of a training step on one sequence: in the plain form, or as a run of `steps` trains here."""
    model = language_model(name, width=WIDTH)
    tokens, targets = mx.random.randint(0, VOCABULARY, (2, 1, length))
    plain = form == PLAIN
    with kernels.using(kernels.Kernels() if plain else kernels.current()):
        step = training_step(model, token_loss, adamw(1e-3), steps=steps, compiled=False if plain else None)
        return peak_memory(lambda: step(tokens, targets))


@cache  # wanted length by length, and whole for the fit
def peaks(name: str, form: str, steps: int, longest: int) -> Mapping[int, int]:
    """Bytes by length, up to the last that is sure to take no more than may be tried."""
    lengths = lengths_to(longest)  # the first takes 100 MB at most
    return climb(lambda length: peak_of_step(name, form, steps, length), lengths, allowed=allowed)


def allowed() -> int:
    """The most that a try may take, as things stand."""
    return capacity().allowed


def training(trial: Trial) -> Iterator[Measurement]:
    """The peak at one length; nothing where it was not tried."""
    length, longest = trial["length"], trial["longest"]
    if length not in lengths_to(longest):
        raise UsageError(
            f"length must be one of {lengths_to(longest)}, found {length}. Change them by --set longest=..."
        )
    found = peaks(trial["model"], trial["form"], trial["steps"], longest)
    if length in found:
        yield Measurement("peak_memory", found[length])


def limit(trial: Trial) -> Iterator[Measurement]:
    """One probe of the fit at a length that is safe, and where a sequence would fill the memory."""
    name, form, steps = trial["model"], trial["form"], trial["steps"]
    found = dict(peaks(name, form, steps, trial["longest"]))
    if len(found) < FEWEST:
        return
    yield Measurement("memory_exponent", exponent(found))
    if length := safe_length(fit(found), longest=max(found), most=PROBE * max(found), allowed=allowed()):
        expected = fit(found).memory(length)
        with limited(allowed()):
            found[length] = peak_of_step(name, form, steps, length)
        yield Measurement("probe_length", length)
        # To a thousandth: a fit may be exact, and a count of MLX's is not.
        yield Measurement("prediction_error", round(found[length] / expected.estimate - 1, 3))
        inside = math.floor(expected.low) <= found[length] <= math.ceil(expected.high)
        yield Measurement("probe_inside", float(inside))

    total = capacity().total
    yield Measurement("device_memory", total)
    resident = (1 + MOMENTS) * FLOAT * parameters(language_model(name, width=WIDTH))
    filled = fit(found).length(total - resident)
    # A fit may be trusted as far beyond what was tried as that reaches beyond the shortest, and no further.
    reach = max(found) ** 2 / min(found)
    yield Measurement("out_of_memory_low", min(filled.low, reach))
    for metric, filling in (("length", filled.estimate), ("high", filled.high)):
        if filling <= reach:
            yield Measurement(f"out_of_memory_{metric}", filling)


def activations(trial: Trial) -> Iterator[Measurement]:
    """What waits for the backward pass, counted in the graph."""
    tokens = mx.zeros((1, trial["length"]), dtype=mx.int32)
    model = language_model(trial["model"], width=WIDTH)
    yield Measurement("activation_bytes", activation_bytes(model, token_loss, tokens, tokens))


def decoding(trial: Trial) -> Iterator[Measurement]:
    """What decoding keeps for so many tokens, and when that outgrows the weights: all by shapes alone."""
    model = language_model(trial["model"], width=trial["width"])
    weights = FLOAT * parameters(model)
    kept = cache_bytes(model.initial_state(trial["batch"], trial["length"]))
    per_token = cache_bytes_per_token(lambda length: model.initial_state(trial["batch"], length))
    yield Measurement("weight_bytes", weights)
    yield Measurement("cache_bytes", kept)
    yield Measurement("cache_bytes_per_token", per_token)
    yield Measurement("cache_share", kept / weights)
    if per_token:
        yield Measurement("outweighed_length", weights // per_token + 1)


def points(
    *, longest: int, counted: tuple[int, ...], in_use: tuple[str, ...], left_out: str = ""
) -> tuple[Point, ...]:
    """All parts; `in_use` names the models whose form in use is measured too, `left_out` one not measured."""
    found: tuple[Point, ...] = ()
    measured = tuple(name for name in BACKBONES if name != left_out)
    for form, models in ((PLAIN, measured), (IN_USE, in_use)):
        found += grid(part="training", model=models, form=form, length=lengths_to(longest))
        found += grid(part="limit", model=models, form=form)
    found += grid(part="activations", model=BACKBONES, length=counted)
    # Arithmetic on shapes, so that every budget covers the plan's whole range.
    room = (32, 128, 512, 2048, LONGEST_CACHE)
    found += grid(part="cache", model=BACKBONES, width=WIDTH, batch=1, length=room)
    return found + grid(part="cache", model="Transformer", width=WIDTHS, batch=BATCHES, length=LONGEST_CACHE)


TRAINING = {"part": "training"}
CACHE = {"part": "cache"}
WHOLE: Where = {"part": "cache", "model": "Transformer", "length": LONGEST_CACHE}

experiment = Experiment(
    chapter=6,
    run=run,
    budgets=(
        # `steps`: of the run whose step is measured as trained here; a device compiles long runs alone.
        Budget(
            "smoke", points(longest=128, counted=(16, 64), in_use=("Transformer",), left_out="GRU"),
            {"longest": 128, "steps": 30}, timeout=120,
        ),
        Budget(
            "quick", points(longest=1024, counted=(64, 256), in_use=UNCHAINED, left_out="GRU"),
            {"longest": 1024, "steps": 90}, timeout=300,
        ),
        Budget(
            "full", points(longest=8192, counted=(64, 256, 1024), in_use=tuple(BACKBONES)),
            {"longest": 8192, "steps": 5_000}, timeout=3_600,
        ),
    ),
    claims=(
        Claim(
            "C24",
            Slope(
                metric="peak_memory", x="length", x_scale="log2", y_scale="log2",
                where=TRAINING | {"model": "Transformer", "form": PLAIN}, below=1.5, seeds=1,
            ),
            "Over three doublings of the length, the memory of a training step of the Transformer, in the "
            "plain form, grows more slowly than the length to the power of one and a half; at the power of "
            "two, twice the length takes four times the memory.",
        ),
        Claim(
            "C24",
            Exact(
                metric="cache_share", per=("width", "batch"), along="width", where=WHOLE, below=1.0,
            ),
            "Up to sequences of 8,192 tokens, where they are largest, the keys and values that a decoder "
            "keeps do not outweigh its own weights, at widths from 64 to 1,024 and batches from 1 to 64.",
        ),
    ),
    figures=(
        Curve(
            x="length", y="peak_memory", hue="model", columns="form", x_scale="log2", y_scale="log2",
            where=TRAINING,
            caption="Memory that a training step of one sequence needs beyond model and optimiser, at equal "
            "parameters, in the plain form and in the form in use on this device.",
        ),
        Interval(
            x="memory_exponent", y="model", hue="form", where={"part": "limit"},
            guides={"as the length": 1.0, "as its square": 2.0},
            caption="The power of the length with which that memory grows, over the three doublings "
            "measured. Left of the length itself, what does not depend on the length still weighs; a form of "
            "attention that keeps no scores is no further to the right than that.",
        ),
        Table(
            rows=("model", "form"), where={"part": "limit"},
            metrics=(
                "device_memory", "out_of_memory_length", "out_of_memory_low", "out_of_memory_high",
                "probe_length", "probe_inside",
            ),
            caption="The length at which a training step of one sequence would fill the device's memory, at "
            "least and at most by the interval of the fit; and the length of the one probe, with whether it "
            "took what it was predicted to. A dash stands for a length beyond the fit's reach, or for a "
            "probe that had no room.",
        ),
        Table(
            rows=("model",), columns="form", metrics=("prediction_error",), where={"part": "limit"},
            caption="The share by which the probe took more or, with a minus, less than predicted.",
        ),
        Curve(
            x="length", y="cache_bytes", hue="model", x_scale="log2", y_scale="log2",
            where=CACHE | {"width": WIDTH, "batch": 1},
            guides={"the weights": FLOAT * parameters(language_model("Transformer", width=WIDTH))},
            caption="What decoding one sequence keeps in memory, against how many tokens it may hold, for "
            "networks of equal parameters. Above the dashed line it takes more than the weights.",
        ),
        Table(
            rows=("width",), where={**WHOLE, "batch": 1},
            metrics=("weight_bytes", "cache_bytes_per_token", "outweighed_length"),
            caption="The cache of a decoder that writes one sequence: weights, memory for each token, and "
            "the length from which the cache outweighs the weights.",
        ),
        Table(
            rows=("width",), columns="batch", metrics=("cache_share",), where=WHOLE,
            caption="The cache at 8,192 tokens over the weights, by how many sequences are written at once.",
        ),
        Table(
            rows=("model",), metrics=("cache_bytes", "cache_bytes_per_token"),
            where=CACHE | {"width": WIDTH, "batch": 1, "length": LONGEST_CACHE},
            caption="What decoding keeps for one sequence of 8,192 tokens, and what one more token adds.",
        ),
        Table(
            rows=("model",), columns="length", metrics=("activation_bytes",), where={"part": "activations"},
            caption="What the forward pass leaves in memory for the backward pass, counted exactly in the "
            "graph of the plain form.",
        ),
    ),
)  # fmt: skip
