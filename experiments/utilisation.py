"""How much of this device's speed does a training step use?

The article says that attention's matrix products use a GPU's cores fully. The measure for that is model FLOPs
utilisation [@chowdhery2022palm]: the work that a training step must do, divided by the time it takes, as a
share of the fastest rate at which the device multiplies matrices. Here that ceiling is measured rather than
read from a data sheet: one large matrix product is timed in the same blocks as the steps, and each share is
taken within a block, so that a disturbance affects both. Work is counted in MLX's graph, elementwise
operations included. Clipping and the optimiser are timed with the step but not counted. Published figures
count matrix products alone and divide by a data sheet's peak, so they are smaller than ours would be. The
ceiling is that of the device that the verdict names: on a CPU, its cores stand for the GPU's.

All networks have as many parameters as the Transformer of their width and read as many tokens a step. They
run as a short training run would on this device; on an uncalibrated CPU that is uncompiled. The chapter on
throughput measures how much recurrent networks gain by compiling, and this page calls no network faster than
another.

A roofline [@williams2009roofline] shows what limits a step. A device can work no faster than its ceiling, nor
than its memory delivers numbers. So the work a second is drawn against the work for each byte, where every
operation is assumed to read its inputs from memory and to write its outputs there. A step just below the
slope waits for memory, if that assumption holds; one above it found its numbers in a cache. A step far below
both lines is limited by something else: matrix products too thin to fill the device, or the cost of launching
many small operations.

Last, how much of a step is not a matrix product? A softmax is exponentials, a maximum, a sum and a quotient
for each row, and the count in the graph shows it. (The attention kernel that is timed on CPUs here does take
the sum by a product with a column of ones.) Such operations are a small share of the work and may be a large
share of the time, as @ivanov2020data found on a GPU. To measure that, each step is timed beside its own
matrix products, in the same shapes and with nothing between them. The time that the step takes beyond them is
the share of everything else. A fused attention may be faster than its products one by one; then its share is
below zero.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from statistics import median

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure.blocks import Arm, Times, time_blocks
from seqlab.measure.ceilings import ELEMENTS, bandwidth, product_edge
from seqlab.measure.graph import forward_and_backward
from seqlab.measure.work import Work, products_alone, work
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, build
from seqlab.models.parts.attention import softmax_attention
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Claim, Exact, Experiment, Measurement, Ratio, Trial, grid
from seqlab.notebook.experiment import BudgetName
from seqlab.notebook.figures import Curve, Interval, Table, Tradeoff
from seqlab.training.token_step import random_tokens, step_arm

HEAD = TokenHead(vocabulary=64)
HEADS = 4  # the Transformer's
CEILING = "matrix product"
ATTENTION, SOFTMAX = "attention alone", "softmax alone"
NETWORKS = (TRANSFORMER, "TCN", "minGRU", "LSTM", "RNN")
# Their graph grows with the length, and MLX can export half a million operations. Their products do not
# change with the length, so that a longer sequence would show nothing new.
UNROLLED, LONGEST_UNROLLED = ("LSTM", "RNN"), 2048


def networks_at(length: int) -> tuple[str, ...]:
    """The networks that are timed on sequences of this length."""
    return tuple(name for name in NETWORKS if length <= LONGEST_UNROLLED or name not in UNROLLED)


@dataclass(frozen=True)
class Cell:
    """A training step's size: the model's width, the length of a sequence and how many of them."""

    width: int
    length: int
    batch: int


@dataclass(frozen=True)
class Sizes:
    """What is tried with so many tokens a step: all networks at some widths, then at one in some batches.

    `room` are widths and tokens of steps of the Transformer alone: its chances to use the device fully.
    """

    tokens: int
    widths: tuple[int, ...]
    width: int  # where batches vary, and where the products are timed apart
    batches: tuple[int, ...]
    room: tuple[tuple[int, int], ...]


def length_of(tokens: int) -> int:
    """Tokens of a sequence where the batch is not varied: more of them in a large step."""
    return 32 if tokens < 4_096 else 512


def cell_of(width: int, tokens: int, batch: int = 0) -> Cell:
    """The cell of so many tokens a step: in sequences of the usual length, or in so many sequences."""
    length = tokens // batch if batch else length_of(tokens)
    return Cell(width, length, tokens // length)


SMOKE = Sizes(64, widths=(32, 64), width=64, batches=(2, 8), room=((64, 64), (64, 256)))
SMALL = Sizes(
    256, widths=(32, 64, 128), width=128, batches=(4, 8, 32), room=((256, 64), (256, 256), (256, 1_024))
)
# Some thousand tokens fill a data-centre GPU; at 8,192 in one sequence, scores take a gigabyte a layer.
LARGE = Sizes(
    8_192, widths=(256, 512, 1_024), width=256, batches=(1, 4, 16, 64, 256),
    room=((1_024, 8_192), (1_024, 32_768), (2_048, 8_192)),
)  # fmt: skip
ROOMS = {
    "64 to 256 tokens": SMOKE.room, "64 to 1,024 tokens": SMALL.room, "8,192 to 32,768 tokens": LARGE.room
}  # fmt: skip
APART = {each.tokens: each.width for each in (SMOKE, SMALL, LARGE)}  # the widths of the products timed apart


def language_model(name: str, width: int, seed: int) -> nn.Module:
    """A network with as many parameters as the Transformer of this width; a TCN of four blocks."""
    return build(name, Size(width, heads=HEADS, blocks=4), HEAD, seed=seed)


def attention(q: mx.array, k: mx.array, v: mx.array, gradient: mx.array) -> object:
    """Attention without a mask, so that every score is used, forward and backward from its gradient."""
    return mx.vjp(lambda q, k, v: softmax_attention(q, k, v, None), [q, k, v], [gradient])


def softmax(scores: mx.array, gradient: mx.array) -> object:
    """Softmax of each row, forward and backward from its gradient."""
    return mx.vjp(lambda x: mx.softmax(x, axis=-1), [scores], [gradient])


def attention_inputs(cell: Cell) -> tuple[mx.array, ...]:
    """Queries, keys, values, and a gradient of the joined heads."""
    shape = (3, cell.batch, HEADS, cell.length, cell.width // HEADS)
    q, k, v = mx.random.normal(shape)
    inputs = (q, k, v, mx.random.normal((cell.batch, cell.length, cell.width)))
    mx.eval(inputs)
    return inputs


@cache  # the same for every seed, and counting a long recurrence takes a second
def work_of(name: str, cell: Cell) -> Work:
    """Work of a network's training step, or of attention or softmax alone."""
    if name == ATTENTION:
        return work(attention, *attention_inputs(cell))
    if name == SOFTMAX:
        scores = mx.zeros((cell.batch, HEADS, cell.length, cell.length))
        return work(softmax, scores, scores + 1)
    tokens = mx.zeros((cell.batch, cell.length), dtype=mx.int32)
    return work(forward_and_backward(language_model(name, cell.width, 0), token_loss), tokens, tokens + 1)


@cache
def ceiling_edge() -> int:
    """The edge of the matrix product that is the ceiling, for as long as this process lives."""
    return product_edge()


@cache
def moving(elements: int) -> float:
    """Bytes a second that an elementwise operation on such arrays reads and writes, the best of a few."""
    return bandwidth(repeats=3, elements=elements).best


@cache
def timed(
    cell: Cell, networks: tuple[str, ...], *, apart: bool, seed: int, blocks: int, steps: int
) -> Mapping[str, Times]:
    """Side by side: the ceiling and the networks' steps; `apart` adds attention, and the products of each."""
    x, y = mx.random.uniform(shape=(2, ceiling_edge(), ceiling_edge()))
    arms = {}
    for name in networks:
        network = language_model(name, cell.width, seed)
        tokens = random_tokens(HEAD.vocabulary, batch=cell.batch, length=cell.length)
        arms[name] = step_arm(network, tokens, steps=steps)
    if apart:
        inputs = attention_inputs(cell)
        arms[ATTENTION] = Arm(partial(attention, *inputs))
        arms |= {products_of(name): Arm(products_alone(work_of(name, cell))) for name in arms}
    arms[CEILING] = Arm(lambda: x @ y)
    return time_blocks(arms, blocks=blocks, rng=np.random.default_rng(seed))


def products_of(name: str) -> str:
    """The arm of its matrix products alone."""
    return f"{name}, products"


def timed_for(trial: Trial, cell: Cell, *, alone: bool = False) -> Mapping[str, Times]:
    """The times of a cell, of the Transformer alone or of all networks."""
    networks = (TRANSFORMER,) if alone else networks_at(cell.length)
    tokens = cell.batch * cell.length
    apart = not alone and cell == cell_of(APART.get(tokens, 0), tokens)
    return timed(cell, networks, apart=apart, seed=trial.seed, blocks=trial["blocks"], steps=trial["steps"])


def rates(found: Mapping[str, Times], name: str, cell: Cell) -> dict[int, tuple[float, float]]:
    """For each block the network's work a second, and the ceiling's, in FLOP/s."""
    work_done, ceiling = work_of(name, cell).flops, 2 * ceiling_edge() ** 3
    return {
        block: (work_done / taken, ceiling / found[CEILING].kept[block])
        for block, taken in found[name].kept.items()
    }


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"width": step, "batch": step, "room": step, "best": best, "share": share}
    yield from parts[trial["part"]](trial)


def step(trial: Trial) -> Iterator[Measurement]:
    """How fast one training step works, on how many bytes, beside the ceiling."""
    name, alone = trial["model"], trial["part"] == "room"
    cell = cell_of(trial["width"], trial["tokens"], trial.get("batch", 0))
    found, done = timed_for(trial, cell, alone=alone), work_of(name, cell)
    yield Measurement("parameters", parameters(language_model(name, cell.width, trial.seed)))
    yield Measurement("step_flops", done.flops)
    yield Measurement("bytes_moved", done.bytes)
    yield Measurement("intensity", done.intensity)
    yield Measurement("memory_bandwidth", moving(trial["elements"]))
    yield from found[name].measurements()
    for block, (rate, ceiling) in rates(found, name, cell).items():
        yield Measurement("flop_rate", rate, step=block)
        yield Measurement("matmul_rate", ceiling, step=block)
        yield Measurement("utilisation", rate / ceiling, step=block)


def best(trial: Trial) -> Iterator[Measurement]:
    """The utilisation of the Transformer in the best of the cells with room; that of the ceiling is 1."""
    if trial["model"] == CEILING:
        yield Measurement("utilisation", 1.0)
        return
    tried = []
    for width, tokens in ROOMS[trial["tried"]]:
        cell = cell_of(width, tokens)
        found = rates(timed_for(trial, cell, alone=True), trial["model"], cell)
        tried.append({block: rate / ceiling for block, (rate, ceiling) in found.items()})
    kept = [shares for shares in tried if shares]  # on a busy machine no block may be left
    for block, value in max(kept, key=lambda shares: median(shares.values()), default={}).items():
        yield Measurement("utilisation", value, step=block)


def share(trial: Trial) -> Iterator[Measurement]:
    """How much of the work, or of the time, is not matrix products."""
    name, cell = trial["model"], cell_of(APART[trial["tokens"]], trial["tokens"])
    if trial["share_of"] == "work":
        done = work_of(name, cell)
        yield Measurement("primitives", done.primitives)
        yield Measurement("matrix_products", sum(done.products.values()))
        yield Measurement("other_share", done.other_share)
        return
    found = timed_for(trial, cell)
    for block, taken in found[name].kept.items():
        yield Measurement("other_share", 1 - found[products_of(name)].kept[block] / taken, step=block)


def budget(
    name: BudgetName, *sizes: Sizes, seeds: int, judged: int, timeout: float, **settings: int
) -> Budget:
    """All parts at these sizes, the best of the last one's room; what a verdict rests on has `judged` seeds.

    A budget that tries more finds another best, so that it shares all trials with a smaller one but these.
    """
    (tried,) = (name for name, room in ROOMS.items() if room == sizes[-1].room)
    points = grid(part="best", model=TRANSFORMER, tried=tried, seeds=judged)
    points += grid(part="best", model=CEILING, tried=tried)
    for size in sizes:
        tokens = size.tokens
        points += grid(part="width", model=NETWORKS, width=size.widths, tokens=tokens, seeds=seeds)
        for batch in size.batches:
            networks, width = networks_at(tokens // batch), size.width
            points += grid(part="batch", model=networks, batch=batch, width=width, tokens=tokens, seeds=seeds)
        for width, many in size.room:
            points += grid(part="room", model=TRANSFORMER, width=width, tokens=many, seeds=judged)
        share = partial(grid, part="share", tokens=tokens)
        points += share(share_of="work", model=(*NETWORKS, ATTENTION, SOFTMAX))
        points += share(share_of="time", model=(*NETWORKS, ATTENTION), seeds=seeds)
    return Budget(name, points, settings, timeout=timeout)


WIDTH, BATCH, ROOM, SHARE = {"part": "width"}, {"part": "batch"}, {"part": "room"}, {"part": "share"}
# Chowdhery et al. 2022, section 4.1 and table 3: model FLOPs utilisation, from data-sheet peaks.
PUBLISHED = {"fully used": 0.9, "PaLM, published": 0.462, "GPT-3, published": 0.213}
# Ivanov et al. 2020, of a training iteration of BERT: contractions are 99 % of the work, 61 % of the time.
BERT = {"BERT on a GPU, published": 0.39}
utilisation = partial(Curve, y="utilisation", x_scale="log2")
step_table = partial(
    Table, metrics=("utilisation", "intensity", "step_time", "compile_time", "blocks_dropped")
)

experiment = Experiment(
    chapter=5,
    run=run,
    # `elements` of an array to move: more than a cache holds. A budget that wants more precision has more
    # seeds, each of which times everything anew; the first trial of a cell times all of its networks.
    protocol={"blocks": 3, "steps": 100, "elements": ELEMENTS},
    budgets=(
        budget(
            "smoke", SMOKE, seeds=2, judged=2, timeout=120,
            blocks=2, steps=10, elements=1 << 24,
        ),
        budget("quick", SMALL, seeds=3, judged=5, timeout=300),
        budget("full", SMALL, LARGE, seeds=10, judged=20, timeout=13 * 3_600),
    ),
    claims=(
        Claim(
            "C11",
            Ratio(
                metric="utilisation", where={"part": "best"}, left={"model": TRANSFORMER},
                right={"model": CEILING}, above=0.9, matched=(),
            ),
            "At the best of several widths and numbers of tokens, chosen after measuring, a training step of "
            "the Transformer works at more than nine tenths of the rate of a large matrix product, timed in "
            "the same blocks. (The sentence is about GPU cores: where the scope names a CPU, the cores are "
            "the CPU's.)",
        ),
        Claim(
            "C13",
            Exact(
                metric="other_share", where=SHARE | {"share_of": "work", "model": SOFTMAX}, below=0.5,
            ),
            "At least half of the work of a softmax, forward and backward, is matrix products, counted in "
            "MLX's own graph. (That queries, keys and values are matrix products is not in doubt.)",
        ),
    ),
    figures=(
        utilisation(
            x="tokens", hue="width", where=ROOM, guides=PUBLISHED,
            caption="Utilisation: the rate of work in a training step of the Transformer, as a share of this "
            "device's fastest matrix product, against the tokens in the step. Dashed: two published training "
            "runs [@chowdhery2022palm], and the share from which the cores count as fully used here.",
        ),
        utilisation(
            x="width", hue="model", columns="tokens", where=WIDTH,
            caption="Utilisation against the width of the network, for several networks at equal parameters "
            "and tokens.",
        ),
        Tradeoff(
            x="intensity", y="flop_rate", hue="model", along="width", x_scale="log10", y_scale="log10",
            roof=("memory_bandwidth", "matmul_rate"), where=WIDTH,
            caption="Roofline of the same steps: work a second against work for each byte that the graph's "
            "operations read and write. Marks grow with the width. Nothing should lie above the level line; "
            "what lies above the slope found its numbers in a cache.",
        ),
        Interval(
            x="other_share", y="model", hue="share_of", columns="tokens", where=SHARE,
            guides={**BERT, "half": 0.5},
            caption="Everything but matrix products: its share of the work, counted, and of the time, "
            "measured beside the products alone. Dashed: the time of a training step of BERT "
            "[@ivanov2020data].",
        ),
        utilisation(
            x="batch", hue="model", columns="tokens", where=BATCH,
            caption="Utilisation with as many tokens a step, cut into few long sequences (left) or many "
            "short ones (right).",
        ),
        step_table(
            rows=("tokens", "model", "width"), where=WIDTH,
            caption="Steps of all networks in numbers: work for each byte is counted, all else is measured.",
        ),
        step_table(
            rows=("width", "tokens"), where=ROOM,
            caption="Steps of wider Transformers with more tokens.",
        ),
        Table(
            rows=("tokens", "model"), where=SHARE | {"share_of": "work"},
            metrics=("primitives", "matrix_products", "other_share"),
            caption="Operations of a training step in MLX's graph, how many of them are matrix products, and "
            "the share of the work that is not.",
        ),
    ),
)  # fmt: skip
