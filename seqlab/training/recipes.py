"""How does a page train a network: choose its learning rate, train it, keep the best weights?

A page describes what is trained, and on what, by a `Recipe`. `train` does the rest in the same way for every
network, so that no side of a comparison is tuned, stopped or selected differently from the other.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, runtime_checkable

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_unflatten

from seqlab.errors import DivergedError
from seqlab.models.sizing import parameters
from seqlab.notebook.experiment import TUNING_SEED, Trial
from seqlab.notebook.metrics import Measurement
from seqlab.training.checkpoints import Snapshots
from seqlab.training.loop import fit
from seqlab.training.rates import ScoreBy, Search, search_learning_rate, trial_rate
from seqlab.training.seeds import fit_seeds
from seqlab.training.step import Batch
from seqlab.training.tried import TriedRates


@runtime_checkable  # so that the tests can check arguments
class Recipe(Protocol):
    """What is trained, on what. Make it a frozen dataclass of the page's own: its hash is the cache's key.

    Its fields are everything that the best learning rate may depend on.
    """

    def __hash__(self) -> int:
        """Equal for recipes that may share a learning rate."""

    @property
    def steps(self) -> int:
        """Training steps."""

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A new network, its weights drawn with the seed, and its training batches, without end."""

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """The training loss of a batch."""

    def validate(self, model: nn.Module) -> Iterable[Measurement]:
        """Measurements of the validation split; the first chooses rate and weights."""


@dataclass(frozen=True)
class TrainedModel:
    """A trained model with its measurements, its snapshots, and the error that ended its training, if any."""

    model: nn.Module
    measurements: list[Measurement] = field(default_factory=list)
    diverged: list[DivergedError] = field(default_factory=list)
    snapshots: Snapshots = field(default_factory=dict)

    def check(self) -> None:
        """Raise the error that ended the training, if there was one."""
        if self.diverged:
            raise self.diverged[0]

    def at(self, step: int) -> nn.Module:
        """The model with the weights of a snapshot; it is the same object, changed in place."""
        self.model.update(tree_unflatten(list(self.snapshots[step].items())))
        return self.model


def train(
    trial: Trial,
    recipe: Recipe,
    tried: TriedRates | None = None,
    *,
    evaluations: int | None = None,
    searched: Recipe | None = None,
    **settings: Any,
) -> Generator[Measurement, None, nn.Module]:
    """Train one network as the trial asks; yield measurements, return the network with its best weights.

    Use as `model = yield from train(…)`. The learning rate is the trial's setting `rate`; where that is 0,
    the best of those `tried` for this network before, or else of a search of as many trials as its setting
    `tuning` says. A search trains `searched` where that is given: recipes that differ in their steps alone
    may share one. The validation split is measured `evaluations` times, evenly spread; where that is not
    given, as often as the trial's setting of that name says, or five times. `settings` are passed to `fit`;
    with `min_gain` the training ends once it is finished.

    With a setting `together`, that many seeds, if all take every step, train side by side
    (`training.seeds`), which takes half the time for small models. The first trial of them trains all;
    the others, if they run in the same process, find theirs trained. The batches of all these seeds must
    have the same shapes, step by step.
    """
    if _together(trial, settings) > 1:
        trained = yield from train_once(
            trial, recipe, tried, evaluations=evaluations, searched=searched, **settings
        )
        yield Measurement("parameters", parameters(trained.model))
        yield from trained.measurements
        trained.check()
        return trained.model
    evaluations = evaluations or trial.get("evaluations", 5)
    rate = yield from _rate(trial, searched or recipe, tried, evaluations, settings)
    model, batches = recipe.start(trial.seed)
    yield Measurement("parameters", parameters(model))
    yield from _fit(recipe, model, batches, rate=rate, evaluations=evaluations, settings=settings)
    return model


def train_once(
    trial: Trial,
    recipe: Recipe,
    tried: TriedRates | None = None,
    *,
    evaluations: int | None = None,
    searched: Recipe | None = None,
    snapshots: tuple[int, ...] = (),
    score_by: ScoreBy = "best",
    **settings: Any,
) -> Generator[Measurement, None, TrainedModel]:
    """Train as `train` does, once for all trials in this process that ask for the same; return the result.

    It yields only how the learning rate was chosen. The rest is the caller's: to yield the measurements, and
    to `check` for divergence. `snapshots` are the steps after which the weights are kept, 0 for before the
    first. `score_by` says which evaluation is the score of a rate in a search.
    """
    evaluations = evaluations or trial.get("evaluations", 5)
    rate = yield from _rate(trial, searched or recipe, tried, evaluations, settings, score_by)
    together = _together(trial, settings)
    first = trial.seed - trial.seed % together
    seeds = tuple(range(first, first + together))
    given = tuple(sorted(settings.items()))
    trained = train_together(recipe, rate, seeds, evaluations, given, snapshots)
    own: TrainedModel = trained[trial.seed - first]
    return own


def _together(trial: Trial, settings: Mapping[str, Any]) -> int:
    """How many seeds train side by side: one where each may end at another step."""
    return 1 if "min_gain" in settings else int(trial.get("together", 1))


def _rate(
    trial: Trial,
    recipe: Recipe,
    tried: TriedRates | None,
    evaluations: int,
    settings: Mapping[str, Any],
    score_by: ScoreBy = "best",
) -> Generator[Measurement, None, float]:
    """The trial's rate."""
    before = tried.search(trial) if tried and not trial.get("rate", 0.0) else None
    given = tuple(sorted(settings.items()))
    return trial_rate(trial, before, lambda trials: search_rate(recipe, trials, evaluations, given, score_by))


def _fit(
    recipe: Recipe,
    model: nn.Module,
    batches: Iterator[Batch],
    *,
    rate: float,
    evaluations: int,
    settings: Mapping[str, Any],
    snapshots: Snapshots | None = None,
) -> Iterator[Measurement]:
    return fit(
        model, recipe.loss, batches=batches, steps=recipe.steps, learning_rate=rate, snapshots=snapshots,
        validate=recipe.validate, evaluate_every=max(1, recipe.steps // evaluations), **settings,
    )  # fmt: skip


@cache  # one training serves the trials of all these seeds
def train_together(
    recipe: Recipe,
    rate: float,
    seeds: tuple[int, ...],
    evaluations: int,
    settings: tuple[tuple[str, Any], ...] = (),
    snapshots: tuple[int, ...] = (),
) -> tuple[TrainedModel, ...]:
    """Train a new model of each seed, side by side; each has its best weights. `settings` are for `fit`."""
    models, batches = zip(*map(recipe.start, seeds), strict=True)
    trained = tuple(TrainedModel(model, snapshots={step: {} for step in snapshots}) for model in models)
    if len(trained) == 1:
        (alone,) = trained
        try:
            alone.measurements.extend(
                _fit(
                    recipe, alone.model, batches[0], rate=rate, evaluations=evaluations,
                    settings=dict(settings), snapshots=alone.snapshots,
                )
            )  # fmt: skip
        except DivergedError as error:
            alone.diverged.append(error)
        return trained
    for place, found in fit_seeds(
        models, recipe.loss, batches=batches, steps=recipe.steps, learning_rate=rate,
        validate=recipe.validate, evaluate_every=max(1, recipe.steps // evaluations),
        snapshots=[each.snapshots for each in trained], **dict(settings),
    ):  # fmt: skip
        if isinstance(found, DivergedError):
            trained[place].diverged.append(found)
        else:
            trained[place].measurements.append(found)
    return trained


@cache  # the same for every seed
def search_rate(
    recipe: Recipe,
    trials: int,
    evaluations: int,
    settings: tuple[tuple[str, Any], ...] = (),
    score_by: ScoreBy = "best",
) -> Search:
    """The rate that scores best on the validation split, on a seed that no verdict uses."""

    def train(rate: float) -> Iterator[Measurement]:
        model, batches = recipe.start(TUNING_SEED)
        return _fit(recipe, model, batches, rate=rate, evaluations=evaluations, settings=dict(settings))

    rng = np.random.default_rng(TUNING_SEED)
    return search_learning_rate(train, trials=trials, rng=rng, score_by=score_by)


Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, ...]]  # draw(rng, size), as synthetic tasks do


def fresh_batches(draw: Draw, size: int, *, seed: int) -> Iterator[Batch]:
    """Batches of fresh sequences of a synthetic task, without end."""
    rng = np.random.default_rng(seed)
    while True:
        yield tuple(map(mx.array, draw(rng, size)))


@dataclass(frozen=True)
class EvaluationSet:
    """Fresh sequences of a synthetic task, drawn by `batch(rng, size)` with a fixed seed: equal for all."""

    batch: Draw
    sequences: int
    seed: int

    def accuracy(self, model: nn.Module, *, at_once: int = 64) -> float:
        """The share of correct answers at scored positions. The task gives inputs, targets, scored."""
        inputs, targets, scored = self.batch(np.random.default_rng(self.seed), self.sequences)
        right = 0
        for i in range(0, len(inputs), at_once):
            some = slice(i, i + at_once)
            answers = np.array(mx.argmax(model(mx.array(inputs[some])), axis=-1))
            right += int((answers == targets[some])[scored[some]].sum())
        return right / int(scored.sum())
