"""Does the chapter on forecasting compare equals, on the same windows, and draw what it forecast?"""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from seqlab.errors import DataError
from seqlab.models.sizing import parameters
from seqlab.notebook import Measurement, Trial
from seqlab.notebook import discover as pages
from seqlab.tasks import downloads, forecasting

SETTINGS = {
    "lookback": 336, "rate": 0.0, "steps": 2, "batch": 7, "evaluations": 1,
    "valid_forecasts": 7, "test_forecasts": 7, "sample_forecasts": 7,
}  # fmt: skip


@pytest.fixture(scope="module")
def page() -> ModuleType:
    path = Path(__file__).parents[2] / "experiments" / "timeseries.py"
    return pages._module(path)  # its functions, which `load` leaves out


def trial(model: str, *, series: str = "traffic", seed: int = 0, **changes) -> Trial:
    horizon = changes.pop("horizon", 96)
    factors = {"series": series, "horizon": horizon, "model": model}
    return Trial("timeseries", factors, seed, "smoke", SETTINGS | changes)


def told(page: ModuleType, asked: Trial) -> list[Measurement]:
    return list(page.run(asked))


def final(measured: list[Measurement], metric: str, split: str = "") -> float:
    return [one.value for one in measured if (one.metric, one.split) == (metric, split)][-1]


def hours(measured: list[Measurement]) -> dict[int, float]:
    return {one.step: one.value for one in measured if one.metric == "forecast"}


@pytest.mark.parametrize("lookback", [168, 336, 720])
@pytest.mark.parametrize("horizon", [96, 720])
def test_all_networks_but_the_linear_one_have_the_transformers_parameters(
    page: ModuleType, lookback: int, horizon: int
) -> None:
    span = page.Span(lookback, horizon)
    size = parameters(page.network("Transformer", span, 0))
    for name in page.MATCHED:
        assert parameters(page.network(name, span, 0)) == pytest.approx(size, rel=0.02), name


def test_every_network_forecasts_every_horizon(page: ModuleType) -> None:
    window = np.zeros((2, 168, 7), np.float32)
    for name in page.NETWORKS:
        for horizon in (96, 192):
            predict = page.predictor(page.network(name, page.Span(168, horizon), 0))
            assert predict(window).shape == (2, horizon, 7), name


@pytest.mark.parametrize("name", ["Transformer", "TCN"])
def test_a_network_is_trained_scored_and_drawn(page: ModuleType, name: str) -> None:
    measured = told(page, trial(name))
    assert final(measured, "train_steps") == 2
    assert final(measured, "train_examples") == forecasting.load("traffic").valid_from
    assert final(measured, "mse", "test") == final(measured, "sampled_mse", "test") > 0  # of the same windows
    assert list(hours(measured)) == list(range(96))
    assert not hours(told(page, trial(name, seed=1)))  # one seed is drawn


def test_what_is_drawn_is_one_window_of_the_test_months(page: ModuleType) -> None:
    """Repeat-last's forecast is the truth of the hour before, and seasonal-naive's that of a week before."""
    series = forecasting.load("traffic")
    happened = hours(told(page, trial(page.TRUTH)))
    assert list(happened) == list(range(-48, 96))
    assert set(hours(told(page, trial("repeat-last"))).values()) == {happened[-1]}
    at = page.drawn_origin(series)
    assert at % 24 == 0
    assert at in series.origins("test")
    np.testing.assert_array_equal(list(happened.values()), series.values[at - 48 : at + 96, 0])
    week_before = series.values[at - 168 : at - 72, 0]
    np.testing.assert_array_equal(list(hours(told(page, trial("seasonal-naive"))).values()), week_before)


@pytest.mark.slow
def test_the_statistical_forecast_is_scored_on_the_sample_of_the_others(page: ModuleType) -> None:
    asked = trial(page.STATISTICAL, sample_forecasts=2)
    measured = told(page, asked)
    assert {one.metric for one in measured} == {"train_examples", "sampled_mse", "forecast"}
    forecast, usual = page.decomposed(asked), forecasting.load("traffic")
    stride = usual.stride("test", 2)
    assert stride == forecast.data.stride("test", 2)
    targets = usual.windows("test", stride=stride).target
    np.testing.assert_array_equal(forecast.data.windows("test", stride=stride).target, targets)
    assert final(measured, "sampled_mse", "test") < np.mean(targets**2)  # better than the mean of training


def test_the_validation_months_choose_the_look_back(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {168: 0.3, 336: 0.2, 720: 0.25}
    seen = []

    def fit(model, loss, **settings):
        lookback = model.config.lookback
        seen.append((lookback, settings["learning_rate"]))
        yield Measurement("mse", scores[lookback], "valid", 1)
        yield Measurement("mse", 1.0 - scores[lookback], "test", 1)

    monkeypatch.setattr(page, "fit", fit)
    page.best_lookback.cache_clear()
    assert page.best_lookback(page.lesson_of(trial("DLinear"), 336), 0.01) == 336
    assert seen == [(lookback, 0.01) for lookback in page.LOOKBACKS]
    page.best_lookback.cache_clear()


def test_least_squares_too_may_choose_its_look_back(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "LOOKBACKS", (24, 48, 168))
    valid = {
        lookback: forecasting.evaluate(forecasting.linear(series), series, "valid").mse
        for lookback in page.LOOKBACKS
        for series in [forecasting.load("traffic", lookback=lookback)]
    }
    chosen = page.least_squares(trial("least squares", lookback=0))
    assert chosen.data.lookback == min(valid, key=valid.__getitem__)
    assert page.least_squares(trial("least squares", lookback=24)).data.lookback == 24


def test_only_the_full_budget_asks_for_what_must_be_fetched(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = {
        budget.name: {point.factors["series"] for point in budget.points}
        for budget in page.experiment.budgets
    }
    assert asked["smoke"] == asked["quick"] == set(page.AT_HAND)
    assert asked["full"] == {*page.AT_HAND, "ETTh1"}
    for claim in page.experiment.claims:  # no verdict waits for a network
        assert claim.rule.where == {"series": page.AT_HAND}
    unreachable = downloads.Remote("http://127.0.0.1:9/ETTh1.csv", "0" * 64, 1)
    monkeypatch.setattr(downloads, "SETS", {"ETTh1": downloads.DataSet("none", {"ETTh1.csv": unreachable})})
    monkeypatch.setenv(downloads.VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match="by hand"):
        told(page, trial("Transformer", series="ETTh1"))
