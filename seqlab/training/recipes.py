"""How does a page teach a network: choose its learning rate, train it, keep the best weights?

A page says what is learnt by a `Recipe`; `train` does the rest in the same way for every network, so that no
side of a comparison is tuned, stopped or chosen otherwise than the other.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, runtime_checkable

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.errors import DivergedError
from seqlab.models.sizing import parameters
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.training.loop import fit
from seqlab.training.rates import Search, TunedRate, search_learning_rate, tuned_or_searched_rate
from seqlab.training.seeds import fit_seeds
from seqlab.training.step import Batch

TUNING_SEED = 1000  # of every search; no verdict uses it
# The rates that pages tried by hand for their quick budgets, on the tuning seed, for every network alike.
TRIED_RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


@runtime_checkable  # so that the tests can check arguments
class Recipe(Protocol):
    """What a network learns. Make it a frozen dataclass of the page's own: it is hashed, to search once.

    Its fields are all that the best learning rate may depend on.
    """

    def __hash__(self) -> int:
        """Equal for recipes whose rates may be shared."""

    @property
    def steps(self) -> int:
        """Training steps."""

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A new network, its weights drawn with the seed, and the batches that it will see, without end."""

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """What is made small."""

    def validate(self, model: nn.Module) -> Iterable[Measurement]:
        """Measurements of the validation split; the first chooses rate and weights."""


def train(
    trial: Trial,
    recipe: Recipe,
    tuned: TunedRate,
    *,
    evaluations: int | None = None,
    searched: Recipe | None = None,
    **settings: Any,
) -> Generator[Measurement, None, nn.Module]:
    """Train one network as the trial asks; yield what is measured, return the network with its best weights.

    For `model = yield from train(…)`. The rate is the trial's setting `rate`; where that is 0, the best of as
    many trials as its setting `tuning` says, else `tuned`. The validation split is measured `evaluations`
    times, evenly spread; where that is not given, as often as its setting of that name says, or five times.
    `settings` go on to `fit`. A search trains for `searched` where that is given: recipes that differ in
    their steps alone may share one.

    The trial's setting `together` trains so many seeds side by side (`training.seeds`), which takes half the
    time for small models: the first trial of them trains all, and the others, if they run in the same
    process, find theirs done. Then the batches of all seeds must have the same shapes, step by step.
    """
    given = tuple(sorted(settings.items()))
    evaluations = evaluations or trial.get("evaluations", 5)
    rate = yield from tuned_or_searched_rate(
        trial, tuned, lambda trials: search_rate(searched or recipe, trials, evaluations, given)
    )
    together = trial.get("together", 1)
    if together > 1:
        first = trial.seed - trial.seed % together
        seeds = tuple(range(first, first + together))
        trained_model: TrainedModel = train_together(recipe, rate, seeds, evaluations, given)[
            trial.seed - first
        ]
        yield Measurement("parameters", parameters(trained_model.model))
        yield from trained_model.measurements
        if trained_model.diverged:
            raise trained_model.diverged[0]
        return trained_model.model
    model, batches = recipe.start(trial.seed)
    yield Measurement("parameters", parameters(model))
    yield from _train(recipe, model, batches, rate=rate, evaluations=evaluations, settings=settings)
    return model


def _train(
    recipe: Recipe,
    model: nn.Module,
    batches: Iterator[Batch],
    *,
    rate: float,
    evaluations: int,
    settings: Mapping[str, Any],
) -> Iterator[Measurement]:
    return fit(
        model, recipe.loss, batches=batches, steps=recipe.steps, learning_rate=rate,
        validate=recipe.validate, evaluate_every=max(1, recipe.steps // evaluations), **settings,
    )  # fmt: skip


@dataclass(frozen=True)
class TrainedModel:
    """A model of several that learnt side by side, what was measured of it, and the error that ended it."""

    model: nn.Module
    measurements: list[Measurement] = field(default_factory=list)
    diverged: list[DivergedError] = field(default_factory=list)


@cache  # one training serves the trials of all these seeds
def train_together(
    recipe: Recipe,
    rate: float,
    seeds: tuple[int, ...],
    evaluations: int,
    settings: tuple[tuple[str, Any], ...] = (),
) -> tuple[TrainedModel, ...]:
    """Train a new model of each seed, side by side; each has its best weights. `settings` go on to `fit`."""
    models, batches = zip(*map(recipe.start, seeds), strict=True)
    trained = tuple(map(TrainedModel, models))
    if len(trained) == 1:
        try:
            trained[0].measurements.extend(
                _train(
                    recipe, models[0], batches[0],
                    rate=rate, evaluations=evaluations, settings=dict(settings),
                )
            )  # fmt: skip
        except DivergedError as error:
            trained[0].diverged.append(error)
        return trained
    for place, found in fit_seeds(
        models, recipe.loss, batches=batches, steps=recipe.steps, learning_rate=rate,
        validate=recipe.validate, evaluate_every=max(1, recipe.steps // evaluations), **dict(settings),
    ):  # fmt: skip
        if isinstance(found, DivergedError):
            trained[place].diverged.append(found)
        else:
            trained[place].measurements.append(found)
    return trained


@cache  # the same for every seed
def search_rate(
    recipe: Recipe, trials: int, evaluations: int, settings: tuple[tuple[str, Any], ...] = ()
) -> Search:
    """The rate that does best on the validation split, on a seed that no verdict uses."""

    def train(rate: float) -> Iterator[Measurement]:
        model, batches = recipe.start(TUNING_SEED)
        return _train(recipe, model, batches, rate=rate, evaluations=evaluations, settings=dict(settings))

    return search_learning_rate(train, trials=trials, rng=np.random.default_rng(TUNING_SEED))


@dataclass(frozen=True)
class EvaluationSet:
    """Fresh sequences of a made task, drawn by `batch(rng, size)` with a seed of their own: alike for all."""

    batch: Callable[[np.random.Generator, int], tuple[np.ndarray, ...]]
    sequences: int
    seed: int

    def accuracy(self, model: nn.Module, *, at_once: int = 64) -> float:
        """The share of right answers at scored positions. The task gives inputs, targets, scored."""
        inputs, targets, scored = self.batch(np.random.default_rng(self.seed), self.sequences)
        right = 0
        for i in range(0, len(inputs), at_once):
            some = slice(i, i + at_once)
            answers = np.array(mx.argmax(model(mx.array(inputs[some])), axis=-1))
            right += int((answers == targets[some])[scored[some]].sum())
        return right / int(scored.sum())
