"""Which operations must wait for one another in each network?

MLX records every operation of a model in a graph. The longest path through the graph is the number of
operations that must follow one another, however parallel the machine is. @vaswani2017attention [Table 1]
call it sequential operations. They derive it; this chapter counts it in the models as they are written. The
count is exact and does not depend on the load of the machine.

Each network has one layer. For a whole training step it has two, with the embedding, the loss and its
gradient. Two networks differ: the temporal convolutional network (TCN) has as many blocks as it needs to see
the whole sequence, unless its name says otherwise, and the LSTM with a head has two layers of its own. From
the counts at all lengths up to a longest one, the growth is chosen that fits best by least squares: constant,
or growing with the logarithm, the square root or the length itself. It is constant where a line explains less
than nine tenths of the variance, since a length that does not divide evenly costs an extra operation. A
matrix product counts as one operation, although the sum inside it takes a logarithmic number of steps; so
does a reduction. The count says what a program must wait for, not how long it takes: a short path of large
operations may take longer than a long path of small ones.

Not every recurrence must be sequential. In the minGRU and the minLSTM of @feng2024rnns and in other linear
recurrences, the steps can be combined pairwise in a tree [@martin2017parallelizing]. They are the control
for the claim that recurrent networks allow no parallelism. The same minGRU is counted in three forms: a
loop, a tree, and chunks.

A constant number of operations need not be one. Within a layer of a Transformer, the norm, the projections,
the scores, the softmax, the product with the values and the feed-forward network wait for each other, and
each layer waits for the one below.

What depends on what is a different question from what waits for what. The output of a decoder at a position
depends on all tokens before it, in training as well. It need not wait for their predictions, since the true
tokens are given from the start; this is called teacher forcing. The gradient of every output with respect to
every input shows the dependencies, here of one layer, so that no pair is connected through a third position.
An encoder connects all pairs. A decoder masks later positions, and this has a price: plain attention computes
every score and then discards those above the diagonal. A form that skips what is masked computes less.
The chapter counts the useful share of the scores, and the work of a training step, for an encoder and a
decoder of one size.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType
from typing import Any

import mlx.core as mx
import numpy as np
from jaxtyping import Float

from seqlab.measure.depth import sequential_operations, trend
from seqlab.measure.flops import training_step_flops
from seqlab.measure.gradients import influences
from seqlab.measure.graph import forward_and_backward, primitives
from seqlab.models import hybrid, lstm, mingru, minlstm
from seqlab.models.backbones import BACKBONES, Size
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.attention import Attention
from seqlab.models.parts.losses import token_loss
from seqlab.notebook import Budget, Claim, Exact, Experiment, Measurement, Point, Slope, Trial, grid
from seqlab.notebook.figures import Curve, Heatmap, Table, Where

WIDTH, HEADS = 32, 4
VOCABULARY = 64  # of the training step's tokens
SHORTEST = 8  # length; counts are taken there and at its doublings
LAYERED = 16  # length at which layers are counted
MAP_LENGTH = 8  # positions of the map of influences
DECODER, ENCODER = "Transformer decoder", "Transformer encoder"
Make = Callable[[int, int], Backbone]  # of layers, length


def shared(name: str, layers: int, length: int, *, blocks: int | None = None) -> Backbone:
    """The report's network of this name; several recurrent layers are residual."""
    size = Size(WIDTH, layers, HEADS, length, residual=layers > 1, blocks=blocks)
    return BACKBONES[name](size, None)


def scanned(architecture: ModuleType, scan: str, layers: int, length: int) -> Backbone:
    """A linear recurrence, computed in this form."""
    config = architecture.Config(WIDTH, depth=layers, residual=layers > 1, scan=scan)
    backbone: Backbone = architecture.Model(config)
    return backbone


@dataclass(frozen=True)
class Network:
    """How it is made, and what is published about a layer of its kind.

    `sequential` operations and longest `path` between two positions are those of Table 1 in Vaswani et al.
    (2017); those of a scan are from Martin and Cundy (2017). A dash: neither has it.
    """

    make: Make
    sequential: str = "–"
    path: str = "–"


SEQUENTIAL = ("RNN", "LSTM", "GRU")
NETWORKS: Mapping[str, Network] = {
    **{name: Network(partial(shared, name), "O(n)", "O(n)") for name in SEQUENTIAL},
    "LSTM + head": Network(lambda layers, length: hybrid.Model(hybrid.Config(WIDTH))),
    "minGRU, loop": Network(partial(scanned, mingru, "loop"), "O(n)", "O(n)"),
    "minGRU, chunks": Network(partial(scanned, mingru, "chunked")),
    "minGRU, tree": Network(partial(scanned, mingru, "doubling"), "O(log n)"),
    "minLSTM, tree": Network(partial(scanned, minlstm, "doubling"), "O(log n)"),
    "LRU": Network(partial(shared, "LRU")),
    "linear attention": Network(partial(shared, "linear attention")),
    "TCN": Network(partial(shared, "TCN"), "O(1)", "O(log n)"),
    "TCN, 4 blocks": Network(partial(shared, "TCN", blocks=4), "O(1)"),
    DECODER: Network(partial(shared, "Transformer"), "O(1)", "O(1)"),
    ENCODER: Network(partial(shared, "encoder"), "O(1)", "O(1)"),
}
ONE_LAYER, TRAINING = "one layer", "a training step"
COUNTED: Mapping[str, tuple[str, ...]] = {
    ONE_LAYER: tuple(NETWORKS),
    TRAINING: (
        *SEQUENTIAL, "minGRU, chunks", "minGRU, tree", "LRU", "linear attention", "TCN", DECODER, ENCODER
    ),
}  # fmt: skip
DRAWN = (*SEQUENTIAL, "minGRU, chunks", "minGRU, tree", "TCN", DECODER)  # more lines would overlap
# One block of the TCN, which sees fewer inputs than there are, so that the map shows its receptive field.
MAPPED: Mapping[str, Make] = {
    "LSTM": NETWORKS["LSTM"].make,
    "TCN, 1 block": partial(shared, "TCN", blocks=1),
    DECODER: NETWORKS[DECODER].make,
    ENCODER: NETWORKS[ENCODER].make,
}


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {
        "chain": longest_path, "growth": growth, "layers": layers, "projections": projections,
        "map": influence_map, "pairs": pairs,
    }  # fmt: skip
    yield from parts[trial["part"]](trial)


@cache  # the growth takes the counts of the single lengths
def operations(counted: str, model: str, length: int) -> int:
    """Longest path through one layer, or through the loss and its gradient."""
    make = NETWORKS[model].make
    if counted == ONE_LAYER:
        return sequential_operations(make(1, length), mx.zeros((1, length, WIDTH)))
    tokens = mx.zeros((1, length), dtype=mx.int32)
    step = forward_and_backward(LanguageModel(make(2, length), vocabulary=VOCABULARY), token_loss)
    return sequential_operations(step, tokens, tokens)


def longest_path(trial: Trial) -> Iterator[Measurement]:
    """The longest path at one length."""
    count = operations(trial["counted"], trial["model"], trial["length"])
    yield Measurement("sequential_operations", count)


GROWTHS = {
    "constant": "constant_operations", "per doubling": "operations_per_doubling",
    "per root": "operations_per_root", "per token": "operations_per_token",
}  # fmt: skip


def growth(trial: Trial) -> Iterator[Measurement]:
    """Its growth up to a longest length; the metric that is measured names the growth that fits best."""
    counted, model = trial["counted"], trial["model"]
    found = trend({length: operations(counted, model, length) for length in lengths(trial["longest"])})
    yield Measurement(GROWTHS[found.kind], found.amount)
    yield Measurement("growth_misfit", found.misfit)


def layers(trial: Trial) -> Iterator[Measurement]:
    """The longest path through a number of layers."""
    backbone = NETWORKS[trial["model"]].make(trial["layers"], LAYERED)
    yield Measurement("sequential_operations", sequential_operations(backbone, mx.zeros((1, LAYERED, WIDTH))))


PROJECTED = ("queries, keys and values", "gates of an LSTM")


def projections(trial: Trial) -> Iterator[Measurement]:
    """The operations on the inputs before any position depends on another."""
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


@cache  # each output's trial takes its own row
def dependence(model: str) -> Float[np.ndarray, "L L"]:
    """How strongly each output (row) depends on each input, for random inputs."""
    rng = np.random.default_rng(0)
    x = mx.array(rng.standard_normal((1, MAP_LENGTH, WIDTH)), dtype=mx.float32)
    return influences(MAPPED[model](1, MAP_LENGTH), x, rng)


def influence_map(trial: Trial) -> Iterator[Measurement]:
    """One row of the map: the inputs that an output depends on, relative to the strongest."""
    row = dependence(trial["model"])[trial["output"] - 1]
    for position, strength in enumerate(row / row.max(), start=1):
        if strength > 0:  # without any influence, the map's cell stays empty
            yield Measurement("influence", float(strength), step=position)


def pairs(trial: Trial) -> Iterator[Measurement]:
    """Which pairs of positions are connected; for attention, also its scores and a training step's work."""
    length = trial["length"]
    backbone = MAPPED[trial["model"]](1, length)
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


def points(*longest: int, joined: tuple[int, ...]) -> tuple[Point, ...]:
    """All parts; attention's pairs are taken at the lengths `joined`, those of the others at the first.

    Growth is fitted up to each of the `longest` lengths, the last of which is the longest of all.
    """
    found: tuple[Point, ...] = ()
    for counted, models in COUNTED.items():
        found += grid(part="chain", counted=counted, model=models, length=lengths(longest[-1]))
        for model in models:
            network = NETWORKS[model]
            found += grid(
                part="growth", counted=counted, model=model, sequential=network.sequential,
                path=network.path, longest=longest,
            )  # fmt: skip
    return (
        *found,
        *grid(part="layers", model=DECODER, layers=(1, 2, 4, 8)),
        *grid(part="projections", projected=PROJECTED, length=lengths(longest[-1])),
        *grid(part="map", model=MAPPED, output=range(1, MAP_LENGTH + 1)),
        *grid(part="pairs", model=("LSTM", "TCN, 1 block"), length=joined[0]),
        *grid(part="pairs", model=(DECODER, ENCODER), length=joined),
    )


PAIRS, LAYERS, PROJECTIONS = {"part": "pairs"}, {"part": "layers"}, {"part": "projections"}
LAYER_PATH, STEP_PATH = ({"part": "chain", "counted": counted} for counted in (ONE_LAYER, TRAINING))
LAYER_GROWTH, STEP_GROWTH = ({"part": "growth", "counted": counted} for counted in (ONE_LAYER, TRAINING))


def added(where: Where, *per: str, x: str = "length", **threshold: Any) -> Slope:
    """Sequential operations that each unit of `x` adds; counts are exact, so one seed will do."""
    return Slope(metric="sequential_operations", x=x, per=per, where=where, seeds=1, **threshold)


def in_both(metric: str, above: float) -> Exact:
    """The metric in the encoder and in the decoder of a Transformer."""
    where = PAIRS | {"model": (ENCODER, DECODER)}
    return Exact(metric=metric, per=("model",), along="model", where=where, above=above)


experiment = Experiment(
    chapter=1,
    parallel_over=("part", "model"),
    run=run,
    budgets=(
        Budget("smoke", points(64, joined=(16,)), timeout=60),
        Budget("quick", points(256, joined=(16, 64)), timeout=120),
        Budget("full", points(256, 2048, joined=(16, 64, 256)), timeout=1_800),
    ),
    claims=(
        Claim(
            "C01",
            added(LAYER_PATH | {"model": SEQUENTIAL}, "model", above=0.99),
            "In the RNN, the LSTM and the GRU, each further token adds at least one operation that must wait "
            "for the token before.",
        ),
        Claim(
            "C02",
            added(LAYER_PATH | {"model": "minGRU, tree"}, "model", above=0.99),
            "If recurrent networks allowed no parallelism, each further token would add at least one waiting "
            "operation in every one of them; a single one in which it does not refutes the claim. The test "
            "is the minGRU, computed as a tree.",
        ),
        Claim(
            "C06",
            added(LAYER_PATH | {"model": (DECODER, ENCODER)}, "model", below=0.01),
            "In a layer of the Transformer, decoder or encoder, a further token adds no waiting operation.",
        ),
        Claim(
            "C07",
            Exact(metric="sequential_operations", where=LAYERS | {"layers": 1}, below=1.5),
            "One layer of a Transformer is a single operation: nothing in it waits for anything else in it.",
        ),
        Claim(
            "C07",
            added(LAYERS, x="layers", below=0.01),
            "If one step may be a whole layer, then all layers take one step: a further layer adds no "
            "waiting operation.",
        ),
        Claim(
            "C08",
            added(STEP_PATH | {"model": DECODER}, below=0.01),
            "In a whole training step of the Transformer, forward and backward, a further token adds no "
            "waiting operation.",
        ),
        Claim(
            "C09",
            in_both("pairs_connected", above=0.999),
            "In one layer of the Transformer, encoder or decoder, the output at every token depends on every "
            "token: all pairs have a gradient.",
        ),
        Claim(
            "C10",
            added(PROJECTIONS | {"projected": PROJECTED[0]}, below=0.01),
            "Between the inputs and the queries, keys and values of all tokens, a further token adds no "
            "waiting operation.",
        ),
        Claim(
            "C10",
            Exact(
                metric="matrix_products", per=("length",),
                where=PROJECTIONS | {"projected": PROJECTED[0]}, below=3.5,
            ),
            "At any length, the queries, keys and values of all tokens take at most three matrix products.",
        ),
        Claim(
            "C36",
            in_both("useful_scores", above=0.9),
            "In the encoder and in the decoder, at least nine tenths of the attention scores that the plain "
            "form computes reach an output. (The share of the hardware in use is another question; see "
            "the chapter on utilisation.)",
        ),
    ),
    figures=(
        Curve(
            x="length", y="sequential_operations", hue="model", columns="counted",
            where={"part": "chain", "model": DRAWN}, x_scale="log2", y_scale="log10",
            caption="Longest path of operations by length of the sequence. A network whose line rises "
            "must wait for more operations in a longer sequence; one whose line is flat need not.",
        ),
        Heatmap(
            x="step", y="output", value="influence", columns="model", where={"part": "map"},
            caption="Influence of each input on each output before training, relative to the strongest on "
            "that output. An empty cell means no influence at all.",
        ),
        Table(
            rows=("longest", "model", "sequential", "path"), where=LAYER_GROWTH,
            metrics=(*GROWTHS.values(), "growth_misfit"),
            caption="Growth of the sequential operations of one layer, forward. Of the four columns, the one "
            "that is filled is the growth that fits best up to the longest length. Sequential and path: "
            "sequential operations of a layer and longest path between two positions, as published by "
            "@vaswani2017attention [Table 1]; those of scans are by @martin2017parallelizing. For "
            "convolutions, the path counts the layers that it takes to connect all pairs; our TCN has these "
            "layers, and the count includes them.",
        ),
        Table(
            rows=("longest", "model"), where=STEP_GROWTH, metrics=(*GROWTHS.values(), "growth_misfit"),
            caption="Growth of the sequential operations of a whole training step of two layers, forward "
            "and backward.",
        ),
        Table(
            rows=("model",), columns="layers", metrics=("sequential_operations",), where=LAYERS,
            caption="Sequential operations by number of layers, at one length: layers add up.",
        ),
        Table(
            rows=("projected",), metrics=("sequential_operations", "matrix_products"), where=PROJECTIONS,
            caption="Operations before any position depends on another, means over all lengths. All "
            "positions are projected at once. Our attention computes queries, keys and values in one "
            "product; an LSTM's inputs take one as well.",
        ),
        Table(
            rows=("model", "length"),
            metrics=("pairs_connected", "future_influence", "useful_scores", "step_flops"), where=PAIRS,
            caption="Share of the pairs of positions that one layer connects and the largest influence of a "
            "later token; for attention, also the share of the computed scores that reach an output, and "
            "the work of a training step.",
        ),
        *(
            Table(
                rows=("model",), columns="length", metrics=("sequential_operations",), where=where,
                caption=f"Sequential operations of {counted}, counted in MLX's graph.",
            )
            for counted, where in ((ONE_LAYER, LAYER_PATH), (TRAINING, STEP_PATH))
        ),
    ),
)  # fmt: skip
