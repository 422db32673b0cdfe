"""Is the learning rate what it should be at each step, and is it chosen as fairly for every model?"""

import itertools
import math
from collections.abc import Generator, Iterator

import numpy as np
import pytest

from seqlab.errors import DivergedError, UsageError
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.training.rates import (
    TRIALS,
    ScoreBy,
    Search,
    choose_learning_rate,
    constant_part,
    rate_at,
    search_learning_rate,
    trial_rate,
    validation_score,
    with_fall,
)


def test_the_rate_rises_stays_and_falls() -> None:
    schedule = {"peak": 0.1, "warmup_steps": 10, "constant_steps": constant_part(100), "steps": 100}
    rates = [rate_at(step, **schedule) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([0.01 * step for step in range(1, 11)])
    assert rates[10:80] == [0.1] * 70
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[79:]))
    assert 0 < rates[-1] < 0.05 * 0.1
    assert 0 < rate_at(1, peak=0.1, warmup_steps=0, constant_steps=1, steps=1) <= 0.1


@pytest.mark.parametrize("steps", [1, 2, 7, 10, 140, 6_000])
def test_the_fall_takes_a_fifth_of_whatever_was_trained(steps: int) -> None:
    constant = constant_part(steps)
    assert 1 <= constant <= steps
    assert with_fall(constant) == pytest.approx(steps, abs=1)
    assert with_fall(40) == 50


def test_the_learning_rate_is_chosen_on_an_even_budget() -> None:
    def train(rate: float) -> float:
        if rate > 0.05:
            raise DivergedError("loss is nan: the trial diverged.")
        return abs(np.log(rate / 0.003))

    rng = np.random.default_rng(0)
    best, tried = choose_learning_rate(train, trials=12, low=1e-4, high=1e-1, rng=rng)
    assert best == pytest.approx(0.003, rel=1.0)
    assert len(tried) == 12
    edges = np.geomspace(1e-4, 1e-1, 13)
    parts = zip(tried, itertools.pairwise(edges), strict=True)
    assert all(low <= rate <= high for (rate, _), (low, high) in parts)
    assert [score for rate, score in tried if rate > 0.05] == [float("inf")] * 2


def test_no_learning_rate_at_all_is_an_error() -> None:
    def train(rate: float) -> float:
        raise DivergedError("loss is nan: the trial diverged.")

    with pytest.raises(DivergedError, match="all of 3"):
        choose_learning_rate(train, trials=3, rng=np.random.default_rng(0))


@pytest.mark.parametrize("options", [{"trials": 0}, {"trials": 2, "low": 0.0}, {"trials": 2, "low": 1.0}])
def test_a_search_without_rates_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="a search needs 1 trial or more and rates"):
        choose_learning_rate(lambda rate: 0.0, rng=np.random.default_rng(0), **options)


def training(rate: float) -> Iterator[Measurement]:
    """Its accuracy on validation is best at 0.003, and in the middle of the training; large rates diverge."""
    good = 1.0 - abs(math.log10(rate / 0.003)) / 4
    for step, share in ((1, 0.5), (2, 1.0), (3, 0.7)):
        yield Measurement("loss", 9.0, split="train", step=step)
        yield Measurement("accuracy", share * good, split="valid", step=step)
        yield Measurement("loss", rate, split="valid", step=step)  # chooses nothing: it is the second
        if rate > 0.05:
            raise DivergedError("loss is nan: the trial diverged.")
    yield Measurement("accuracy", 1.0 - share * good, split="test")  # nor does the test split


def test_a_search_trains_at_each_rate_and_is_stored() -> None:
    search = search_learning_rate(training, rng=np.random.default_rng(0))
    assert len(search.tried) == TRIALS
    assert search.rate == min(search.tried, key=lambda tried: abs(math.log(tried[0] / 0.003)))[0]
    assert dict(search.tried)[search.rate] == pytest.approx(-1.0, abs=0.05)
    found = list(search.measurements())
    assert found[:2] == [Measurement("learning_rate", search.rate), Measurement("tuning_trials", TRIALS)]
    rates = {one.step: one.value for one in found if one.metric == "tried_rate"}
    scores = {one.step: one.value for one in found if one.metric == "tuning_score"}
    assert list(rates.items()) == list(enumerate((rate for rate, _ in search.tried), start=1))
    # Those that diverged have no score, but count.
    assert {step: (rates[step], score) for step, score in scores.items()} == {
        step: tried for step, tried in enumerate(search.tried, start=1) if tried[0] <= 0.05
    }
    assert 0 < len(scores) < 12


def test_a_search_repeats_itself() -> None:
    one, two, other = (search_learning_rate(training, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize(("score_by", "share"), [("best", 1.0), ("last", 0.7)])
def test_a_training_is_scored_by_its_best_or_its_last_evaluation(score_by: ScoreBy, share: float) -> None:
    assert validation_score(training(0.003), score_by) == pytest.approx(-share)


def test_a_search_needs_validation() -> None:
    with pytest.raises(UsageError, match="measures the validation split, found none"):
        search_learning_rate(lambda rate: [Measurement("loss", rate)], rng=np.random.default_rng(0))


def ended(choosing: Generator[Measurement, None, float]) -> tuple[float, list[Measurement]]:
    """What a generator returned, and what it yielded."""
    yielded = []
    while True:
        try:
            yielded.append(next(choosing))
        except StopIteration as end:
            return end.value, yielded


@pytest.mark.parametrize(
    ("settings", "before", "rate", "trials"),
    [
        ({"rate": 0.0}, Search(0.01, ((0.01, 1.0),) * 3), 0.01, 3),
        ({"rate": 0.5}, Search(0.01, ((0.01, 1.0),) * 3), 0.5, 0),  # a rate from nowhere is no tuned one
        ({"rate": 0.5, "tuning": 4}, None, 0.5, 0),
        ({"rate": 0.0, "tuning": 4}, None, 0.2, 4),
        ({}, None, 0.2, TRIALS),
    ],
)
def test_a_trial_takes_the_rate_asked_for_or_the_best_of_those_tried_or_searches(
    settings: dict[str, float], before: Search | None, rate: float, trials: int
) -> None:
    trial = Trial("page", {}, 0, "quick", settings)
    found, measured = ended(trial_rate(trial, before, lambda trials: Search(0.2, ((0.2, 1.0),) * trials)))
    assert found == rate
    assert [one.value for one in measured if one.metric == "tuning_trials"] == [trials]
