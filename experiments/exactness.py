"""Does parallel computation give the same outputs as step by step?

A Transformer that reads a whole sequence at once must give at each position the output that it gives for the
prefix up to there. Decoding with cached keys and values must give what computing everything again gives. A
scan, which computes a linear recurrence in parallel, must give the states of the loop that it replaces. None
of this is special to the Transformer, so every causal network of this report passes the same tests: sixteen
prefixes, single steps, pieces of random sizes, and the gradient that training takes from all positions at
once.

Equal here means equal up to rounding. Sums are taken in another order, so that the last digits may differ.
Inputs and outputs are of order one, gradients are scaled to it, and differences up to 0.00001 pass. Several
networks and inputs are drawn, and the largest difference counts. For scanned recurrences, a loop in double
precision shows whether the scan or the loop rounds more. On a GPU, this page runs without TF32, a format that
keeps three decimal digits of a product and would hide the differences. The page also measures how many bits a
product keeps.

Equal outputs should give equal decisions: in greedy decoding, which takes the most likely token each time,
the tokens must be the same with and without the cache.

The opposite question is whether a network depends on the order of its inputs at all. The inputs are
shuffled; if the outputs are the old ones in the new order, the network treats its inputs as a set. Attention
alone does so. What gives it order is either a positional encoding or a causal mask, which lets each position
see a past of its own length [@kazemnejad2023impact].
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from types import ModuleType
from typing import get_args

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.decoding.generate import generate
from seqlab.measure import float64
from seqlab.measure.agreement import Reader, gradient_difference, largest_difference, reading_differences
from seqlab.measure.ceilings import product_precision
from seqlab.models import backbones, encoder_decoder, linear_attention, lru, mingru, minlstm, transformer
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.diagonal import FORMS, Form
from seqlab.models.parts.matrix_memory import chunked, recurrent
from seqlab.models.parts.positions import Positions
from seqlab.models.parts.scan import SCANS, Scan
from seqlab.notebook import Budget, Claim, Exact, Experiment, Measurement, Point, Trial, grid
from seqlab.notebook.figures import Curve, Interval, Table

BATCH, WIDTH, HEADS, LAYERS = 2, 32, 4, 2
VOCABULARY = 64
ALLOWED = 1e-5  # largest difference of two outputs of order one: a hundred roundings of float32
ORDERED = 16  # inputs that are shuffled
PROMPT = 8  # tokens before the generated ones
SOURCE = 12  # tokens that the encoder-decoder translates
FRACTION = {"float32": 23, "TF32 or less": 10}  # bits
SIZE = backbones.Size(WIDTH, LAYERS, HEADS, ring=(0.0, 1.0), blocks=4)
BACKBONES: Mapping[str, Callable[[], Backbone]] = {
    name: partial(backbones.BACKBONES["LSTM + attention" if name == "LSTM + head" else name], SIZE, None)
    for name in (
        "Transformer", "RNN", "LSTM", "GRU", "LSTM + head", "minGRU", "minLSTM", "LRU", "linear attention",
        "TCN",
    )
}  # fmt: skip
TRANSLATOR = "encoder-decoder"
DRAWN = ("Transformer", "LSTM", "minGRU", "LRU", "linear attention", "TCN")  # others would overlap them


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"reading": reading, "scan": scan, "writing": writing, "order": order, "precision": precision}
    yield from parts[trial["part"]](trial)


def reader(name: str) -> Reader:
    """A network with weights drawn from MLX's random state."""
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
    """Random tokens."""
    return mx.random.randint(0, VOCABULARY, (BATCH, length))


@cache  # the checks of a network share their draws, and the prefixes that two of them compare with
def read(name: str, length: int, draw: int) -> Mapping[str, float]:
    """The largest difference in each check, for one network and one sequence."""
    return reading_differences(reader(name), length, np.random.default_rng(draw))


def reading(trial: Trial) -> Iterator[Measurement]:
    """The largest difference between two ways of reading a sequence, over several draws."""
    name, length, draws = trial["model"], trial["length"], range(trial["draws"])
    if trial["check"] == "gradients":
        worst = max(gradient_difference(reader(name), length) for _ in draws)
    else:
        found = [read(name, length, draw) for draw in draws]
        worst = max(each[trial["check"]] for each in found)
    yield Measurement("max_abs_error", worst)


# A recurrence's states in every form that it has; "float64" is a loop in double precision.
Forms = Mapping[str, Callable[[], mx.array | np.ndarray]]


def gated(architecture: ModuleType, length: int) -> Forms:
    """h_t = a_t h_{t-1} + b_t, with the gates of a new layer."""
    (cell,) = architecture.Model(architecture.Config(WIDTH)).cells
    a, b = cell.coefficients(mx.random.normal((BATCH, length, WIDTH)))
    mx.eval(a, b)
    scans: Mapping[str, Scan] = {"tree": "doubling", "chunks": "chunked", "loop": "loop"}
    return {name: partial(SCANS[form], a, b) for name, form in scans.items()} | {
        "float64": partial(float64.gated, a, b)
    }


def diagonal(length: int) -> Forms:
    """h_t = λ h_{t-1} + b_t, complex, with the inputs of a new layer; real and imaginary parts."""
    (cell,) = lru.Model(lru.Config(WIDTH)).cells
    recurrence = cell.recurrence
    factor = recurrence.eigenvalues()
    driven = recurrence.drive(mx.random.normal((BATCH * length, WIDTH)))
    real, imaginary = (part.reshape(WIDTH, BATCH, length) for part in driven)
    zero = mx.zeros((WIDTH, BATCH))
    mx.eval(factor, real, imaginary)

    def states(form: Form) -> mx.array:
        return mx.stack(list(FORMS[form](factor, (real, imaginary), (zero, zero))))

    forms: Mapping[str, Form] = {"chunks": "chunked", "Fourier": "fft", "loop": "loop"}
    return {name: partial(states, form) for name, form in forms.items()} | {
        "float64": partial(float64.diagonal, factor, (real, imaginary))
    }


def matrix(length: int) -> Forms:
    """S_t = S_{t-1} + φ(k_t) v_tᵀ, read by φ(q_t) and divided by the sum of its weights."""
    size = WIDTH // HEADS
    q, k = (linear_attention.feature(part) for part in mx.random.normal((2, BATCH, HEADS, length, size)))
    v = mx.concatenate([mx.random.normal(q.shape), mx.ones((*q.shape[:3], 1))], axis=-1)
    empty, rates = mx.zeros((BATCH, HEADS, size, size + 1)), np.ones(HEADS)
    mx.eval(q, k, v)

    def loop() -> mx.array:
        memory, read = empty, []
        steps = (mx.split(part, length, axis=2) for part in (q, k, v))
        for q_t, k_t, v_t in zip(*steps, strict=True):
            y, memory = recurrent(q_t, k_t, v_t, memory, rates)
            read.append(y)
        return mx.concatenate(read, axis=2)

    def divided(form: Callable[[], mx.array | np.ndarray]) -> mx.array | np.ndarray:
        y = form()
        return y[..., :-1] / y[..., -1:]

    forms: Forms = {
        "chunks": lambda: chunked(q, k, v, empty, rates)[0],
        "loop": loop,
        "float64": partial(float64.matrix_memory, q, k, v),
    }
    return {name: partial(divided, form) for name, form in forms.items()}


RECURRENCES: Mapping[str, Callable[[int], Forms]] = {
    "minGRU": partial(gated, mingru),
    "minLSTM": partial(gated, minlstm),
    "LRU": diagonal,
    "linear attention": matrix,
}
SCANNED = (
    "minGRU, tree", "minGRU, chunks", "minLSTM, tree", "minLSTM, chunks", "LRU, chunks", "LRU, Fourier",
    "linear attention, chunks",
)  # fmt: skip
IN_FLOAT32, IN_FLOAT64 = "the loop", "a loop in float64"


def scan(trial: Trial) -> Iterator[Measurement]:
    """States by a scan against those by a loop; those of the loop itself against one in double precision."""
    name, _, form = trial["scan"].rpartition(", ")
    reference = {IN_FLOAT32: "loop", IN_FLOAT64: "float64"}[trial["against"]]
    drawn = (RECURRENCES[name](trial["length"]) for _ in range(trial["draws"]))
    worst = max(largest_difference(forms[form](), forms[reference]()) for forms in drawn)
    yield Measurement("max_abs_error", worst)


def writing(trial: Trial) -> Iterator[Measurement]:
    """Tokens decoded greedily with a cache against those without; the worst of several draws."""
    agree, distinct = [], []
    for _ in range(trial["draws"]):
        model = LanguageModel(BACKBONES[trial["model"]](), vocabulary=VOCABULARY)
        prompt, length = tokens(PROMPT), trial["written"]
        cached, uncached = (
            np.array(mx.stack(list(generate(model, prompt, tokens=length, cached=cached))))
            for cached in (True, False)
        )
        agree.append(float((cached == uncached).mean()))
        distinct.append(len(np.unique(uncached)))
    yield Measurement("tokens_agree", min(agree))
    yield Measurement("distinct_tokens", min(distinct))  # a single one would agree by chance


SCHEMES = {
    f"{kind} {'alone' if positions == 'none' else f'+ {positions}'}": (kind, positions)
    for kind in ("encoder", "decoder")
    for positions in get_args(Positions)
}


def order(trial: Trial) -> Iterator[Measurement]:
    """The difference between the outputs of shuffled inputs and the shuffled outputs."""
    kind, positions = SCHEMES[trial["scheme"]]
    config = transformer.Config(
        WIDTH, depth=LAYERS, heads=HEADS, causal=kind == "decoder", positions=positions, length=ORDERED
    )
    backbone, x = transformer.Model(config), mx.random.normal((BATCH, ORDERED, WIDTH))
    places = mx.array(np.random.default_rng(trial.seed).permutation(ORDERED))
    error = largest_difference(backbone(x[:, places]), backbone(x)[:, places])
    yield Measurement("permutation_error", error)


def precision(trial: Trial) -> Iterator[Measurement]:
    """How many bits of a matrix product this device keeps."""
    yield Measurement("product_bits", FRACTION[product_precision()])


CHECKS = ("at once", "steps", "pieces")


def points(lengths: tuple[int, ...], *, seeds: int) -> tuple[Point, ...]:
    """All parts; gradients at the first length alone, since they take every prefix."""
    loops = tuple(f"{name}, loop" for name in RECURRENCES)
    return (
        *grid(part="reading", check=CHECKS, model=BACKBONES, length=lengths),
        *grid(part="reading", check=CHECKS[:2], model=TRANSLATOR, length=lengths),
        *grid(part="reading", check="gradients", model=(*BACKBONES, TRANSLATOR), length=lengths[0]),
        *grid(part="scan", scan=SCANNED, against=(IN_FLOAT32, IN_FLOAT64), length=lengths),
        *grid(part="scan", scan=loops, against=IN_FLOAT64, length=lengths),
        *grid(part="writing", model=BACKBONES),
        *grid(part="order", scheme=SCHEMES, seeds=seeds),
        *grid(part="precision", arrays="float32"),
    )


READING, SCAN, WRITING, ORDER = ({"part": part} for part in ("reading", "scan", "writing", "order"))
GUIDE = {"allowed": ALLOWED}


def equal(check: str, *per: str) -> Exact:
    """In this check of the Transformer, no difference exceeds what is allowed."""
    where = READING | {"check": check, "model": "Transformer"}
    return Exact(metric="max_abs_error", per=per, where=where, below=ALLOWED)


experiment = Experiment(
    chapter=2,
    parallel_over=("model", "length"),
    run=run,
    precise=True,
    protocol={"written": 32, "draws": 2},
    budgets=(
        Budget("smoke", points((16, 32), seeds=2), {"written": 8, "draws": 1}, timeout=60),
        Budget("quick", points((16, 64, 128), seeds=3), timeout=120),
        Budget("full", points((16, 64, 128, 1024, 8192), seeds=10), timeout=7_200),
    ),
    claims=(
        Claim(
            "C08",
            equal("at once", "length"),
            "When the Transformer computes all positions of a sequence at once, it gives the same outputs, "
            "within 0.00001, as when it is given each prefix alone, without the later tokens.",
        ),
        Claim(
            "C08",
            equal("gradients"),
            "The gradient that the Transformer's training takes from all positions at once equals, within "
            "0.00001 of its largest entry, the sum of the gradients of all prefixes.",
        ),
        Claim(
            "C16",
            equal("steps", "length"),
            "Decoding step by step with cached keys and values gives the same outputs, within 0.00001, as "
            "computing each prefix again.",
        ),
        Claim(
            "C37",
            Exact(metric="tokens_agree", where=WRITING | {"model": "Transformer"}, above=0.999),
            "A cache preserves the accuracy of what is generated: in greedy decoding, every token is the "
            "same with the cache as without. (The claim's other half, efficiency, belongs to the chapter on "
            "decoding.)",
        ),
        Claim(
            "C35",
            Exact(
                metric="permutation_error", per=("scheme",), along="scheme", where=ORDER, above=ALLOWED
            ),
            "A Transformer depends on the order of its inputs: when they are shuffled, its outputs differ by "
            "more than 0.00001 from the old outputs in the new order. This has to hold for encoder and "
            "decoder, with every positional encoding and with none.",
        ),
    ),
    figures=(
        Curve(
            x="length", y="max_abs_error", hue="model", columns="check",
            where=READING | {"model": DRAWN, "check": CHECKS},
            x_scale="log2", y_scale="log10", guides=GUIDE,
            caption="Largest difference between two ways of computing the same outputs. Left: whole sequence "
            "against each prefix alone; middle: step by step against those prefixes; right: in pieces "
            "against the whole. A missing line means no difference at all.",
        ),
        Curve(
            x="length", y="max_abs_error", hue="scan", columns="against", where=SCAN | {"scan": SCANNED},
            x_scale="log2", y_scale="log10", guides=GUIDE,
            caption="Largest difference between the states of a scan and those of a loop, in the same "
            "precision and in double precision.",
        ),
        Interval(
            x="permutation_error", y="scheme", x_scale="log10", where=ORDER, guides=GUIDE,
            caption="Largest change of an output when the inputs are shuffled. Left of the dashed line the "
            "network does not depend on their order.",
        ),
        Table(
            rows=("model",), columns="check", metrics=("max_abs_error",), where=READING,
            caption="Largest difference between two ways of reading a sequence; for gradients, between that "
            "of all positions at once and the sum over all prefixes, relative to the largest entry. Means "
            "over lengths.",
        ),
        Table(
            rows=("scan",), columns="against", metrics=("max_abs_error",), where=SCAN,
            caption="Largest difference of a scan, or of the loop itself, from a loop: means over lengths.",
        ),
        Table(
            rows=("model",), metrics=("tokens_agree", "distinct_tokens"), where=WRITING,
            caption="Greedy decoding with a cache against decoding without: the share of equal tokens, and "
            "how many different tokens there were.",
        ),
        Table(
            rows=("arrays",), metrics=("product_bits",), where={"part": "precision"},
            caption="Bits of fraction that this device keeps of a matrix product: 23 is all that float32 "
            "has; TF32 keeps 10.",
        ),
    ),
)  # fmt: skip
