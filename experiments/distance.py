"""Over what distance can each network use what it has seen?

Three synthetic tasks present something, let time pass, and then ask for it. In *adding*
[@hochreiter1997long; @bai2018empirical] two numbers of a long sequence are marked, and the network outputs
their sum at the end. In *recall* one symbol comes first and noise follows; at the end the network must name
the symbol, in the spirit of @bengio1994learning. In *copy memory* [@arjovsky2016unitary; @bai2018empirical]
it must repeat a string of four symbols after a run of blanks.

Each network trains on all distances at once: the batches cycle from the shortest distance to the longest, so
that what is learned at short distances can help at long ones. All networks see the same batches, match the
Transformer in parameters, take the same number of steps, and have a learning rate chosen from equally many.
Each is then tested at every distance. The *normalised success* is one minus the error divided by the error at
chance level: zero at chance, one without error. The rules judge its mean over all distances, each twice as
long as the one before, so that a network whose information fades loses the terms of the long ones. The
*reach* of a network is the distance at which half of the success is left, read from a logistic curve fitted
over the logarithm of the distance. A network that still succeeds at the longest distance has a reach of at
least that distance, and one that fails at the shortest a reach of at most that. Tables count such runs.

Two LSTMs differ in their initial forget bias, one or three [@jozefowicz2015empirical]: how far the forget
gate starts open. The recurrent matrix of the RNN starts orthogonal, the LRU [@orvieto2023resurrecting] starts
with long memories, and the TCN has as many layers as it takes to see the longest sequence.

The longest distance is well within what every network could store. The results therefore show what equal
training reaches, not the limit of an architecture. A reach of at most the shortest distance means that the
network did not learn the task in time, not that information faded.

Predicted before the first run at distances up to 256: the RNN and the LRU stay more than 0.1 below the
Transformer in adding, and no gated network does in either task. At distances up to 64, every network but
these two had solved both. For copy memory, predicted before its first run: the RNN, the LSTM, the GRU and the
minGRU stay more than 0.1 below the Transformer, the LRU and the TCN do not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure.reach import reach
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, Wrap, build
from seqlab.models.heads import Backbone, RowClassifier
from seqlab.notebook import Budget, Claim, Difference, Experiment, Matched, Measurement, Trial, Tuning, grid
from seqlab.notebook.figures import Curve, Interval, Table
from seqlab.tasks.synthetic import adding, copy_memory, delayed_recall
from seqlab.tasks.synthetic.labelling import labelling_loss
from seqlab.training import Batch, TriedRates, train

RATES = TriedRates.beside(__file__)
SHORTEST = 4
STRING = 4  # symbols; the original has 10, but the string must be no longer than the shortest distance
# Each network's backbone, and its initial forget bias, which only an LSTM has.
NETWORKS: Mapping[str, tuple[str, float]] = {
    "RNN": ("RNN", 1.0),
    "LSTM": ("LSTM", 1.0),
    "LSTM, forget bias 3": ("LSTM", 3.0),
    "GRU": ("GRU", 1.0),
    "minGRU": ("minGRU", 1.0),
    "LRU": ("LRU", 1.0),
    "TCN": ("TCN", 1.0),
    TRANSFORMER: (TRANSFORMER, 1.0),
}
RECURRENT = tuple(name for name in NETWORKS if name not in ("TCN", TRANSFORMER))
ADDING, RECALL, COPY = TASKS = "adding", "recall", "copy memory"
# Seeds of sequences that no training uses. Each trial adds its own to TEST, so that the luck of the test
# sequences is part of what differs between seeds.
VALIDATION, TEST = 10**6, 2 * 10**6


def sum_head(backbone: Backbone) -> RowClassifier:
    """A head with a single output: the sum."""
    return RowClassifier(backbone, channels=2, classes=1)


WRAPS: Mapping[str, Wrap] = {
    ADDING: sum_head,
    RECALL: TokenHead(delayed_recall.Task(SHORTEST).vocabulary),
    COPY: TokenHead(copy_memory.Task(SHORTEST, STRING).vocabulary),
}


def task_at(name: str, distance: int) -> adding.Task | delayed_recall.Task | copy_memory.Task:
    """The task at a distance: steps between input and target, or for adding the length of the sequence."""
    if name == ADDING:
        return adding.Task(distance)
    return delayed_recall.Task(distance) if name == RECALL else copy_memory.Task(distance, STRING)


def distances_to(longest: int) -> Sequence[int]:
    """The shortest distance and its doublings."""
    return [SHORTEST << doubling for doubling in range((longest // SHORTEST).bit_length())]


@cache
def evaluation_batch(name: str, distance: int, seed: int, sequences: int) -> Batch:
    """Sequences that no network trains on, the same for all networks."""
    return tuple(map(mx.array, task_at(name, distance).batch(np.random.default_rng(seed), sequences)))


@dataclass(frozen=True)
class Recipe:
    """Which network trains on which task, for how long; `longest` is the largest distance."""

    task: str
    model: str
    longest: int
    width: int
    depth: int
    batch: int
    steps: int

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A new network and its batches."""
        backbone, forget_bias = NETWORKS[self.model]
        # Copy memory has the longest sequences: the string is repeated after its distance.
        size = Size(self.width, self.depth, length=self.longest + STRING, forget_bias=forget_bias)
        return build(backbone, size, WRAPS[self.task], seed=seed), self.batches(np.random.default_rng(seed))

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Batches of one distance each, which cycle through all distances without end."""
        for distance in cycle(distances_to(self.longest)):
            yield tuple(map(mx.array, task_at(self.task, distance).batch(rng, self.batch)))

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """The mean squared error of the sum, or the cross-entropy of the scored symbols in nats."""
        if self.task == ADDING:
            rows, sums = batch
            return mx.mean((model(rows)[:, 0] - sums) ** 2)
        return labelling_loss(model, *batch)

    def success(self, model: nn.Module, distance: int, seed: int, sequences: int) -> float:
        """One minus the error divided by the error at chance level; negative below chance."""
        task, batch = task_at(self.task, distance), evaluation_batch(self.task, distance, seed, sequences)
        if isinstance(task, adding.Task):
            return 1 - float(self.loss(model, *batch)) / task.chance_level
        inputs, targets, scored = batch
        wrong = (mx.argmax(model(inputs), axis=-1) != targets) * scored
        return 1 - float(mx.sum(wrong) / mx.sum(scored)) / (1 - task.chance_level)

    def validate(self, model: nn.Module) -> Iterable[Measurement]:
        """The mean success over all distances."""
        found = [self.success(model, distance, VALIDATION, 64) for distance in distances_to(self.longest)]
        return [Measurement("mean_success", float(np.mean(found)), "valid")]


def run(trial: Trial) -> Iterator[Measurement]:
    """Train one network on one task, then test it at every distance."""
    recipe = trial.fill(Recipe)
    model = yield from train(trial, recipe, RATES)
    distances = distances_to(recipe.longest)
    tested, sequences = TEST + trial.seed, trial["sequences"]
    successes = [recipe.success(model, distance, tested, sequences) for distance in distances]
    for distance, success in zip(distances, successes, strict=True):
        yield Measurement("success", success, "test", step=distance)
    yield Measurement("mean_success", float(np.mean(successes)), "test")
    found = reach(distances, successes)
    yield Measurement("reach", found.distance, "test")
    yield Measurement("reaches_end", float(found.bound == "at least"), "test")
    yield Measurement("reaches_nothing", float(found.bound == "at most"), "test")


FAIR: tuple[Matched, ...] = ("parameters", "steps", "tuning")


def less_success(name: str) -> Claim:
    """C03 for one recurrent network."""
    rule = Difference(
        metric="mean_success", split="test", per=("task",), along="task", left={"model": name},
        right={"model": TRANSFORMER}, below=-0.1, matched=FAIR,
    )  # fmt: skip
    return Claim(
        "C03",
        rule,
        f"With equal parameters, steps and tuning, the mean success of the {name} over all distances is more "
        "than 0.1 below the Transformer's.",
        predicted="with conditions" if name in ("RNN", "LRU") else "not supported",
    )


experiment = Experiment(
    chapter=11,
    parallel_over=("task", "model"),
    run=run,
    protocol={
        "longest": 256, "width": 40, "depth": 1, "batch": 16, "steps": 1_500, "evaluations": 15,
        "sequences": 256, "together": 5, "rate": 0.0,
    },
    tuning=Tuning(
        grid(task=TASKS, model=NETWORKS), by=("task", "model"), settings={"steps": 300, "together": 1}
    ),
    budgets=(
        Budget(
            "smoke", grid(task=(ADDING, RECALL), model=("RNN", "LSTM", "TCN", TRANSFORMER), seeds=2),
            {"longest": 16, "steps": 10, "sequences": 128, "together": 2, "rate": 0.01}, timeout=60,
        ),
        Budget("quick", grid(task=TASKS, model=NETWORKS, seeds=5), timeout=1_800),
        Budget("full", grid(task=TASKS, model=NETWORKS, seeds=10), timeout=1_800),
    ),
    claims=(
        *map(less_success, RECURRENT),
        Claim(
            "C21",
            Difference(
                metric="mean_success", split="test", per=("task",), along="task", left={"model": TRANSFORMER},
                right=tuple({"model": name} for name in NETWORKS if name != TRANSFORMER), above=-0.05,
                matched=FAIR,
            ),
            "On every task the Transformer's mean success over all distances is less than 0.05 below that of "
            "the best other network.",
            predicted="supported",
        ),
    ),
    figures=(
        Curve(
            x="step", y="success", hue="model", columns="task", x_scale="log2", split="test",
            guides={"chance level": 0.0, "half": 0.5},
            caption="Success at each distance, after one training on all distances: 1 is no error, 0 is "
            "chance level. Bands are 95 % intervals over seeds.",
        ),
        Interval(
            x="reach", y="model", columns="task", x_scale="log2", split="test",
            guides={"shortest tested": float(SHORTEST)},
            caption="Reach: the distance at which half of the success is left. It lies between the shortest "
            "and the longest distance tested; a network at chance level has the shortest.",
        ),
        Table(
            rows=("task", "model"), split="test",
            metrics=(
                "reach", "reaches_end", "reaches_nothing", "mean_success", "parameters", "training_time"
            ),
            caption="Reach, and the share of runs whose reach lies beyond an end of the tested distances. "
            "Success is 0 at chance level. The seeds of a network train side by side: a training time is an "
            "equal share of theirs.",
        ),
    ),
)  # fmt: skip
