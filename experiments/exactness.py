"""Does reading a sequence at once give the same answer as reading it step by step?

A shortcut is worth something only if it leads to the same place. A Transformer that reads a whole sequence at
once must say of every position what it says when it reads up to there and no further. Decoding with keys and
values from a cache must give what computing everything anew gives, and a scan must give the states of the
loop that it replaces. None of this sets the Transformer apart: every causal network of this report is put to
the same tests, of sixteen prefixes, of single steps, of pieces of any size, and of the gradient that training
takes from all positions at once.

What remains in question is rounding. Sums are taken in another order, so that the last digits may differ;
inputs and outputs are of the size of one, gradients are brought to it, and differences up to 0.00001 pass. Of
several networks and inputs, drawn afresh, the worst counts. For recurrences that are scanned, a loop in
double precision shows whose rounding it is. On a GPU the trials of this page run without TF32, which would
keep three digits of a product and leave nothing to tell; how many bits a product keeps is measured beside.

Equal outputs give equal choices: written greedily, token by token, a text must be the same with and without
the cache.

The other way round, a network that sees its inputs as a set cannot know their order. So the inputs are
shuffled. If the outputs are the old ones, shuffled alike, then the network did not notice. Attention by
itself does not; what tells it the order is either an encoding of positions or a causal mask, which lets each
position see a past of its own length [@kazemnejad2023impact].
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType
from typing import get_args

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten

from seqlab.decoding.generate import generate
from seqlab.measure.ceilings import product_precision
from seqlab.models import (
    encoder_decoder,
    gru,
    hybrid,
    linear_attention,
    lru,
    lstm,
    mingru,
    minlstm,
    rnn,
    tcn,
    transformer,
)
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.diagonal import FORMS, Form
from seqlab.models.parts.matrix_memory import chunked, recurrent
from seqlab.models.parts.positions import Positions
from seqlab.models.parts.scan import SCANS, Scan
from seqlab.models.parts.streaming import State
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

BATCH, WIDTH, HEADS, LAYERS = 2, 32, 4, 2
VOCABULARY = 64
PREFIXES = 16  # of a sequence, evenly spread, that are read by themselves
CUTS = 4  # between pieces, at random places
ALLOWED = 1e-5  # largest difference of two outputs of the size of one: a hundred roundings of float32
ORDERED = 16  # inputs that trade places
PROMPT = 8  # tokens before those that are written
SOURCE = 12  # tokens that the encoder-decoder translates
FRACTION = {"float32": 23, "TF32 or less": 10}  # bits


def stacked(architecture: ModuleType) -> Backbone:
    """Residual layers of a recurrent network, as its file has them."""
    backbone: Backbone = architecture.Model(architecture.Config(WIDTH, depth=LAYERS, residual=True))
    return backbone


BACKBONES: Mapping[str, Callable[[], Backbone]] = {
    "Transformer": lambda: transformer.Model(transformer.Config(WIDTH, depth=LAYERS, heads=HEADS)),
    "RNN": partial(stacked, rnn),
    "LSTM": partial(stacked, lstm),
    "GRU": partial(stacked, gru),
    "LSTM + head": lambda: hybrid.Model(hybrid.Config(WIDTH, depth=LAYERS)),
    "minGRU": partial(stacked, mingru),
    "minLSTM": partial(stacked, minlstm),
    "LRU": lambda: lru.Model(lru.Config(WIDTH, depth=LAYERS)),
    "linear attention": lambda: linear_attention.Model(
        linear_attention.Config(WIDTH, depth=LAYERS, heads=HEADS)
    ),
    "TCN": lambda: tcn.Model(tcn.Config(WIDTH)),
}
TRANSLATOR = "encoder-decoder"
DRAWN = ("Transformer", "LSTM", "minGRU", "LRU", "linear attention", "TCN")  # others would hide them


@dataclass(frozen=True)
class Reader:
    """A network that reads inputs [B L ...] whole, from a start step by step or, where it can, in pieces."""

    model: nn.Module
    inputs: Callable[[int], mx.array]
    whole: Callable[[mx.array], mx.array]
    start: Callable[[int], State]
    step: Callable[[mx.array, State], tuple[mx.array, State]]
    extend: Callable[[mx.array, State], tuple[mx.array, State]] | None = None


def reader(name: str) -> Reader:
    """Freshly drawn from MLX's random state."""
    if name != TRANSLATOR:
        backbone = BACKBONES[name]()
        assert isinstance(backbone, nn.Module)
        return Reader(
            backbone, lambda length: mx.random.normal((BATCH, length, WIDTH)),
            backbone, lambda length: backbone.initial_state(BATCH, length), backbone.step, backbone.extend,
        )  # fmt: skip
    model = encoder_decoder.Model(encoder_decoder.Config(VOCABULARY, WIDTH, depth=LAYERS, heads=HEADS))
    source = tokens(SOURCE)
    return Reader(
        model, tokens, partial(model, source), lambda length: model.initial_state(source, length), model.step
    )


def tokens(length: int) -> mx.array:
    """Random ones."""
    return mx.random.randint(0, VOCABULARY, (BATCH, length))


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"reading": reading, "scan": scan, "writing": writing, "order": order, "precision": precision}
    yield from parts[trial["part"]](trial)


def apart(left: mx.array | np.ndarray, right: mx.array | np.ndarray) -> float:
    """The largest absolute difference."""
    return float(np.abs(doubled(left) - doubled(right)).max())


def doubled(x: mx.array | np.ndarray) -> np.ndarray:
    """In double precision, which loses nothing."""
    return np.array(x, dtype=np.float64)


def reading(trial: Trial) -> Iterator[Measurement]:
    """The outputs of one way to read a sequence against those of another, at worst over some draws."""
    if trial["check"] == "gradients":
        worst = max(gradients(reader(trial["model"]), trial["length"]) for _ in range(trial["draws"]))
    else:
        drawn = [read(trial["model"], trial["length"], draw) for draw in range(trial["draws"])]
        worst = max(found[trial["check"]] for found in drawn)
    yield Measurement("max_abs_error", worst)


@cache  # the checks of a network share their draws, and the prefixes that two of them look at
def read(name: str, length: int, draw: int) -> Mapping[str, float]:
    """The largest difference in each check, for one network and one sequence."""
    found = reader(name)
    x = found.inputs(length)
    ends = np.unique(np.linspace(0, length - 1, PREFIXES).astype(int))
    whole, places = found.whole(x), mx.array(ends)
    alone = mx.stack([found.whole(x[:, : end + 1])[:, -1] for end in ends.tolist()], axis=1)
    state, stepped = found.start(length), []
    for index in range(length):
        y, state = found.step(x[:, index], state)
        mx.eval(y, state.memory)  # as a decoder would: a long sequence would be a deep graph
        stepped.append(y)
    errors = {
        "at once": apart(whole[:, places], alone),
        "steps": apart(mx.stack(stepped, axis=1)[:, places], alone),
    }
    if found.extend is not None:
        cuts = np.random.default_rng(draw).integers(1, length, size=CUTS)
        state, pieces = found.start(length), []
        for piece in mx.split(x, np.unique(cuts).tolist(), axis=1):
            y, state = found.extend(piece, state)
            pieces.append(y)
        errors["pieces"] = apart(mx.concatenate(pieces, axis=1), whole)
    return errors


def gradients(found: Reader, length: int) -> float:
    """The gradient of a sum over all positions at once against the sum of those of prefixes by themselves.

    Relative to the largest entry of it. What is summed is a random projection of the outputs.
    """
    x = found.inputs(length)
    weight = mx.random.normal(found.whole(x).shape)

    def of(function: Callable[[], mx.array]) -> Mapping[str, np.ndarray]:
        gradient = nn.value_and_grad(found.model, function)()[1]
        return {name: doubled(part) for name, part in dict(tree_flatten(gradient)).items()}

    whole = of(lambda: mx.sum(weight * found.whole(x)))
    summed = {name: np.zeros(part.shape) for name, part in whole.items()}
    for end in range(length):
        alone = of(lambda end=end: mx.sum(weight[:, end] * found.whole(x[:, : end + 1])[:, -1]))  # type: ignore[misc]
        summed = {name: part + alone[name] for name, part in summed.items()}
    largest = max(float(np.abs(part).max()) for part in summed.values())
    return max(apart(whole[name], summed[name]) for name in whole) / largest


# A recurrence's states, of the size of one, by every form that it has; "float64" is a loop of NumPy's.
Kernels = Mapping[str, Callable[[], mx.array | np.ndarray]]


def gated(architecture: ModuleType, length: int) -> Kernels:
    """h_t = a_t h_{t-1} + b_t, with the gates of a fresh layer."""
    (cell,) = architecture.Model(architecture.Config(WIDTH)).cells
    a, b = cell.coefficients(mx.random.normal((BATCH, length, WIDTH)))
    mx.eval(a, b)

    def double() -> np.ndarray:
        h, states = np.zeros((BATCH, WIDTH)), []
        factors, terms = doubled(a), doubled(b)
        for index in range(length):
            h = factors[:, index] * h + terms[:, index]
            states.append(h)
        return np.stack(states, axis=1)

    forms: Mapping[str, Scan] = {"tree": "doubling", "chunks": "chunked", "loop": "loop"}
    return {name: partial(SCANS[form], a, b) for name, form in forms.items()} | {"float64": double}


def diagonal(length: int) -> Kernels:
    """h_t = λ h_{t-1} + b_t, complex, with what drives a fresh layer; real and imaginary parts."""
    (cell,) = lru.Model(lru.Config(WIDTH)).cells
    recurrence = cell.recurrence
    factor = recurrence.eigenvalues()
    driven = recurrence.drive(mx.random.normal((BATCH * length, WIDTH)))
    real, imaginary = (part.reshape(WIDTH, BATCH, length) for part in driven)
    zero = mx.zeros((WIDTH, BATCH))
    mx.eval(factor, real, imaginary)

    def double() -> np.ndarray:
        one, terms = (doubled(pair[0]) + 1j * doubled(pair[1]) for pair in (factor, (real, imaginary)))
        h, found = np.zeros((WIDTH, BATCH), dtype=np.complex128), []
        for index in range(length):
            h = one[:, None] * h + terms[..., index]
            found.append(h)
        return np.stack([np.real(found), np.imag(found)]).transpose(0, 2, 3, 1)

    def states(form: Form) -> mx.array:
        return mx.stack(list(FORMS[form](factor, (real, imaginary), (zero, zero))))

    forms: Mapping[str, Form] = {"chunks": "chunked", "Fourier": "fft", "loop": "loop"}
    return {name: partial(states, form) for name, form in forms.items()} | {"float64": double}


def matrix(length: int) -> Kernels:
    """S_t = S_{t-1} + φ(k_t) v_tᵀ, read by φ(q_t) and divided by the sum of its weights."""
    size = WIDTH // HEADS
    q, k = (linear_attention.feature(part) for part in mx.random.normal((2, BATCH, HEADS, length, size)))
    v = mx.concatenate([mx.random.normal(q.shape), mx.ones((*q.shape[:3], 1))], axis=-1)
    empty, rates = mx.zeros((BATCH, HEADS, size, size + 1)), np.ones(HEADS)
    mx.eval(q, k, v)

    def divided(y: mx.array | np.ndarray) -> mx.array | np.ndarray:
        return y[..., :-1] / y[..., -1:]

    def loop() -> mx.array | np.ndarray:
        memory, read = empty, []
        steps = (mx.split(part, length, axis=2) for part in (q, k, v))
        for q_t, k_t, v_t in zip(*steps, strict=True):
            y, memory = recurrent(q_t, k_t, v_t, memory, rates)
            read.append(y)
        return divided(mx.concatenate(read, axis=2))

    def double() -> mx.array | np.ndarray:
        wide_q, wide_k, wide_v = doubled(q), doubled(k), doubled(v)
        memory, read = np.zeros(empty.shape), []
        for index in range(length):
            memory = memory + wide_k[:, :, index, :, None] * wide_v[:, :, index, None, :]
            read.append((wide_q[:, :, index, None, :] @ memory)[:, :, 0])
        return divided(np.stack(read, axis=2))

    return {
        "chunks": lambda: divided(chunked(q, k, v, empty, rates)[0]), "loop": loop, "float64": double
    }  # fmt: skip


RECURRENCES: Mapping[str, Callable[[int], Kernels]] = {
    "minGRU": partial(gated, mingru),
    "minLSTM": partial(gated, minlstm),
    "LRU": diagonal,
    "linear attention": matrix,
}
SCANNED = (
    ("minGRU", "tree"), ("minGRU", "chunks"), ("minLSTM", "tree"), ("minLSTM", "chunks"),
    ("LRU", "chunks"), ("LRU", "Fourier"), ("linear attention", "chunks"),
)  # fmt: skip
IN_FLOAT32, IN_FLOAT64 = "the loop", "a loop in float64"


def scan(trial: Trial) -> Iterator[Measurement]:
    """States by a scan against those by a loop; the loop's own too, against one in double precision."""
    name, _, form = trial["scan"].rpartition(", ")
    reference = {IN_FLOAT32: "loop", IN_FLOAT64: "float64"}[trial["against"]]
    drawn = (RECURRENCES[name](trial["length"]) for _ in range(trial["draws"]))
    yield Measurement("max_abs_error", max(apart(forms[form](), forms[reference]()) for forms in drawn))


def writing(trial: Trial) -> Iterator[Measurement]:
    """Greedy tokens with what is remembered, and with everything read anew for each; at worst."""
    agree, distinct = [], []
    for _ in range(trial["draws"]):
        model = LanguageModel(BACKBONES[trial["model"]](), vocabulary=VOCABULARY)
        prompt, written = tokens(PROMPT), trial["written"]
        kept, anew = (
            np.array(mx.stack(list(generate(model, prompt, tokens=written, cached=cached))))
            for cached in (True, False)
        )
        agree.append(float((kept == anew).mean()))
        distinct.append(len(np.unique(anew)))
    yield Measurement("tokens_agree", min(agree))
    yield Measurement("distinct_tokens", min(distinct))  # one alone would agree by chance


SCHEMES = {
    f"{kind} {'alone' if positions == 'none' else f'+ {positions}'}": (kind, positions)
    for kind in ("encoder", "decoder")
    for positions in get_args(Positions)
}


def order(trial: Trial) -> Iterator[Measurement]:
    """How far the outputs of shuffled inputs are from the shuffled outputs."""
    kind, positions = SCHEMES[trial["scheme"]]
    config = transformer.Config(
        WIDTH, depth=LAYERS, heads=HEADS, causal=kind == "decoder", positions=positions, length=ORDERED
    )
    backbone, x = transformer.Model(config), mx.random.normal((BATCH, ORDERED, WIDTH))
    places = mx.array(np.random.default_rng(trial.seed).permutation(ORDERED))
    yield Measurement("permutation_error", apart(backbone(x[:, places]), backbone(x)[:, places]))


def precision(trial: Trial) -> Iterator[Measurement]:
    """What the device makes of a matrix product here."""
    yield Measurement("product_bits", FRACTION[product_precision()])


Lengths = tuple[int, ...]
CHECKS = ("at once", "steps", "pieces")


def points(lengths: Lengths, *, seeds: int) -> tuple[Point, ...]:
    """All parts; gradients at the first length alone, since they take every prefix."""
    read = grid(part="reading", check=CHECKS, model=BACKBONES, length=lengths)
    read += grid(part="reading", check=CHECKS[:2], model=TRANSLATOR, length=lengths)
    read += grid(part="reading", check="gradients", model=(*BACKBONES, TRANSLATOR), length=lengths[0])
    scans = [f"{name}, {form}" for name, form in SCANNED]
    loops = [f"{name}, loop" for name in RECURRENCES]
    read += grid(part="scan", scan=scans, against=(IN_FLOAT32, IN_FLOAT64), length=lengths)
    read += grid(part="scan", scan=loops, against=IN_FLOAT64, length=lengths)
    written = grid(part="writing", model=BACKBONES)
    shuffled = grid(part="order", scheme=SCHEMES, seeds=seeds)
    return read + written + shuffled + grid(part="precision", arrays="float32")


READING = {"part": "reading"}
GUIDE = {"allowed": ALLOWED}

experiment = Experiment(
    chapter=2,
    parallel_over=("model", "length"),
    run=run,
    precise=True,
    budgets=(
        Budget("smoke", points((16, 32), seeds=2), {"written": 8, "draws": 1}, timeout=60),
        Budget("quick", points((16, 64, 128), seeds=3), {"written": 16, "draws": 2}, timeout=120),
        Budget(
            "full", points((16, 128, 1024, 8192), seeds=10), {"written": 128, "draws": 5}, timeout=7_200
        ),
    ),
    claims=(
        Claim(
            "C08",
            Exact(
                metric="max_abs_error", per=("length",),
                where=READING | {"check": "at once", "model": "Transformer"}, below=ALLOWED,
            ),
            "Reading the whole sequence at once, the Transformer gives the same outputs, within 0.00001, as "
            "reading prefixes of it by themselves, where no later token was there to be seen.",
        ),
        Claim(
            "C08",
            Exact(
                metric="max_abs_error", where=READING | {"check": "gradients", "model": "Transformer"},
                below=ALLOWED,
            ),
            "The gradient that the Transformer's training takes from all positions at once is, within "
            "0.00001 of its largest entry, the sum of the gradients of every prefix by itself.",
        ),
        Claim(
            "C16",
            Exact(
                metric="max_abs_error", per=("length",),
                where=READING | {"check": "steps", "model": "Transformer"}, below=ALLOWED,
            ),
            "Decoding step by step with cached keys and values gives the same outputs, within 0.00001, as "
            "computing prefixes anew.",
        ),
        Claim(
            "C37",
            Exact(metric="tokens_agree", where={"part": "writing", "model": "Transformer"}, above=0.999),
            "The accuracy of what is generated is preserved: written greedily, every token is the same with "
            "the cache as without. (Efficiency is the other half of the sentence, and a question for the "
            "chapter on decoding.)",
        ),
        Claim(
            "C35",
            Exact(
                metric="permutation_error", per=("scheme",), along="scheme", where={"part": "order"},
                above=ALLOWED,
            ),
            "Order is told by the places of tokens instead of by time: with its inputs shuffled, the network "
            "does not just give its old outputs in the new order, but differs from that by more than "
            "0.00001. It has to hold for encoder and decoder by every way to tell positions, and by none.",
        ),
    ),
    figures=(
        Curve(
            x="length", y="max_abs_error", hue="model", columns="check",
            where=READING | {"model": DRAWN, "check": CHECKS},
            x_scale="log2", y_scale="log10", guides=GUIDE,
            caption="How far one way of reading is from another. Left: the whole at once against prefixes by "
            "themselves; middle: step by step against those prefixes; right: in pieces against the whole. "
            "Where a line is missing there is no difference at all.",
        ),
        Curve(
            x="length", y="max_abs_error", hue="scan", columns="against",
            where={"part": "scan", "scan": tuple(f"{name}, {form}" for name, form in SCANNED)},
            x_scale="log2", y_scale="log10", guides=GUIDE,
            caption="States by a scan against those by a loop in the same precision, and in double "
            "precision.",
        ),
        Interval(
            x="permutation_error", y="scheme", x_scale="log10", where={"part": "order"}, guides=GUIDE,
            caption="What a network makes of another order of its inputs. Left of the dashed line it did not "
            "notice.",
        ),
        Table(
            rows=("model",), columns="check", metrics=("max_abs_error",), where=READING,
            caption="The largest difference between two ways of reading, and, relative to its largest entry, "
            "between the gradient of all positions at once and the sum of those of every prefix: the mean "
            "over lengths.",
        ),
        Table(
            rows=("scan",), columns="against", metrics=("max_abs_error",), where={"part": "scan"},
            caption="The largest difference of a scan, or of the loop itself, from a loop: the mean over "
            "lengths.",
        ),
        Table(
            rows=("model",), metrics=("tokens_agree", "distinct_tokens"), where={"part": "writing"},
            caption="Tokens written greedily with what is remembered, against those with everything read "
            "anew, and how many different ones there were to agree on.",
        ),
        Table(
            rows=("arrays",), metrics=("product_bits",), where={"part": "precision"},
            caption="What this device keeps of a matrix product: 23 bits are all that float32 has, TF32 "
            "keeps 10.",
        ),
    ),
)  # fmt: skip
