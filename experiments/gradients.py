"""Does the gradient vanish on its way back through time and layers?

A network learns how a distant input matters from the gradient of the loss with respect to that input. If the
gradient shrinks at every step on its way back, the network cannot learn from the distant past: the gradient
vanishes [@bengio1994learning; @pascanu2013difficulty]. This chapter measures the norm of the gradient at each
distance. It calls a gradient vanishing where the norm falls by more than two powers of ten over a hundred
steps. Networks in training have shorter sequences, whose trend is extrapolated to a hundred steps.

The initial weights matter much, so the recurrent networks start in several ways. Recurrent weights are
orthogonal, which by itself neither shrinks nor stretches a state, or uniform. The LSTM's forget gate
starts undecided, a little open or wide open (biases of 0, 1 and 3) [@jozefowicz2015empirical]. The
eigenvalues of the LRU, a linear recurrent network, start with magnitudes near one, for long memories
[@orvieto2023resurrecting]. Before training, the inputs are random, and the gradient is that of a random
projection of the last output. The trend is fitted from distance one on: at distance zero the Transformer and
the LRU also have a residual path, which no other position has, so that their gradient drops at once.

Then all networks are trained, with equally many parameters and steps and a learning rate chosen from equally
many. The task is associative recall of one pair [@arora2023zoology]: a key and a value, then blanks, then
the key again, at which the network must name the value. The chapter measures the gradient of the answer's log
odds with respect to the value. This is the gradient of the loss without the factor that says how wrong the
answer is. The sequences differ only in the place of the question, so that only the distance varies. The
gradient is taken outside the training step, which clips gradients: before training, after a tenth of the
steps and after all of them. An untrained Transformer attends to all positions alike, so its gradient falls
as one over the distance, not by a constant factor per step.

Read the gradient beside the accuracy. A level gradient in a network that has learned nothing is worth
little. And a network may latch on to an input, that is, keep it in a state that no longer changes, although
its gradient is gone [@bengio1994learning]. So a vanished gradient does not prove that the information is
lost, only that nothing more can be learned from it.

A Transformer has few steps through time but many layers, where a gradient can vanish as well. Residual
connections and norms are there to prevent it [@xiong2020layer; @dong2021attention]. The chapter removes each
in turn from stacks of several depths, before training, and compares the gradient that enters a stack at its
outputs with the one that arrives at its inputs. The threshold is the same: two powers of ten over a hundred
layers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure.gradients import answer_gradient, decades_per_step, norm_by_distance, norm_through
from seqlab.models import transformer
from seqlab.models.backbones import BACKBONES, TRANSFORMER, Size, TokenHead, build
from seqlab.models.heads import LanguageModel
from seqlab.models.parts.losses import cross_entropy
from seqlab.models.sizing import parameters
from seqlab.notebook import (
    Budget,
    Claim,
    Difference,
    Experiment,
    Measurement,
    Point,
    Slope,
    Trial,
    Tuning,
    grid,
)
from seqlab.notebook.figures import Curve, Interval, Table, Where
from seqlab.tasks.synthetic import recall
from seqlab.training import Batch, TriedRates, fresh_batches, train_once

RATES = TriedRates.beside(__file__)
WIDTH = 32
VOCABULARY = 8  # a blank, three keys, four values
EVALUATION_SEED = 10**6  # of sequences that no training uses
VALIDATED, TESTED = 64, 256  # sequences
ONE_LAYER = Size(WIDTH, depth=1, residual=False)
NETWORKS: Mapping[str, tuple[str, Size]] = {
    "RNN": ("RNN", ONE_LAYER),
    "RNN, uniform": ("RNN", replace(ONE_LAYER, orthogonal=False)),
    **{
        f"LSTM, forget bias {bias:g}": ("LSTM", replace(ONE_LAYER, forget_bias=bias))
        for bias in (0.0, 1.0, 3.0)
    },
    **{name: (name, ONE_LAYER) for name in ("GRU", "minGRU", "minLSTM", "LRU", TRANSFORMER)},
}
RECURRENT = tuple(name for name in NETWORKS if name != TRANSFORMER)
WHOLE = "residuals and norms"
BLOCKS = {  # with residual connections, with norms
    WHOLE: (True, True),
    "no norms": (True, False),
    "no residuals": (False, True),
    "neither": (False, False),
}
BEFORE, EARLY, AFTER = MOMENTS = ("before training", "after a tenth of it", "after training")


def run(trial: Trial) -> Iterator[Measurement]:
    """One point of one of the parts."""
    parts = {"start": at_start, "learning": while_learning, "depth": with_depth}
    yield from parts[trial["part"]](trial)


def decay(distances: np.ndarray, norms: np.ndarray) -> Iterator[Measurement]:
    """The norms by distance, their trend from distance 1 on, and the norm at the largest distance."""
    for distance, norm in zip(distances.tolist(), norms.tolist(), strict=True):
        yield Measurement("gradient_norm", norm, step=distance)
    slope = 100 * decades_per_step(distances, norms)
    yield Measurement("gradient_slope", slope)
    yield Measurement("gradient_lost", max(0.0, -slope))
    yield Measurement("gradient_reach", float(np.log10(norms[-1])))


def at_start(trial: Trial) -> Iterator[Measurement]:
    """The gradient through random sequences, before any training."""
    name, size = NETWORKS[trial["model"]]
    norms = norm_by_distance(
        BACKBONES[name](size, None), length=trial["span"] + 1, width=WIDTH, batch=trial["probes"],
        rng=np.random.default_rng(trial.seed),
    )  # fmt: skip
    yield from decay(np.arange(len(norms)), norms)


def with_depth(trial: Trial) -> Iterator[Measurement]:
    """The gradient through a stack of blocks; through time as well, where the blocks are complete."""
    residual, norm = BLOCKS[trial["blocks"]]
    backbone = transformer.Model(transformer.Config(WIDTH, trial["depth"], residual=residual, norm=norm))
    random = {
        "length": trial["length"], "width": WIDTH, "batch": trial["probes"],
        "rng": np.random.default_rng(trial.seed),
    }  # fmt: skip
    yield Measurement("depth_gradient", norm_through(backbone, **random))
    if trial["blocks"] == WHOLE:
        norms = norm_by_distance(backbone, **random)
        yield from decay(np.arange(len(norms)), norms)


@dataclass(frozen=True)
class Recipe:
    """Which network is trained to recall, and how: everything that the best learning rate may depend on."""

    model: str
    length: int
    batch: int
    steps: int

    @property
    def task(self) -> recall.Task:
        """One key and its value, asked for once."""
        return recall.Task(pairs=1, vocabulary=VOCABULARY, length=self.length)

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A new network with as many parameters as the Transformer, within 2 %, and fresh sequences."""
        name, size = NETWORKS[self.model]
        model = build(name, size, TokenHead(VOCABULARY), seed=seed)
        return model, fresh_batches(self.task.batch, self.batch, seed=seed)

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of the one answer of each sequence, in nats."""
        inputs, targets, scored = batch
        y = mx.sum(model.backbone(model.embed(inputs)) * scored[..., None], axis=1)
        return cross_entropy(model.read(y), mx.sum(targets * scored, axis=1))

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """The loss on sequences that no training uses."""
        batch = self.task.batch(np.random.default_rng(EVALUATION_SEED), VALIDATED)
        yield Measurement("loss", float(self.loss(model, *map(mx.array, batch))), "valid")


def evaluate(task: recall.Task, model: LanguageModel, probes: int) -> Iterator[Measurement]:
    """The accuracy at the largest distance, and the gradient of the value's log odds at every distance.

    Each of a few sequences is asked at every distance: the same inputs but for the place of the question.
    """
    drawn, _, _ = task.batch(np.random.default_rng(EVALUATION_SEED + 1), TESTED)
    places = np.arange(2, task.steps, 2)  # where the task asks
    tokens = np.zeros((len(places), *drawn.shape), dtype=np.int32)
    tokens[:, :, :2] = drawn[:, :2]
    tokens[np.arange(len(places)), :, places] = drawn[:, 0]
    answers = mx.array(drawn[:, 1])
    correct = mx.argmax(model(mx.array(tokens[-1]))[:, places[-1].item()], axis=-1) == answers
    yield Measurement("accuracy", float(mx.mean(correct)), "test")

    asked = mx.array(tokens[:, :probes]).flatten(0, 1)
    scored = mx.repeat(mx.arange(task.steps) == mx.array(places)[:, None], probes, axis=0)[..., None]
    norms = answer_gradient(
        lambda x: model.read(mx.sum(model.backbone(x) * scored, axis=1)),
        model.embed(asked),
        mx.tile(answers[:probes], len(places)),
        place=1,
    )
    log_norm = np.log(norms).reshape(len(places), probes).mean(axis=1)
    yield from decay(places - 1, np.exp(log_norm - log_norm[0]))


def while_learning(trial: Trial) -> Iterator[Measurement]:
    """One moment of one training; a training serves all its moments and trains several seeds at once."""
    recipe = Recipe(**{part.name: trial[part.name] for part in fields(Recipe)})
    steps = {BEFORE: 0, EARLY: max(1, recipe.steps // 10), AFTER: recipe.steps}
    trained = yield from train_once(
        trial, recipe, RATES, snapshots=tuple(steps.values()), keep_best=False, score_by="last"
    )
    trained.check()
    moment = trial["moment"]
    model = trained.at(steps[moment])
    assert isinstance(model, LanguageModel)
    if moment == AFTER:
        yield from trained.measurements
    else:
        yield Measurement("train_steps", steps[moment])
        yield Measurement("step_limit", steps[moment])
    yield Measurement("parameters", parameters(model))
    yield from evaluate(recipe.task, model, trial["probes"])


def points(
    *, depths: tuple[int, ...], seeds: int, learning_seeds: int, depth_seeds: int
) -> tuple[Point, ...]:
    """The three parts of the page."""
    starts = grid(part="start", model=NETWORKS, seeds=seeds)
    trained = grid(part="learning", model=NETWORKS, moment=MOMENTS, seeds=learning_seeds)
    return starts + trained + grid(part="depth", blocks=BLOCKS, depth=depths, seeds=depth_seeds)


START = {"part": "start"}
LEARNING = {"part": "learning"}
DEPTH = {"part": "depth"}
DEPTHS = (2, 4, 8, 16, 32)


def vanishing(by: str, where: Where, metric: str = "gradient_norm", x: str = "step") -> Slope:
    """At each level of the factor `by`, the norm falls by more than two decades over a hundred of `x`."""
    return Slope(metric=metric, x=x, y_scale="log10", per=(by,), along=by, where=where, below=-0.02)


def level(by: str, where: Where, metric: str = "gradient_norm", x: str = "step") -> Slope:
    """The opposite: it falls by less."""
    return replace(vanishing(by, where, metric, x), below=None, above=-0.02)


experiment = Experiment(
    chapter=10,
    parallel_over=("part", "model"),
    run=run,
    protocol={
        "span": 100, "probes": 8, "length": 34, "batch": 16, "steps": 300, "evaluations": 10, "together": 5,
        "rate": 0.0,
    },
    # All steps: they are few.
    tuning=Tuning(
        grid(part="learning", model=NETWORKS, moment=AFTER), by=("model",), settings={"together": 1}
    ),
    budgets=(
        Budget(
            "smoke", points(depths=(2, 4), seeds=2, learning_seeds=2, depth_seeds=2),
            {"span": 32, "probes": 4, "length": 18, "steps": 10, "together": 2, "rate": 0.03}, timeout=60,
        ),
        Budget("quick", points(depths=DEPTHS, seeds=10, learning_seeds=5, depth_seeds=5), timeout=900),
        Budget("full", points(depths=DEPTHS, seeds=20, learning_seeds=10, depth_seeds=20), timeout=900),
    ),
    claims=(
        Claim(
            "C03",
            vanishing("model", START | {"model": RECURRENT}),
            "In every recurrent network, before training, the gradient loses more than two powers of ten "
            "over a hundred steps.",
        ),
        Claim(
            "C03",
            vanishing("model", LEARNING | {"model": RECURRENT, "moment": AFTER}),
            "In every recurrent network that has been trained to recall a value, the gradient from the "
            "answer back to the value still loses more than two powers of ten over a hundred steps.",
        ),
        Claim(
            "C25",
            Difference(
                metric="gradient_slope", where=START, left={"model": TRANSFORMER},
                right=tuple({"model": name} for name in RECURRENT), above=2.0, matched=(),
            ),
            "From distance one on, the Transformer's gradient falls by at least two powers of ten less over "
            "a hundred steps than that of every recurrent network, even the best. (One layer, before "
            "training; the claim is read as an advantage over recurrent networks.)",
        ),
        Claim(
            "C25",
            Difference(
                metric="gradient_lost", where=LEARNING | {"moment": (EARLY, AFTER)}, per=("moment",),
                along="moment", left={"model": TRANSFORMER},
                right=tuple({"model": name} for name in RECURRENT), below=-2.0,
                matched=("parameters", "steps", "tuning"),
                finished=False,  # the amount of training is part of the question
            ),
            "During and after training to recall a value, at equal parameters, steps and tuning, the "
            "Transformer's gradient from the answer back to the value loses at least two powers of ten less "
            "over a hundred steps than that of every recurrent network. A gradient that grows with distance "
            "loses nothing.",
        ),
        Claim(
            "C25",
            level("depth", DEPTH | {"blocks": WHOLE}),
            "The Transformer's gradient through time loses less than two powers of ten over a hundred steps, "
            "in stacks of every depth, before training.",
        ),
        Claim(
            "C25",
            level("blocks", DEPTH, metric="depth_gradient", x="depth"),
            "The Transformer's gradient through its layers loses less than two powers of ten over a hundred "
            "layers, with residual connections and norms or without them, before training.",
        ),
    ),
    figures=(
        Curve(
            x="step", y="gradient_norm", hue="model", y_scale="log10", where=START,
            caption="Gradient of the last output with respect to an input, by distance, before training. "
            "A straight line down is a constant factor per step. Bands are 95 % intervals over seeds.",
        ),
        Interval(
            x="gradient_slope", y="model", where=START, guides={"vanishing": -2.0},
            caption="Change of the gradient over a hundred steps, in powers of ten, before training. It is "
            "fitted from distance one on, without the first drop. Left of the dashed line the gradient "
            "vanishes.",
        ),
        Curve(
            x="step", y="gradient_norm", hue="model", columns="moment", y_scale="log10", where=LEARNING,
            caption="Gradient from the answer back to the value, by the distance between them, before, "
            "during and after training on recall.",
        ),
        Interval(
            x="gradient_lost", y="model", columns="moment", where=LEARNING, guides={"vanishing": 2.0},
            caption="Powers of ten that this gradient loses over a hundred steps; zero where it grows with "
            "distance. Right of the dashed line it vanishes.",
        ),
        Table(
            rows=("model",), where=LEARNING | {"moment": AFTER}, split="test",
            metrics=("accuracy", "gradient_slope", "gradient_reach", "loss@valid", "parameters"),
            caption="After training: accuracy of recall at the largest distance (chance level: a quarter), "
            "the gradient's trend, its norm at that distance, and the loss at all distances.",
        ),
        Curve(
            x="depth", y="depth_gradient", hue="blocks", y_scale="log10", where=DEPTH,
            caption="Share of a gradient at the outputs of a stack of Transformer blocks that arrives at its "
            "inputs, by number of blocks, before training. A straight line down is a constant factor per "
            "block.",
        ),
        Table(
            rows=("blocks",), columns="depth", metrics=("depth_gradient",), where=DEPTH,
            caption="The same gradient for every depth. A norm below the smallest normal number of single "
            "precision counts as that number.",
        ),
        Table(
            rows=("model",), metrics=("gradient_slope", "gradient_reach"), where=START,
            caption="Before training: the gradient's trend, and its norm at the largest distance, the first "
            "drop included.",
        ),
    ),
)  # fmt: skip
