"""How much memory does a longer sequence take, and where does it run out?

Training keeps what the backward pass will need. A recurrent network keeps some numbers for every position, so
twice the length takes about twice the memory. Attention compares every pair of positions, and its plain
kernel keeps a score for each pair, so twice the length takes four times the memory. A kernel can leave the
scores out and compute them again [@dao2022flashattention]; whether the one that runs here does so is
measured, not assumed.

Each network is measured in two kernel variants, the `form` of the figures. The plain one is the computation
as its equations have it, uncompiled. The one in use is how this device trains with its settings (`seqlab
doctor`): blocks of queries, a fused kernel or compilation may keep less. (The variants of networks that loop
differ only where they are compiled. Only the full budget measures both of them; the smaller ones leave out
the GRU, a cell much like the LSTM.) All networks have as many parameters and read one sequence at a time.
What counts is memory in MLX's own buffers, beyond the parameters, the optimiser's moments and the batch.
Python, and the graph that MLX holds of a long loop, come on top of it.

A device that works through a queue also holds the arrays of operations that wait, which would count most
where a step takes little. So each step is measured with one task in flight. Beside it, a third `form` of the
Transformer is not measured but counted: how much is alive at once in the graph of the plain kernels, if one
operation follows another. It is the same on every device.

How long a sequence fits is found without filling the memory. A constant, a part for each position and a part
for each pair, none of them negative, are fitted to the measured peaks. Then one longer sequence is tried:
twice as long as any measured so far, or shorter where that might take more than a quarter of the memory or
half of what is free. The report compares what it took with the prediction. This probe joins the fit, whose
interval is that of @barber2021predictive at its widest: each length is left out in turn, and the factor by
which the others miss it widens the interval. No fit is extrapolated further beyond the probe than the probe
lies beyond the shortest length; where the memory would last longer than that, the table gives a lower bound.
Only memory is considered here; the time may run out first.

Decoding keeps something else: what the next token needs of all tokens before. A recurrent or convolutional
network keeps a state of constant size. A Transformer keeps the keys and values of every token in every layer
(the KV cache), two numbers for each feature of its width; its weights are about twelve times the square of
that width in every layer. For one sequence the cache therefore outweighs the weights after about six tokens
for each feature. In a batch, where every sequence has its own cache and all share the weights, it does so
that many times sooner. Fewer key heads or a lower precision make the cache smaller by some factor. They do
not stop it from growing.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial

import mlx.core as mx
from mlx import nn

from seqlab.machine import kernels
from seqlab.measure.capacity import capacity
from seqlab.measure.growth import FEWEST, climb, exponent, filled_length, lengths_to, probe
from seqlab.measure.liveness import live_bytes
from seqlab.measure.memory import activation_bytes, cache_bytes, cache_bytes_per_token, peak_memory
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, build
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Claim, Exact, Experiment, Measurement, Point, Slope, Trial, grid
from seqlab.notebook.experiment import BudgetName
from seqlab.notebook.figures import Curve, Interval, Table, Where
from seqlab.training.optimizer import adamw
from seqlab.training.step import training_step
from seqlab.training.token_step import random_tokens, step_arm

HEAD = TokenHead(vocabulary=64)
WIDTH = 64
FLOAT = 4  # bytes of a float32, in which everything here is kept
MOMENTS = 2  # arrays as large as the parameters that Adam keeps
LINEAR = "Linear attention"
SEQUENTIAL = ("RNN", "LSTM", "GRU")  # their variants are equal uncompiled, and take the longest to measure
PARALLEL = (TRANSFORMER, "minGRU", "LRU", LINEAR, "TCN")
NETWORKS = (TRANSFORMER, *SEQUENTIAL, *PARALLEL[1:])
PLAIN, IN_USE, COUNTED = "plain", "in use", "counted"
LONGEST = {"smoke": 128, "quick": 1_024, "full": 8_192}  # tokens of a sequence that is trained on
# The lengths of all budgets. Each is climbed to through the shorter ones; the first takes 100 MB at most.
LADDER = sorted({length for longest in LONGEST.values() for length in lengths_to(longest)})
PROBE = 2  # times the longest length measured
LONGEST_CACHE = 8192  # tokens, at these widths and batches
WIDTHS, BATCHES = (64, 256, 1024), (1, 8, 64)


def language_model(name: str, *, width: int) -> nn.Module:
    """A network with as many parameters as the Transformer of this width.

    Eight blocks of the TCN see a thousand tokens back; the default four would see sixty.
    """
    size = Size(width, blocks=8, ring=(0.0, 1.0))
    return build("linear attention" if name == LINEAR else name, size, HEAD, seed=0)


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"training": training, "limit": limit, "activations": activations, "cache": decoding}
    yield from parts[trial["part"]](trial)


@cache  # of all that climbs to a length or through it
def peak_of_step(name: str, form: str, steps: int, length: int) -> int:
    """Bytes of a training step on one sequence: by plain kernels, or as a run of `steps` trains here."""
    plain = form == PLAIN
    model = language_model(name, width=WIDTH)
    batch = random_tokens(HEAD.vocabulary, batch=1, length=length)
    with kernels.using(kernels.Kernels() if plain else kernels.current()):
        return peak_memory(step_arm(model, batch, steps=steps, compiled=False if plain else None).step)


def counted_peak(name: str, length: int) -> int:
    """Bytes that are alive at once in the graph of such a step; nothing is computed."""
    model, optimizer = language_model(name, width=WIDTH), adamw(1e-3)
    optimizer.init(model.trainable_parameters())
    mx.eval(model.parameters(), optimizer.state)
    step = training_step(model, token_loss, optimizer, compiled=False)
    return live_bytes(step, *random_tokens(HEAD.vocabulary, batch=1, length=length))


def peaks(name: str, form: str, steps: int, lengths: Sequence[int]) -> Mapping[int, int]:
    """Bytes by length, up to the last that is sure to take no more than is allowed."""
    peak = partial(peak_of_step, name, form, steps)
    return climb(peak, lengths, allowed=lambda: capacity().allowed)


def training(trial: Trial) -> Iterator[Measurement]:
    """The peak at one length, counted or measured; nothing where it was not tried."""
    length = trial["length"]
    if trial["form"] == COUNTED:
        yield Measurement("peak_memory", counted_peak(trial["model"], length))
        return
    climbed = [*(each for each in LADDER if each < length), length]
    found = peaks(trial["model"], trial["form"], trial["steps"], climbed)
    if length in found:
        yield Measurement("peak_memory", found[length])


def limit(trial: Trial) -> Iterator[Measurement]:
    """One probe of the fit at a length that is safe, and where a sequence would fill the memory."""
    name, form, steps = trial["model"], trial["form"], trial["steps"]
    found = dict(peaks(name, form, steps, lengths_to(trial["longest"])))
    if len(found) < FEWEST:
        return
    yield Measurement("memory_exponent", exponent(found))
    memory = capacity()
    peak = partial(peak_of_step, name, form, steps)
    probed = probe(peak, found, times=PROBE, allowed=memory.allowed)
    if probed:
        found[probed.length] = probed.peak
        yield Measurement("probe_length", probed.length)
        yield Measurement("prediction_error", probed.error)
        yield Measurement("probe_inside", float(probed.inside))

    yield Measurement("device_memory", memory.total)
    resident = (1 + MOMENTS) * FLOAT * parameters(language_model(name, width=WIDTH))
    filled = filled_length(found, memory.total - resident)
    for metric, length in (("low", filled.low), ("length", filled.estimate), ("high", filled.high)):
        if length < math.inf:
            yield Measurement(f"out_of_memory_{metric}", length)


def activations(trial: Trial) -> Iterator[Measurement]:
    """Memory kept for the backward pass, counted in the graph."""
    tokens = mx.zeros((1, trial["length"]), dtype=mx.int32)
    model = language_model(trial["model"], width=WIDTH)
    yield Measurement("activation_bytes", activation_bytes(model, token_loss, tokens, tokens))


def decoding(trial: Trial) -> Iterator[Measurement]:
    """The cache for so many tokens, and the length at which it outweighs the weights, from shapes alone."""
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


def budget(
    name: BudgetName,
    *smaller: BudgetName,
    counted: tuple[int, ...],
    in_use: tuple[str, ...],
    left_out: str = "",
    timeout: float,
) -> Budget:
    """All parts, those of `smaller` budgets included.

    The form in use is measured of the networks `in_use`; `left_out` is not trained at all.
    """
    longest = [LONGEST[each] for each in (*smaller, name)]
    lengths = sorted({length for each in longest for length in lengths_to(each)})
    points: tuple[Point, ...] = ()
    measured = tuple(network for network in NETWORKS if network != left_out)
    for form, models in ((PLAIN, measured), (IN_USE, in_use)):
        points += grid(part="training", model=models, form=form, length=lengths)
        points += grid(part="limit", model=models, form=form, longest=longest)
    points += grid(part="training", model=TRANSFORMER, form=COUNTED, length=lengths)
    points += grid(part="activations", model=NETWORKS, length=counted)
    # Arithmetic on shapes, so that every budget covers the whole range.
    room = (32, 128, 512, 2048, LONGEST_CACHE)
    points += grid(part="cache", model=NETWORKS, width=WIDTH, batch=1, length=room)
    points += grid(part="cache", model=TRANSFORMER, width=WIDTHS, batch=BATCHES, length=LONGEST_CACHE)
    return Budget(name, points, timeout=timeout)


TRAINING, LIMIT = {"part": "training"}, {"part": "limit"}
ONE_SEQUENCE: Where = {"part": "cache", "width": WIDTH, "batch": 1}
WHOLE: Where = {"part": "cache", "model": TRANSFORMER, "length": LONGEST_CACHE}
over_length = partial(Curve, x="length", hue="model", x_scale="log2", y_scale="log2")
by_model, by_width = partial(Table, rows=("model",)), partial(Table, rows=("width",))

experiment = Experiment(
    chapter=6,
    run=run,
    # A step is measured as a run of so many steps takes it: a device compiles long runs alone.
    protocol={"steps": 100},
    budgets=(
        budget("smoke", counted=(16, 64), in_use=(TRANSFORMER,), left_out="GRU", timeout=120),
        budget("quick", counted=(64, 256), in_use=PARALLEL, left_out="GRU", timeout=300),
        budget("full", "quick", counted=(64, 256, 1024), in_use=NETWORKS, timeout=3_600),
    ),
    claims=(
        Claim(
            "C24",
            Slope(
                metric="peak_memory", x="length", x_scale="log2", y_scale="log2",
                where=TRAINING | {"model": TRANSFORMER, "form": PLAIN}, below=1.5, seeds=1,
            ),
            "Over three or more doublings of the length, the memory of a training step of the Transformer, "
            "by plain kernels, grows more slowly than the length to the power of one and a half. (At the "
            "power of two, twice the length would take four times the memory.)",
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
        over_length(
            y="peak_memory", columns="form", where=TRAINING,
            caption="Memory of a training step on one sequence, beyond model and optimiser, at equal "
            "parameters: by plain kernels, as this device trains, and as the graph of the plain one says.",
        ),
        Interval(
            x="memory_exponent", y="model", hue="form", columns="longest", where=LIMIT,
            guides={"as the length": 1.0, "as its square": 2.0},
            caption="The exponent with which that memory grows with the length, over three doublings up to "
            "the longest. An exponent below 1 means that memory of constant size still weighs; attention "
            "that keeps no scores grows no faster than the length.",
        ),
        Table(
            rows=("longest", "model", "form"), where=LIMIT,
            metrics=(
                "device_memory", "out_of_memory_length", "out_of_memory_low", "out_of_memory_high",
                "probe_length", "probe_inside",
            ),
            caption="The length at which a training step on one sequence would fill the device's memory, and "
            "the ends of the interval of the fit to lengths up to the longest; the length of the one probe, "
            "and whether it took as much as predicted. A dash: the length is beyond the fit's reach, or "
            "there was no room for a probe.",
        ),
        Table(
            rows=("longest", "model"), columns="form", metrics=("prediction_error",), where=LIMIT,
            caption="How much more memory the probe took than predicted, as a share; negative where it took "
            "less.",
        ),
        over_length(
            y="cache_bytes", where=ONE_SEQUENCE,
            guides={"the weights": FLOAT * parameters(language_model(TRANSFORMER, width=WIDTH))},
            caption="Memory that decoding one sequence keeps, against the number of tokens it may hold, for "
            "networks of equal parameters. Above the dashed line it takes more than the weights.",
        ),
        by_width(
            where={**WHOLE, "batch": 1},
            metrics=("weight_bytes", "cache_bytes_per_token", "outweighed_length"),
            caption="The cache of a Transformer that decodes one sequence: weights, memory for each token, "
            "and the length from which the cache outweighs the weights.",
        ),
        by_width(
            columns="batch", metrics=("cache_share",), where=WHOLE,
            caption="The cache at 8,192 tokens over the weights, by the number of sequences decoded at once.",
        ),
        by_model(
            metrics=("cache_bytes", "cache_bytes_per_token"),
            where={**ONE_SEQUENCE, "length": LONGEST_CACHE},
            caption="Memory that decoding one sequence of 8,192 tokens keeps, and how much one more token "
            "adds.",
        ),
        by_model(
            columns="length", metrics=("activation_bytes",), where={"part": "activations"},
            caption="Memory that the forward pass keeps for the backward pass, counted exactly in the graph "
            "of the plain kernels.",
        ),
    ),
)  # fmt: skip
