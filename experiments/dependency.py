"""Which steps must wait for one another, and how does that chain grow with the length of a sequence?

MLX writes down every operation that a model asks for. The longest path through that graph is the number of
operations that must follow one another however parallel the machine is: what @vaswani2017attention [Table 1]
call sequential operations, here counted in the models as they are written rather than derived. The count is
exact and does not depend on how busy the machine is.

Each network has one layer, of which a whole training step has two, with the embedding, the loss and its
gradient. Two differ: the convolutional network has as many blocks as it takes to see the whole sequence,
unless its name says otherwise, and the LSTM with a head has two layers of its own. From the counts at all
lengths, the growth is chosen that fits them best by least squares: none, with the logarithm, with the square
root or with the length itself; none where a line explains less than nine tenths of the variance, since a
length that does not divide evenly costs an operation here and there. A matrix product counts as one
operation, though the sum inside it takes a machine a logarithm of steps; so does a reduction. This is what a
program must wait for, and none of it is time: a short chain of large operations may well take longer than a
long chain of small ones.

Not every recurrence needs the chain. In the minGRU and the minLSTM of @feng2024rnns and in other linear
recurrences, steps can be joined pairwise, in a tree [@martin2017parallelizing]. They are the control for the
sentence that recurrent networks know no parallelism, and the same minGRU is counted in three ways: as a loop,
as a tree, and in chunks.

Constant is not the same as one. Within a layer of a Transformer, the norm, the projections, the scores, the
softmax, the product with the values and the feed-forward network still wait for each other, and each layer
waits for the one below.

Who depends on whom is another question than who waits for whom. What a decoder computes at a position depends
on all tokens before it, in training as well; it need not wait for them, since the true tokens are there from
the start, which is called teacher forcing. The gradient of every output with respect to every input answers
it, for one layer, so that no pair is joined by way of a third. An encoder joins all pairs. A decoder hides
what comes later, and that has a price: the plain form of attention computes every score and then throws away
those above the diagonal, so that part of its work serves nobody. A form that leaves out what is masked does
less. How useful the work is, and how much there is, is counted for an encoder and a decoder of one size.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType

import mlx.core as mx
import numpy as np
from jaxtyping import Float

from seqlab.measure.depth import sequential_operations, trend
from seqlab.measure.flops import training_step_flops
from seqlab.measure.gradients import influences
from seqlab.measure.graph import forward_and_backward, primitives
from seqlab.models import gru, hybrid, linear_attention, lru, lstm, mingru, minlstm, rnn, tcn, transformer
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.attention import Attention
from seqlab.models.parts.losses import token_loss
from seqlab.notebook import (
    Budget,
    Claim,
    Curve,
    Exact,
    Experiment,
    Heatmap,
    Measurement,
    Point,
    Slope,
    Table,
    Trial,
    grid,
)

WIDTH, HEADS = 32, 4
VOCABULARY = 64  # of the training step's tokens
SHORTEST = 8  # length from which counts are taken, doubling by doubling
LAYERED = 16  # length at which layers are counted
SHOWN = 8  # positions of the picture of who depends on whom
DECODER, ENCODER = "Transformer decoder", "Transformer encoder"


@dataclass(frozen=True)
class Network:
    """How it is made of (layers, length), and what is published of a layer of its kind.

    `sequential` operations and longest `path` between two positions are those of Table 1 in Vaswani et al.
    (2017), for a scan of Martin and Cundy (2017); a dash where neither has it.
    """

    make: Callable[[int, int], Backbone]
    sequential: str = "–"
    path: str = "–"


def recurrent(architecture: ModuleType, layers: int, length: int, **options: str) -> Backbone:
    """A stack of the file's layers; several are residual, as everywhere in this report."""
    config = architecture.Config(WIDTH, depth=layers, residual=layers > 1, **options)
    backbone: Backbone = architecture.Model(config)
    return backbone


def attention(layers: int, length: int, *, causal: bool) -> transformer.Model:
    """An encoder or a decoder of the common size."""
    return transformer.Model(transformer.Config(WIDTH, depth=layers, heads=HEADS, causal=causal))


def convolutional(layers: int, length: int) -> tcn.Model:
    """As few blocks as see `length` inputs."""
    blocks = next(n for n in range(1, 64) if tcn.Config(WIDTH, depth=n).receptive_field >= length)
    return tcn.Model(tcn.Config(WIDTH, depth=blocks))


LINEAR = {"sequential": "O(n)", "path": "O(n)"}
SCAN = {"sequential": "O(log n)"}
NETWORKS: Mapping[str, Network] = {
    "RNN": Network(partial(recurrent, rnn), **LINEAR),
    "LSTM": Network(partial(recurrent, lstm), **LINEAR),
    "GRU": Network(partial(recurrent, gru), **LINEAR),
    "LSTM + head": Network(lambda layers, length: hybrid.Model(hybrid.Config(WIDTH))),
    "minGRU, loop": Network(partial(recurrent, mingru, scan="loop"), **LINEAR),
    "minGRU, chunks": Network(partial(recurrent, mingru, scan="chunked")),
    "minGRU, tree": Network(partial(recurrent, mingru, scan="doubling"), **SCAN),
    "minLSTM, tree": Network(partial(recurrent, minlstm, scan="doubling"), **SCAN),
    "LRU": Network(lambda layers, length: lru.Model(lru.Config(WIDTH, depth=layers))),
    "linear attention": Network(
        lambda layers, length: linear_attention.Model(
            linear_attention.Config(WIDTH, depth=layers, heads=HEADS)
        )
    ),
    "TCN": Network(convolutional, sequential="O(1)", path="O(log n)"),
    "TCN, 4 blocks": Network(lambda layers, length: tcn.Model(tcn.Config(WIDTH, depth=4)), sequential="O(1)"),
    DECODER: Network(partial(attention, causal=True), sequential="O(1)", path="O(1)"),
    ENCODER: Network(partial(attention, causal=False), sequential="O(1)", path="O(1)"),
}
CHAINED = ("RNN", "LSTM", "GRU")
ONE_LAYER, TRAINING = "one layer", "a training step"
COUNTED: Mapping[str, tuple[str, ...]] = {
    ONE_LAYER: tuple(NETWORKS),
    TRAINING: (
        *CHAINED, "minGRU, chunks", "minGRU, tree", "LRU", "linear attention", "TCN", DECODER, ENCODER
    ),
}  # fmt: skip
DRAWN = (*CHAINED, "minGRU, chunks", "minGRU, tree", "TCN", DECODER)  # more lines would hide each other
# Of the TCN a single block, whose inputs are fewer than all, so that it shows what it does not see.
MAPPED: Mapping[str, Callable[[], Backbone]] = {
    "LSTM": lambda: lstm.Model(lstm.Config(WIDTH)),
    "TCN, 1 block": lambda: tcn.Model(tcn.Config(WIDTH, depth=1)),
    DECODER: partial(attention, 1, SHOWN, causal=True),
    ENCODER: partial(attention, 1, SHOWN, causal=False),
}


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {
        "chain": chain, "growth": grown, "layers": layers, "projections": projections, "map": shown,
        "pairs": pairs,
    }  # fmt: skip
    yield from parts[trial["part"]](trial)


@cache  # the growth takes the same counts as the chains
def operations(counted: str, model: str, length: int) -> int:
    """Longest path through one layer, or through the loss and its gradient."""
    make = NETWORKS[model].make
    if counted == ONE_LAYER:
        return sequential_operations(make(1, length), mx.zeros((1, length, WIDTH)))
    tokens = mx.zeros((1, length), dtype=mx.int32)
    step = forward_and_backward(LanguageModel(make(2, length), vocabulary=VOCABULARY), token_loss)
    return sequential_operations(step, tokens, tokens)


def chain(trial: Trial) -> Iterator[Measurement]:
    """The longest path at one length."""
    count = operations(trial["counted"], trial["model"], trial["length"])
    yield Measurement("sequential_operations", count)


def grown(trial: Trial) -> Iterator[Measurement]:
    """How it grows over all lengths; the metric that is measured names the growth that fits best."""
    counted, model = trial["counted"], trial["model"]
    found = trend({length: operations(counted, model, length) for length in lengths(trial["longest"])})
    metrics = {
        "constant": "constant_operations", "per doubling": "operations_per_doubling",
        "per root": "operations_per_root", "per token": "operations_per_token",
    }  # fmt: skip
    yield Measurement(metrics[found.kind], found.amount)
    yield Measurement("growth_misfit", found.misfit)


def layers(trial: Trial) -> Iterator[Measurement]:
    """The longest path through a number of layers."""
    backbone = NETWORKS[trial["model"]].make(trial["layers"], LAYERED)
    yield Measurement("sequential_operations", sequential_operations(backbone, mx.zeros((1, LAYERED, WIDTH))))


PROJECTED = ("queries, keys and values", "gates of an LSTM")


def projections(trial: Trial) -> Iterator[Measurement]:
    """What the inputs go through before any position looks at another."""
    heads, cell = Attention(width=WIDTH, heads=HEADS, rotary=False), lstm.Model(lstm.Config(WIDTH)).cells[0]
    assert isinstance(cell, lstm.Layer)
    functions: Mapping[str, Callable[[mx.array], object]] = {
        PROJECTED[0]: lambda x: heads.project(x, 0),
        PROJECTED[1]: lambda x: mx.addmm(cell.bias, x, cell.input_weight.T),
    }
    function, x = functions[trial["projected"]], mx.zeros((1, trial["length"], WIDTH))
    yield Measurement("sequential_operations", sequential_operations(function, x))
    products = sum(primitive.name in ("Matmul", "AddMM") for primitive in primitives(function, x))
    yield Measurement("matrix_products", products)


@cache  # each position's trial takes its own row
def dependence(model: str) -> Float[np.ndarray, "L L"]:
    """How strongly each output (row) depends on each input, of random inputs."""
    rng = np.random.default_rng(0)
    x = mx.array(rng.standard_normal((1, SHOWN, WIDTH)), dtype=mx.float32)
    return influences(MAPPED[model](), x, rng)


def shown(trial: Trial) -> Iterator[Measurement]:
    """One row of the picture: the inputs that an output depends on, the strongest being 1."""
    row = dependence(trial["model"])[trial["output"] - 1]
    for position, strength in enumerate(row / row.max(), start=1):
        if strength > 0:  # where there is no influence at all, the picture stays empty
            yield Measurement("influence", float(strength), step=position)


def pairs(trial: Trial) -> Iterator[Measurement]:
    """Which pairs of positions are joined; of attention, its scores and the work of a training step too."""
    backbone, length = MAPPED[trial["model"]](), trial["length"]
    x, rng = mx.random.normal((1, length, WIDTH)), np.random.default_rng(trial.seed)
    found = influences(backbone, x, rng)
    yield Measurement("pairs_connected", float((found > 0).mean()))
    yield Measurement("future_influence", float(np.triu(found, k=1).max()))
    if trial["model"] in (DECODER, ENCODER):
        scores = sum(math.prod(p.outputs[0][1]) for p in primitives(backbone, x) if p.name == "Softmax")
        yield Measurement("useful_scores", HEADS * int((found > 0).sum()) / scores)
        tokens = mx.zeros((1, length), dtype=mx.int32)
        model = LanguageModel(backbone, vocabulary=VOCABULARY)
        yield Measurement("step_flops", training_step_flops(model, token_loss, tokens, tokens))


def lengths(longest: int) -> tuple[int, ...]:
    """Doublings from the shortest to the longest."""
    return tuple(SHORTEST << i for i in range((longest // SHORTEST).bit_length()))


def points(*, longest: int, joined: tuple[int, ...]) -> tuple[Point, ...]:
    """All parts; attention's pairs are taken at the lengths `joined`, those of the others at the first."""
    found: tuple[Point, ...] = ()
    for counted, models in COUNTED.items():
        found += grid(part="chain", counted=counted, model=models, length=lengths(longest))
        for model in models:
            network = NETWORKS[model]
            found += grid(
                part="growth", counted=counted, model=model, sequential=network.sequential, path=network.path
            )
    found += grid(part="layers", model=DECODER, layers=(1, 2, 4, 8))
    found += grid(part="projections", projected=PROJECTED, length=lengths(longest))
    found += grid(part="map", model=MAPPED, output=range(1, SHOWN + 1))
    found += grid(part="pairs", model=("LSTM", "TCN, 1 block"), length=joined[0])
    return found + grid(part="pairs", model=(DECODER, ENCODER), length=joined)


CHAIN = {"part": "chain"}
PAIRS = {"part": "pairs"}
LAYERS = {"part": "layers"}
PROJECTIONS = {"part": "projections"}

experiment = Experiment(
    chapter=1,
    parallel_over=("part", "model"),
    run=run,
    budgets=(
        Budget("smoke", points(longest=64, joined=(16,)), {"longest": 64}, timeout=60),
        Budget("quick", points(longest=256, joined=(16, 64)), {"longest": 256}, timeout=120),
        Budget("full", points(longest=2048, joined=(16, 64, 256)), {"longest": 2048}, timeout=1_800),
    ),
    claims=(
        Claim(
            "C01",
            Slope(
                metric="sequential_operations", x="length", per=("model",),
                where=CHAIN | {"counted": ONE_LAYER, "model": CHAINED}, above=0.99, seeds=1,
            ),
            "In the RNN, the LSTM and the GRU, each further token adds at least one operation that must wait "
            "for the token before.",
        ),
        Claim(
            "C02",
            Slope(
                metric="sequential_operations", x="length", per=("model",),
                where=CHAIN | {"counted": ONE_LAYER, "model": "minGRU, tree"}, above=0.99, seeds=1,
            ),
            "If recurrent networks knew no parallelism, every one of them would add at least one waiting "
            "operation a token; one recurrent network that does not refutes the sentence. The minGRU, "
            "scanned as a tree, is put to the test.",
        ),
        Claim(
            "C06",
            Slope(
                metric="sequential_operations", x="length", per=("model",),
                where=CHAIN | {"counted": ONE_LAYER, "model": (DECODER, ENCODER)}, below=0.01, seeds=1,
            ),
            "In a layer of the Transformer, decoder or encoder, a further token adds no waiting operation.",
        ),
        Claim(
            "C07",
            Exact(metric="sequential_operations", where=LAYERS | {"layers": 1}, below=1.5),
            "One layer of a Transformer is a single operation: nothing in it waits for anything else in it.",
        ),
        Claim(
            "C07",
            Slope(metric="sequential_operations", x="layers", where=LAYERS, below=0.01, seeds=1),
            "If a step may be a whole layer, then all layers are one step: a further layer adds no waiting "
            "operation.",
        ),
        Claim(
            "C08",
            Slope(
                metric="sequential_operations", x="length",
                where=CHAIN | {"counted": TRAINING, "model": DECODER}, below=0.01, seeds=1,
            ),
            "In a whole training step of the Transformer, forward and backward, a further token adds no "
            "waiting operation.",
        ),
        Claim(
            "C09",
            Exact(
                metric="pairs_connected", per=("model",), along="model",
                where=PAIRS | {"model": (ENCODER, DECODER)}, above=0.999,
            ),
            "In one layer, the output of every token depends on every other token: all pairs have a "
            "gradient.",
        ),
        Claim(
            "C10",
            Slope(
                metric="sequential_operations", x="length",
                where=PROJECTIONS | {"projected": PROJECTED[0]}, below=0.01, seeds=1,
            ),
            "Between the inputs and the queries, keys and values of all tokens, a further token adds no "
            "waiting operation.",
        ),
        Claim(
            "C10",
            Exact(
                metric="matrix_products", per=("length",),
                where=PROJECTIONS | {"projected": PROJECTED[0]}, below=3.5,
            ),
            "Queries, keys and values of all tokens take one matrix product each or fewer: three in all, at "
            "any length.",
        ),
        Claim(
            "C36",
            Exact(
                metric="useful_scores", per=("model",), along="model",
                where=PAIRS | {"model": (ENCODER, DECODER)}, above=0.9,
            ),
            "In the encoder and in the decoder, at least nine tenths of the attention scores that the plain "
            "form computes reach an output. (What share of the hardware is in use is another question, which "
            "the chapter on utilisation asks.)",
        ),
    ),
    figures=(
        Curve(
            x="length", y="sequential_operations", hue="model", columns="counted",
            where=CHAIN | {"model": DRAWN}, x_scale="log2", y_scale="log10",
            caption="The longest chain of operations against the length of the sequence. A line that climbs "
            "with the length is a network that must wait; a flat one need not.",
        ),
        Heatmap(
            x="step", y="output", value="influence", columns="model", where={"part": "map"},
            caption="Who depends on whom, before training: how strongly an output reacts to an input, the "
            "strongest for that output being one. Empty: not at all.",
        ),
        Table(
            rows=("model", "sequential", "path"),
            where={"part": "growth", "counted": ONE_LAYER},
            metrics=(
                "constant_operations", "operations_per_doubling", "operations_per_root",
                "operations_per_token", "growth_misfit",
            ),
            caption="One layer, forward: how its sequential operations grow. The one column of the four that "
            "is filled is the growth that fits best. Beside it, as published for a layer: sequential "
            "operations and longest path between two positions by @vaswani2017attention [Table 1], those of "
            "scans by @martin2017parallelizing. For convolutions, the path counts the layers that it takes "
            "to join all pairs, which our TCN has and counts.",
        ),
        Table(
            rows=("model",), where={"part": "growth", "counted": TRAINING},
            metrics=(
                "constant_operations", "operations_per_doubling", "operations_per_root",
                "operations_per_token", "growth_misfit",
            ),
            caption="A whole training step, forward and backward, of two layers: how its sequential "
            "operations grow.",
        ),
        Table(
            rows=("model",), columns="layers", metrics=("sequential_operations",), where=LAYERS,
            caption="Layers add up: sequential operations of that many layers, at one length.",
        ),
        Table(
            rows=("projected",), metrics=("sequential_operations", "matrix_products"), where=PROJECTIONS,
            caption="Before any position looks at another, all of them are projected at once: the mean over "
            "all lengths. Our attention fuses queries, keys and values into one product; an LSTM's input "
            "goes through one as well.",
        ),
        Table(
            rows=("model", "length"),
            metrics=("pairs_connected", "future_influence", "useful_scores", "step_flops"), where=PAIRS,
            caption="Pairs of positions that one layer joins, the largest influence of a later token, and, "
            "of attention, how many of the computed scores serve that purpose and what a training step "
            "costs.",
        ),
        Table(
            rows=("model",), columns="length", metrics=("sequential_operations",),
            where=CHAIN | {"counted": ONE_LAYER},
            caption="Sequential operations of one layer, counted in MLX's graph.",
        ),
        Table(
            rows=("model",), columns="length", metrics=("sequential_operations",),
            where=CHAIN | {"counted": TRAINING},
            caption="Sequential operations of a whole training step.",
        ),
    ),
)  # fmt: skip
