"""Does a Transformer learn what lies far back from the start?

A network that sees the whole sequence at once can use all of it from the first step of training on. Whether
it does is another question. Here each sequence is written by a chain of its own, with transition
probabilities that are drawn anew, so that all there is to learn is how to read them off the sequence itself
[@edelman2024evolution]. Guessing needs no past. Counting how often each state came needs the past, but not
its order. Counting what came after the present state needs to find every earlier place where it stood: that
is the dependency on what lies far back, and the best answer that there is.

A Transformer of two layers and an LSTM of as many parameters learn it. Again and again while they learn, the
same unseen sequences are scored, over their second halves, where there is a past to count. If dependencies
were learnt from the start, the loss would fall towards the best answer without a halt. A plateau is a
stretch of training in which it gains less than a hundredth while it is nearer to what counting the states
gives than to guessing or to the best answer. How far the network's probabilities are from either way of
counting is shown beside it, and so is the loss by how far back the present state last stood.

The smaller budgets have chains of three states and short sequences; the full one has up to eight states.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache, partial

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure.plateau import plateau
from seqlab.models import backbones
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import parameters
from seqlab.notebook import (
    Budget,
    Claim,
    Curve,
    Difference,
    Experiment,
    Interval,
    Measurement,
    Point,
    Table,
    Trial,
    grid,
)
from seqlab.tasks.synthetic.markov import Task, Way
from seqlab.training import TRIED_RATES, TUNING_SEED, Batch, TunedRate, fit
from seqlab.training.rates import Search, search_learning_rate, tuned_or_searched_rate

EXAMINATION = 10**6  # a seed that no training uses
NETWORKS = ("Transformer", "LSTM")
FROM_THE_START = "no plateau"  # what the sentence says, as an arm: it loses no step
COUNTS: Mapping[str, Way] = {"counts of states": "unigram", "counts of pairs": "bigram"}
WAYS: tuple[Way, ...] = ("uniform", "unigram", "bigram")
# Of TRIED_RATES, at the quick budget with seed 1000: the least loss at the end. To try again:
# nox -s dynamics -- --seed 1000 --set rate=0.003
RATES = {"Transformer": 1e-2, "LSTM": 1e-2}
TUNED_STEPS = 250
# How far back the present state last stood, in steps: each up to the next, the last up to any.
DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
MOMENTS = {"a tenth": 0.1, "half": 0.5, "all": 1.0}  # of the training


@dataclass(frozen=True)
class Recipe:
    """Who learns which chains, and how: all that the best learning rate may depend on."""

    model: str
    states: int
    length: int
    width: int
    batch: int
    steps: int
    scored: int  # sequences
    looks: int  # at the loss, while a network learns

    @property
    def each(self) -> int:
        """Steps from one look to the next."""
        return max(1, self.steps // self.looks)


@dataclass(frozen=True)
class Answer:
    """What is said of the examination's second halves at one moment."""

    loss: float  # nats
    divergence: Mapping[Way, float]  # nats: of the network's probabilities from each way's
    by_distance: Mapping[int, float]  # nats


@dataclass(frozen=True)
class Learnt:
    """A training: what it measured, and the answers at every look."""

    measured: tuple[Measurement, ...]
    answers: tuple[Answer, ...]


@cache
def examination(task: Task, scored: int) -> tuple[np.ndarray, np.ndarray]:
    """The unseen sequences, and what comes next in them."""
    return task.batch(np.random.default_rng(EXAMINATION), scored)


@cache
def way_of(task: Task, scored: int, way: Way) -> np.ndarray:
    """The probabilities that a way to answer gives in the examination."""
    return task.answers(way, examination(task, scored)[0])


@cache
def distances(task: Task, scored: int) -> np.ndarray:
    """How many steps before each step of the examination its state last stood; 0 where it never did."""
    inputs, _ = examination(task, scored)
    found, last = np.zeros_like(inputs), np.full((len(inputs), task.states), -1)
    rows = np.arange(len(inputs))
    for step, state in enumerate(inputs.T):
        before = last[rows, state]
        found[:, step] = np.where(before < 0, 0, step - before)
        last[rows, state] = step
    return found


def bucketed(steps: np.ndarray) -> np.ndarray:
    """The largest of `DISTANCES` that is no more than each; 0 stays."""
    found: np.ndarray = np.array([0, *DISTANCES])[np.searchsorted(DISTANCES, steps, side="right")]
    return found


def judged(task: Task, scored: int, probabilities: np.ndarray) -> Answer:
    """How good an answer is, over the second halves of the examination's sequences."""
    _, targets = examination(task, scored)
    half = slice(task.length // 2, None)
    surprise = -np.log(np.take_along_axis(probabilities, targets[..., None], axis=2)[:, half, 0])
    ways = {way: way_of(task, scored, way)[:, half] for way in COUNTS.values()}
    far = bucketed(distances(task, scored)[:, half])
    return Answer(
        loss=float(surprise.mean()),
        divergence={
            way: float((known * np.log(known / probabilities[:, half])).sum(axis=2).mean())
            for way, known in ways.items()
        },
        by_distance={each: float(surprise[far == each].mean()) for each in DISTANCES if (far == each).any()},
    )


def answered(model: nn.Module, task: Task, scored: int) -> Answer:
    """What a network answers."""
    logits = model(mx.array(examination(task, scored)[0]))
    return judged(task, scored, np.array(mx.softmax(logits.astype(mx.float32), axis=-1), dtype=np.float64))


def train(recipe: Recipe, rate: float, seed: int, answers: list[Answer]) -> Iterator[Measurement]:
    """Train one network; `answers` takes what it says at every look."""
    task = Task(recipe.length, recipe.states)
    size = backbones.Size(recipe.width, length=recipe.length)
    model = backbones.build(recipe.model, size, backbones.TokenHead(recipe.states), seed=seed)

    def batches() -> Iterator[Batch]:
        rng = np.random.default_rng(seed)
        while True:
            yield tuple(map(mx.array, task.batch(rng, recipe.batch)))

    def look(model: nn.Module) -> Iterator[Measurement]:
        answers.append(answered(model, task, recipe.scored))
        yield Measurement("loss", answers[-1].loss, "valid")

    yield Measurement("parameters", parameters(model))
    # The last weights stay: what is asked is how they came about.
    yield from fit(
        model, token_loss, batches=batches(), steps=recipe.steps, learning_rate=rate, validate=look,
        evaluate_every=recipe.each, keep_best=False,
    )  # fmt: skip


@cache  # one training for the trials of both parts
def learnt(recipe: Recipe, rate: float, seed: int) -> Learnt:
    """A training from its first weights to its last."""
    answers: list[Answer] = []
    measured = tuple(train(recipe, rate, seed, answers))
    return Learnt(measured, tuple(answers))


@cache  # the same for every seed
def searched(recipe: Recipe, trials: int) -> Search:
    """The rate whose training ends or passes lowest, on a seed that no verdict uses."""
    return search_learning_rate(
        lambda rate: train(recipe, rate, TUNING_SEED, []),
        trials=trials,
        rng=np.random.default_rng(TUNING_SEED),
    )


def run(trial: Trial) -> Iterator[Measurement]:
    """One network's course of learning, or its loss by distance at one moment; or a way to count."""
    name = trial["model"]
    task, scored = Task(trial["length"], trial["states"]), trial["scored"]
    if name == FROM_THE_START:
        yield Measurement("plateau_share", 0.0)
        return
    if name in COUNTS:
        counted = judged(task, scored, way_of(task, scored, COUNTS[name]))
        if trial["part"] == "course":
            for look in (1, trial["steps"]):  # a level, drawn as a line
                yield Measurement("loss", counted.loss, "valid", step=look)
        else:
            yield from by_distance(counted)
        return
    recipe = Recipe(**{field.name: trial[field.name] for field in fields(Recipe)})
    tuned = TunedRate(RATES[name], TRIED_RATES, TUNED_STEPS)
    rate = yield from tuned_or_searched_rate(trial, tuned, lambda trials: searched(recipe, trials))
    found = learnt(recipe, rate, trial.seed)
    if trial["part"] == "distance":
        moment = round(MOMENTS[trial["moment"]] * len(found.answers))
        yield from by_distance(found.answers[max(moment, 1) - 1])
        return
    yield from found.measured
    for number, answer in enumerate(found.answers, start=1):
        at = min(number * recipe.each, recipe.steps)
        yield Measurement("unigram_divergence", answer.divergence["unigram"], "valid", step=at)
        yield Measurement("bigram_divergence", answer.divergence["bigram"], "valid", step=at)
    levels = {way: judged(task, scored, way_of(task, scored, way)).loss for way in WAYS}
    still = plateau(
        [answer.loss for answer in found.answers],
        worse=levels["uniform"], level=levels["unigram"], better=levels["bigram"],
    )  # fmt: skip
    yield Measurement("plateau_share", still.share)
    yield Measurement("plateau_left", float(still.left))


def by_distance(answer: Answer) -> Iterator[Measurement]:
    """The loss where the present state last stood so far back."""
    for distance, loss in answer.by_distance.items():
        yield Measurement("loss_at_distance", loss, step=distance)


def points(*, states: tuple[int, ...], seeds: int, few: int) -> tuple[Point, ...]:
    """The course of learning for every number of states; distances for the fewest states alone.

    The Transformer, which is judged, has `seeds`; what is shown beside it has `few`.
    """
    course = partial(grid, part="course", states=states)
    far = partial(grid, part="distance", states=states[0])
    found = course(model=(*COUNTS, FROM_THE_START)) + far(model=COUNTS, moment="all")
    for model in NETWORKS:
        own = seeds if model == backbones.TRANSFORMER else few
        found += course(model=model, seeds=own) + far(model=model, moment=MOMENTS, seeds=own)
    return found


COURSE, DISTANCE = {"part": "course"}, {"part": "distance"}
LEARNERS = (*NETWORKS, *COUNTS)

experiment = Experiment(
    chapter=12,
    parallel_over=("model",),  # the parts of a model share its trainings
    run=run,
    budgets=(
        Budget(
            "smoke", points(states=(3,), seeds=2, few=2),
            {"length": 32, "width": 16, "batch": 8, "steps": 20, "scored": 32, "looks": 10, "rate": 0.0},
            timeout=120,
        ),
        Budget(
            "quick", points(states=(3,), seeds=5, few=1),
            {
                "length": 48, "width": 32, "batch": 16, "steps": TUNED_STEPS, "scored": 64, "looks": 50,
                "rate": 0.0,
            },
            timeout=300,
        ),
        Budget(
            "full", points(states=(3, 4, 6, 8), seeds=10, few=10),
            {
                "length": 128, "width": 64, "batch": 64, "steps": 5_000, "scored": 512, "looks": 100,
                "rate": 0.0, "tuning": 12,
            },
            timeout=13 * 3_600,  # the first trial of each model searches
        ),
    ),
    claims=(
        Claim(
            "C27",
            Difference(
                metric="plateau_share", per=("states",), along="states", where=COURSE,
                left={"model": "Transformer"}, right={"model": FROM_THE_START}, below=0.1, matched=(),
            ),
            "If a Transformer learnt dependencies on what lies far back from the start, it would spend less "
            "than a tenth of its training standing still at what counting the states gives, before it finds "
            "that what comes next depends on where the present state stood earlier.",
        ),
    ),
    figures=(
        Curve(
            x="step", y="loss", hue="model", columns="states", split="valid",
            where=COURSE | {"model": LEARNERS},
            caption="Loss on unseen sequences while the networks learn, beside two ways to count. A halt at "
            "the upper line is a network that counts states and does not yet look where they stood.",
        ),
        Curve(
            x="step", y="unigram_divergence", hue="model", columns="states", split="valid",
            y_scale="log10", where=COURSE | {"model": NETWORKS},
            caption="How far each network's probabilities are from those of counting states: a dip is a "
            "network that answers as this way of counting does, before it goes on.",
        ),
        Curve(
            x="step", y="bigram_divergence", hue="model", columns="states", split="valid",
            y_scale="log10", where=COURSE | {"model": NETWORKS},
            caption="How far they are from counting what came after the present state, the best answer.",
        ),
        Interval(
            x="plateau_share", y="model", columns="states", where=COURSE | {"model": NETWORKS},
            guides={"a tenth": 0.1},
            caption="The share of its training that each network stood still at counting states.",
        ),
        Curve(
            x="step", y="loss_at_distance", hue="model", columns="moment", x_scale="log2", where=DISTANCE,
            caption="Loss by how many steps back the present state last stood, or more up to the next mark, "
            "after a tenth, half and all of the training.",
        ),
        Table(
            rows=("states", "model"), where=COURSE | {"model": NETWORKS},
            metrics=("plateau_share", "plateau_left", "loss@valid", "parameters", "training_time"),
            caption="Plateaus, whether they were left before the end, and the loss in the end.",
        ),
    ),
)  # fmt: skip
