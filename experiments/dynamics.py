"""Does a Transformer use distant context from the start of training?

A Transformer sees the whole sequence from the first training step on. Whether it learns to use the distant
part of it early is another question. Here each sequence comes from a Markov chain of its own, whose
transition probabilities are drawn at random. So the only thing to learn is how to estimate them from the
sequence itself [@edelman2024evolution]. A uniform prediction, the chance level, needs no past. A unigram
prediction counts how often each state has occurred; it needs the past, but not its order. A bigram
prediction counts what followed the present state; it must find every earlier occurrence of that state. This
is the long-range dependency, and the bigram prediction is the best one possible.

A Transformer with two layers and an LSTM with as many parameters are trained on such sequences. At even
intervals during training they are evaluated on the same unseen sequences, over their second halves, where
there is a past to count. If a network learned the dependency from the start, its loss would fall towards the
best prediction without a plateau. A plateau is a stretch of training in which the loss improves by less than
one per cent while it is nearer to the loss of the unigram prediction than to the chance level or the best
prediction. The chapter also shows how far the network's probabilities are from both ways of counting, and
the loss by the distance to the last occurrence of the present state.

The quick budget has chains of three states; the full budget adds four and six.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure.plateau import plateau
from seqlab.measure.predictions import cross_entropy, divergence, mark_below, mean_by, steps_since
from seqlab.models import backbones
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Claim, Difference, Experiment, Measurement, Point, Trial, Tuning, grid
from seqlab.notebook.figures import Curve, Interval, Table
from seqlab.tasks.synthetic.markov import Task, Way
from seqlab.training import Batch, TriedRates, fresh_batches, train_once

RATES = TriedRates.beside(__file__)
EVALUATION_SEED = 10**6  # of sequences that no training uses
NETWORKS = (backbones.TRANSFORMER, "LSTM")
FROM_THE_START = "no plateau"  # what the claim predicts, as a level to compare with
COUNTS: Mapping[str, Way] = {"counts of states": "unigram", "counts of pairs": "bigram"}
WAYS: tuple[Way, ...] = ("uniform", "unigram", "bigram")
# Steps since the present state last occurred: each mark stands for those up to the next, the last for all
# more.
DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
MOMENTS = {"a tenth": 0.1, "half": 0.5, "all": 1.0}  # of the training


@dataclass(frozen=True)
class Scores:
    """How good predictions are over the second halves of the evaluation sequences."""

    loss: float  # nats
    divergence: Mapping[Way, float]  # nats, from each way of counting
    by_distance: Mapping[int, float]  # loss in nats by steps since the present state last occurred


@dataclass(frozen=True)
class Evaluation:
    """Unseen sequences, and the second halves of their targets, distances and counted predictions."""

    inputs: np.ndarray  # [B L], whole sequences
    targets: np.ndarray
    distances: np.ndarray
    predictions: Mapping[Way, np.ndarray]

    def scores(self, probabilities: np.ndarray) -> Scores:
        """Scores of probabilities [B L/2 V] for the second halves."""
        loss = cross_entropy(probabilities, self.targets)
        return Scores(
            float(loss.mean()),
            {way: divergence(self.predictions[way], probabilities) for way in COUNTS.values()},
            mean_by(loss, self.distances, DISTANCES),
        )

    def of_model(self, model: nn.Module) -> Scores:
        """Scores of a network."""
        logits = model(mx.array(self.inputs)).astype(mx.float32)
        probabilities = np.array(mx.softmax(logits, axis=-1), dtype=np.float64)
        return self.scores(probabilities[:, -self.targets.shape[1] :])


@cache
def evaluation(task: Task, scored: int) -> Evaluation:
    """The same sequences for every network and moment; `scored` is their number."""
    inputs, targets = task.batch(np.random.default_rng(EVALUATION_SEED), scored)
    half = slice(task.length // 2, None)
    return Evaluation(
        inputs,
        targets[:, half],
        mark_below(steps_since(inputs)[:, half], DISTANCES),
        {way: task.answers(way, inputs)[:, half] for way in WAYS},
    )


@dataclass(frozen=True)
class Recipe:
    """Which network is trained on which chains: everything that the best learning rate may depend on."""

    model: str
    states: int
    length: int
    width: int
    batch: int
    steps: int
    scored: int  # evaluation sequences

    @property
    def task(self) -> Task:
        """The chains."""
        return Task(self.length, self.states)

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A new network with as many parameters as the Transformer, and fresh sequences."""
        size = backbones.Size(self.width, length=self.length)
        model = backbones.build(self.model, size, backbones.TokenHead(self.states), seed=seed)
        return model, fresh_batches(self.task.batch, self.batch, seed=seed)

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of the next state, in nats."""
        return token_loss(model, *batch)

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """Loss, and divergence from both ways of counting."""
        found = evaluation(self.task, self.scored).of_model(model)
        yield Measurement("loss", found.loss, "valid")
        yield Measurement("unigram_divergence", found.divergence["unigram"], "valid")
        yield Measurement("bigram_divergence", found.divergence["bigram"], "valid")


def run(trial: Trial) -> Iterator[Measurement]:
    """One network's course of training, or its loss by distance at one moment; or a way of counting."""
    name = trial["model"]
    if name == FROM_THE_START:
        yield Measurement("plateau_share", 0.0)
    elif name in COUNTS:
        evaluated = evaluation(Task(trial["length"], trial["states"]), trial["scored"])
        found = evaluated.scores(evaluated.predictions[COUNTS[name]])
        if trial["part"] == "distance":
            yield from by_distance(found)
        else:
            for step in (1, trial["steps"]):  # a level, drawn as a line
                yield Measurement("loss", found.loss, "valid", step=step)
    else:
        yield from of_network(trial)


def of_network(trial: Trial) -> Iterator[Measurement]:
    """A part of one training, which serves the trials of both parts."""
    recipe = trial.fill(Recipe)
    evaluated = evaluation(recipe.task, recipe.scored)
    every = max(1, recipe.steps // trial["evaluations"])
    steps = (*range(every, recipe.steps, every), recipe.steps)  # after which the network is evaluated
    moments = {name: steps[max(round(share * len(steps)), 1) - 1] for name, share in MOMENTS.items()}
    trained = yield from train_once(trial, recipe, RATES, snapshots=tuple(moments.values()), keep_best=False)
    trained.check()
    if trial["part"] == "distance":
        yield from by_distance(evaluated.of_model(trained.at(moments[trial["moment"]])))
        return
    yield Measurement("parameters", parameters(trained.model))
    yield from trained.measurements
    uniform, unigram, bigram = (evaluated.scores(evaluated.predictions[way]).loss for way in WAYS)
    losses = [one.value for one in trained.measurements if (one.metric, one.split) == ("loss", "valid")]
    found = plateau(losses, worse=uniform, level=unigram, better=bigram)
    yield Measurement("plateau_share", found.share)
    yield Measurement("plateau_left", float(found.left))


def by_distance(scores: Scores) -> Iterator[Measurement]:
    """The loss by the distance to the last occurrence of the present state."""
    for distance, loss in scores.by_distance.items():
        yield Measurement("loss_at_distance", loss, step=distance)


def points(*, states: tuple[int, ...], seeds: int, few: int) -> tuple[Point, ...]:
    """The course of training for every number of states; distances for the smallest number alone.

    The Transformer, which the claim is about, has `seeds` seeds; the LSTM, shown beside it, has `few`.
    """
    course = partial(grid, part="course", states=states)
    far = partial(grid, part="distance", states=states[0])
    found = course(model=(*COUNTS, FROM_THE_START)) + far(model=COUNTS, moment="all")
    for model in NETWORKS:
        own = seeds if model == backbones.TRANSFORMER else few
        found += course(model=model, seeds=own) + far(model=model, moment=MOMENTS, seeds=own)
    return found


STATES = (3, 4, 6)  # with more, 48 steps are too few to count: unigrams are no better than chance
COURSE, DISTANCE = {"part": "course"}, {"part": "distance"}

experiment = Experiment(
    chapter=14,
    parallel_over=("model",),  # the parts of a model share its trainings
    run=run,
    protocol={
        "length": 48, "width": 32, "batch": 16, "steps": 250, "scored": 64, "evaluations": 50, "rate": 0.0,
    },
    # All steps: on the plateau, a short training could not tell the rates apart.
    tuning=Tuning(grid(part="course", states=STATES, model=NETWORKS), by=("states", "model")),
    budgets=(
        Budget(
            "smoke", points(states=STATES[:1], seeds=2, few=2),
            {
                "length": 32, "width": 16, "batch": 8, "steps": 20, "scored": 32, "evaluations": 10,
                "rate": 0.01,
            },
            timeout=120,
        ),
        Budget("quick", points(states=STATES[:1], seeds=5, few=1), timeout=900),
        Budget("full", points(states=STATES, seeds=10, few=10), timeout=900),
    ),
    claims=(
        Claim(
            "C27",
            Difference(
                metric="plateau_share", per=("states",), along="states", where=COURSE,
                left={"model": backbones.TRANSFORMER}, right={"model": FROM_THE_START}, below=0.1, matched=(),
                finished=False,  # the course of training is the question
            ),
            "If a Transformer learned long-range dependencies from the start of training, it would spend "
            "less than a tenth of its training on a plateau at the loss of unigram counts, before it learns "
            "that the next state depends on the earlier occurrences of the present one.",
        ),
    ),
    figures=(
        Curve(
            x="step", y="loss", hue="model", columns="states", split="valid",
            where=COURSE | {"model": (*NETWORKS, *COUNTS)},
            caption="Loss on unseen sequences during training, beside two ways of counting. On a plateau at "
            "the upper line, the network counts states but does not yet use their order.",
        ),
        Curve(
            x="step", y="unigram_divergence", hue="model", columns="states", split="valid",
            y_scale="log10", where=COURSE | {"model": NETWORKS},
            caption="Divergence of each network's probabilities from those of counting states. In a dip, the "
            "network predicts what this way of counting predicts, before it learns more.",
        ),
        Curve(
            x="step", y="bigram_divergence", hue="model", columns="states", split="valid",
            y_scale="log10", where=COURSE | {"model": NETWORKS},
            caption="Their divergence from counting what followed the present state, the best prediction.",
        ),
        Interval(
            x="plateau_share", y="model", columns="states", where=COURSE | {"model": NETWORKS},
            guides={"a tenth": 0.1},
            caption="Share of its training that each network spent on the plateau of counting states.",
        ),
        Curve(
            x="step", y="loss_at_distance", hue="model", columns="moment", x_scale="log2", where=DISTANCE,
            caption="Loss by the number of steps since the present state last occurred (each mark includes "
            "those up to the next), after a tenth, half and all of the training.",
        ),
        Table(
            rows=("states", "model"), where=COURSE | {"model": NETWORKS},
            metrics=("plateau_share", "plateau_left", "loss@valid", "parameters", "training_time"),
            caption="Length of the plateau, whether training left it before the end, and the final loss.",
        ),
    ),
)  # fmt: skip
