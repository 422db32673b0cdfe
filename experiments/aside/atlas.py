"""Which network is the fastest, by length, width and batch?

Speed has no general answer: which network is faster depends on the length of the sequence, the width of the
network and the size of the batch, and on the device. This page times four networks of equal parameters,
within 2 %, in many such cells: the Transformer; the LSTM, which must take its steps in order; the minGRU, a
recurrence that trains by a parallel scan [@feng2024rnns]; and linear attention, which decodes like a
recurrence [@katharopoulos2020transformers].

In a cell of the task *train* a step is all that training does, on random tokens: forward, backward and the
update. In a cell of the task *decode* each sequence of the batch gets one more token after a context of the
given length; each network runs in the fastest of the equal ways to do it. A cell is one trial: its four
networks are timed in turn, in blocks of shuffled order, so that a ratio of two never compares two runs.

The page is part of no report. `nox -s atlas` runs it, in an order that tells most first, and draws the maps;
`seqlab choose` answers from what it measured (docs/atlas.md).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import mlx.core as mx
import numpy as np

from seqlab.decoding.timing import Workload, decode_arm, fastest, variants
from seqlab.measure.blocks import Arm, time_blocks
from seqlab.models.backbones import BACKBONES, TRANSFORMER, Size, TokenHead, matched_hidden
from seqlab.models.heads import LanguageModel
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Experiment, Measurement, Point, Trial
from seqlab.training.step import LONGEST_COMPILED, compile_pays
from seqlab.training.token_step import random_tokens, step_arm

NETWORKS = (TRANSFORMER, "LSTM", "minGRU", "linear attention")
HEAD = TokenHead(vocabulary=64)  # so small that it takes little of a step
METRIC = {"train": "step_time", "decode": "token_time"}


@dataclass(frozen=True)
class Cell:
    """What the four networks have in common: tokens a sequence or of context, features, sequences."""

    length: int
    width: int
    batch: int


@dataclass(frozen=True)
class Timing:
    """How to time: in so many `blocks`, in each of which decoding writes `tokens`.

    A step is compiled where that pays for a training of `steps`.
    """

    blocks: int
    tokens: int
    steps: int


def model_of(name: str, width: int, seed: int) -> LanguageModel:
    """The network with as many parameters as the Transformer of this width, with weights of that seed."""
    size = Size(
        width, orthogonal=False
    )  # how weights start changes no time, and an orthogonal start takes some
    hidden = matched_hidden(name, size, HEAD)  # first: it draws from the random state
    mx.random.seed(seed)
    model = HEAD(BACKBONES[name](size, hidden))
    mx.eval(model.state)
    return model


def training(name: str, model: LanguageModel, cell: Cell, timing: Timing, rng: np.random.Generator) -> Arm:
    """A training step, compiled where that pays on this device; a long recurrence never is."""
    batch = random_tokens(HEAD.vocabulary, batch=cell.batch, length=cell.length)
    mx.eval(batch)
    short = name != "LSTM" or cell.length <= LONGEST_COMPILED
    return step_arm(model, batch, compiled=short and compile_pays(model, timing.steps))


def decoding(name: str, model: LanguageModel, cell: Cell, timing: Timing, rng: np.random.Generator) -> Arm:
    """Some more tokens after the context, in the fastest way."""
    work = Workload(cell.length, cell.batch, timing.tokens)
    return decode_arm(model, work, fastest(model, work, variants(model, compiled=False), rng).variant)


ARMS: Mapping[str, Callable[..., Arm]] = {"train": training, "decode": decoding}


def run(trial: Trial) -> Iterator[Measurement]:
    """Time the four networks of one cell side by side; the split of a measurement names the network."""
    task, cell, timing = trial["task"], trial.fill(Cell), trial.fill(Timing)
    rng = np.random.default_rng(trial.seed)
    models = {name: model_of(name, cell.width, trial.seed) for name in NETWORKS}
    arms = {name: ARMS[task](name, model, cell, timing, rng) for name, model in models.items()}
    for name, times in time_blocks(arms, blocks=timing.blocks, rng=rng).items():
        yield Measurement("parameters", parameters(models[name]), name)
        yield Measurement("compile_time", times.first, name)
        for block, seconds in times.kept.items():
            yield Measurement(METRIC[task], seconds, name, block)
    yield Measurement("blocks_dropped", times.dropped)


def octaves(first: int, last: int) -> tuple[int, ...]:
    """The sizes from the first to the last, each twice the one before."""
    return tuple(first << doubling for doubling in range((last // first).bit_length()))


Sizes = tuple[int, ...]


def cells(
    lengths: Mapping[str, Sizes], widths: Sizes, batches: Sizes, *, every: int = 1
) -> tuple[Point, ...]:
    """All cells, or every second one as on a chessboard, which has every corner and leaves no gap."""
    return tuple(
        Point({"task": task, "length": length, "width": width, "batch": batch}, seeds=1)
        for task, known in lengths.items()
        for (i, length), (j, width), (k, batch) in product(*map(enumerate, (known, widths, batches)))
        if (i + j + k) % every == 0
    )


experiment = Experiment(
    run=run,
    protocol={"blocks": 9, "tokens": 4, "steps": 100},
    budgets=(
        Budget(
            "smoke",
            cells({"train": (4, 8, 16), "decode": (4, 16, 64)}, (16, 32), (1, 2)),
            {"blocks": 2, "tokens": 2},
            timeout=120,
        ),
        Budget(
            "quick",
            cells(
                {"train": octaves(4, 1_024), "decode": octaves(16, 4_096)},
                octaves(32, 512),
                (1, 4, 16),
                every=2,
            ),
            timeout=900,
        ),
        Budget(
            "full",
            cells(
                {"train": octaves(4, 16_384), "decode": octaves(16, 65_536)},
                octaves(32, 2_048),
                octaves(1, 256),
            ),
            timeout=3_600,
        ),
    ),
)
