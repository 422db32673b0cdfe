"""Does the chapter on forecasting compare equal networks on the same windows, and draw its forecasts?"""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from seqlab.errors import DataError
from seqlab.notebook import Measurement, Trial
from seqlab.notebook import discover as pages
from seqlab.tasks import downloads, forecasting

SETTINGS = {
    "lookback": 336, "rate": 0.01, "steps": 2, "batch": 7, "evaluations": 1,
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


def measure(page: ModuleType, asked: Trial) -> list[Measurement]:
    return list(page.run(asked))


def final(measured: list[Measurement], metric: str, split: str = "") -> float:
    return [one.value for one in measured if (one.metric, one.split) == (metric, split)][-1]


def hours(measured: list[Measurement]) -> dict[int, float]:
    return {one.step: one.value for one in measured if one.metric == "forecast"}


@pytest.mark.parametrize("name", ["Transformer", "TCN"])
def test_a_network_is_trained_scored_and_drawn(page: ModuleType, name: str) -> None:
    measured = measure(page, trial(name))
    assert final(measured, "train_steps") == 2
    assert final(measured, "train_examples") == forecasting.load("traffic").valid_from
    assert final(measured, "mse", "test") == final(measured, "sampled_mse", "test") > 0  # of the same windows
    assert list(hours(measured)) == list(range(96))
    assert not hours(measure(page, trial(name, seed=1)))  # the example is of one seed


def test_the_example_is_one_window_of_the_test_months(page: ModuleType) -> None:
    """Repeat-last's forecast is the truth of the hour before, and seasonal-naive's that of a week before."""
    series = forecasting.load("traffic")
    happened = hours(measure(page, trial(page.TRUTH)))
    assert list(happened) == list(range(-48, 96))
    assert set(hours(measure(page, trial("repeat-last"))).values()) == {happened[-1]}
    at = series.example_origin
    assert at % 24 == 0
    assert at in series.origins("test")
    np.testing.assert_array_equal(list(happened.values()), series.values[at - 48 : at + 96, 0])
    week_before = series.values[at - 168 : at - 72, 0]
    np.testing.assert_array_equal(list(hours(measure(page, trial("seasonal-naive"))).values()), week_before)


@pytest.mark.slow
def test_the_statistical_forecast_is_scored_on_the_sample_of_the_others(page: ModuleType) -> None:
    asked = trial(page.STATISTICAL, sample_forecasts=2)
    measured = measure(page, asked)
    assert {one.metric for one in measured} == {"train_examples", "sampled_mse", "forecast"}
    forecast, usual = page.decomposed(asked), forecasting.load("traffic")
    stride = usual.stride("test", 2)
    assert stride == forecast.data.stride("test", 2)
    targets = usual.windows("test", stride=stride).target
    np.testing.assert_array_equal(forecast.data.windows("test", stride=stride).target, targets)
    assert final(measured, "sampled_mse", "test") < np.mean(targets**2)  # better than the mean of training


def test_all_that_have_a_look_back_have_the_same(page: ModuleType) -> None:
    for lookback in (168, 336):
        recipe = trial("DLinear", lookback=lookback).fill(page.Recipe, span=page.Span(lookback, 96))
        assert recipe.data.lookback == recipe.start(0)[0].config.lookback == lookback
        assert page.least_squares(trial("least squares", lookback=lookback)).data.lookback == lookback


def test_only_the_full_budget_asks_for_a_download(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = {
        budget.name: {point.factors["series"] for point in budget.points}
        for budget in page.experiment.budgets
    }
    assert asked["smoke"] == asked["quick"] == set(page.PACKAGED)
    assert asked["full"] == {*page.PACKAGED, "ETTh1"}
    for claim in page.experiment.claims:  # no verdict needs a download
        assert claim.rule.where == {"series": page.PACKAGED}
    unreachable = downloads.Remote("http://127.0.0.1:9/ETTh1.csv", "0" * 64, 1)
    monkeypatch.setattr(downloads, "SETS", {"ETTh1": downloads.DataSet("none", {"ETTh1.csv": unreachable})})
    monkeypatch.setenv(downloads.VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match="by hand"):
        measure(page, trial("Transformer", series="ETTh1"))
