"""What is the learning rate at each step, and how is its peak chosen on the same budget for every model?

A search draws log-uniform rates, one from each of equal parts of the range, so that few trials cover it. The
validation split chooses. The search trains on a seed of its own; the chosen rate is then used on seeds that
took no part in the choice.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqlab.errors import DivergedError, UsageError
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import METRICS, Measurement

# The share of a training in which the rate falls to zero. Hägele et al. (2024) find a fifth enough: it ends
# about as well as a cosine of the same length, whose length must be known beforehand.
FALL = 0.2
LOW, HIGH = 1e-4, 1e-1  # AdamW's best rate was inside this range for nearly every network of these pages
TRIALS = 6  # of a search
ScoreBy = Literal["best", "last"]  # which evaluation of a training is its score


def rate_at(step: int, *, peak: float, warmup_steps: int, constant_steps: int, steps: int) -> float:
    """The learning rate of a step (from 1): up in a line to `peak`, constant, down in a line to zero.

    It falls from the step after `constant_steps` on, and is above zero at the last of `steps`.
    """
    if step <= warmup_steps:
        return peak * step / warmup_steps
    if step <= constant_steps:
        return peak
    return peak * (steps - step + 1) / (steps - constant_steps + 1)


def default_warmup(steps: int) -> int:
    """A tenth of the run, 100 steps at most."""
    return min(100, steps // 10)


def constant_part(steps: int) -> int:
    """Of a training of at most so many steps, those before the rate falls."""
    return steps - round(FALL * steps)


def with_fall(constant_steps: int) -> int:
    """The steps of a training whose rate falls after so many: the fall takes its share of the whole."""
    return round(constant_steps / (1 - FALL))


@dataclass(frozen=True)
class Search:
    """The rate chosen, and the score of each rate tried: lower is better, infinity where it diverged."""

    rate: float
    tried: tuple[tuple[float, float], ...]

    def measurements(self) -> Iterator[Measurement]:
        """What a trial that uses the rate should yield, so that the store shows how it was chosen."""
        yield Measurement("learning_rate", self.rate)
        yield Measurement("tuning_trials", len(self.tried))
        for number, (rate, score) in enumerate(self.tried, start=1):
            yield Measurement("tried_rate", rate, step=number)
            if math.isfinite(score):
                yield Measurement("tuning_score", score, split="valid", step=number)


def search_learning_rate(
    train: Callable[[float], Iterable[Measurement]],
    *,
    rng: np.random.Generator,
    trials: int = TRIALS,
    low: float = LOW,
    high: float = HIGH,
    score_by: ScoreBy = "best",
) -> Search:
    """Try `trials` rates. `train(rate)` is a whole training from the start, such as a call of `fit`.

    A training's score is the `best` or the `last` value of the first metric of the validation split.
    `recipes.search_rate` caches a search, so that the seeds that run in one process search once. Raises
    `DivergedError` where every rate diverges.
    """
    best, tried = choose_learning_rate(
        lambda rate: validation_score(train(rate), score_by), trials=trials, low=low, high=high, rng=rng
    )
    return Search(best, tuple(tried))


def trial_rate(
    trial: Trial, tried: Search | None, search: Callable[[int], Search]
) -> Generator[Measurement, None, float]:
    """The learning rate of a trial; yields how it was chosen. Use as `rate = yield from trial_rate(…)`.

    It is the trial's setting `rate`, which counts as no tuning. Where that is 0 or absent, it is the best of
    those that were `tried` before, or else of `search(trials)`, with as many trials as the setting `tuning`
    says.
    """
    if given := trial.get("rate", 0.0):
        yield Measurement("tuning_trials", 0)
        return float(given)
    found = tried or search(trial.get("tuning", TRIALS))
    yield from found.measurements()
    return found.rate


def choose_learning_rate(
    train: Callable[[float], float],
    *,
    trials: int,
    low: float = LOW,
    high: float = HIGH,
    rng: np.random.Generator,
) -> tuple[float, list[tuple[float, float]]]:
    """The rate with the lowest `train(rate)`, a validation score where lower is better; and all rates tried.

    A diverged trial counts and scores infinity. Raises `DivergedError` where all diverge.
    """
    if trials < 1 or not 0 < low < high:
        raise UsageError(
            f"a search needs 1 trial or more and rates from low to high above 0, found {trials} trials, "
            f"low {low:g} and high {high:g}."
        )
    positions = (np.arange(trials) + rng.random(trials)) / trials
    rates = np.exp(math.log(low) + positions * math.log(high / low))
    tried: list[tuple[float, float]] = []
    for rate in map(float, rates):
        try:
            tried.append((rate, train(rate)))
        except DivergedError:
            tried.append((rate, math.inf))
    best, score = min(tried, key=lambda trial: trial[1])
    if not math.isfinite(score):
        raise DivergedError(f"all of {trials} learning rates from {low:g} to {high:g} diverged.")
    return best, tried


def validation_score(measured: Iterable[Measurement], score_by: ScoreBy = "best") -> float:
    """The best or last value of the first metric of the validation split, signed so that lower is better."""
    found = [one for one in measured if one.split == "valid"]
    if not found:
        raise UsageError("a search needs a training that measures the validation split, found none.")
    scores = [score(one) for one in found if one.metric == found[0].metric]
    return min(scores) if score_by == "best" else scores[-1]


def score(measurement: Measurement) -> float:
    """The value, signed so that lower is better."""
    sign = -1.0 if METRICS[measurement.metric].better == "higher" else 1.0
    return sign * measurement.value
