"""Do the baselines reproduce the figures published with the data, and does no window leak?"""

from hashlib import sha256

import mlx.core as mx
import numpy as np
import pytest

from seqlab.errors import DataError, UsageError
from seqlab.models import naive
from seqlab.tasks import downloads, forecasting
from seqlab.tasks.downloads import DataSet, Remote
from seqlab.tasks.forecasting import HORIZON, LOOKBACK, evaluate


@pytest.fixture(scope="module", params=["traffic", "household"])
def series(request):
    return forecasting.load(request.param)


@pytest.fixture(scope="module")
def traffic():
    return forecasting.load("traffic")


# Published with the data, to as many decimals as were published.
PUBLISHED = {
    ("traffic", "repeat_last"): ("2.05", "1.16"),
    ("traffic", "seasonal_naive"): ("0.094", "0.152"),
    ("traffic", "linear"): ("0.063", "0.142"),
    ("household", "repeat_last"): ("1.34", "0.71"),
    ("household", "seasonal_naive"): ("1.09", "0.60"),
    ("household", "linear"): ("0.613", "0.514"),
}


def repeated(season):
    """The last season (hours) again and again; None repeats the last hour."""
    model = naive.Model(naive.Config(lookback=LOOKBACK, horizon=HORIZON, season=season))
    return lambda lookback: np.array(model(mx.array(lookback)))


@pytest.mark.parametrize("baseline", ["repeat_last", "seasonal_naive", "linear"])
def test_baselines_give_the_published_figures(series, baseline):
    predict = {
        "repeat_last": lambda: repeated(None),
        "seasonal_naive": lambda: repeated(series.season),
        "linear": lambda: forecasting.linear(series),
    }[baseline]()
    found = evaluate(predict, series, "test")
    expected = PUBLISHED[series.name, baseline]
    decimals = [len(text.partition(".")[2]) for text in expected]
    assert tuple(f"{value:.{d}f}" for value, d in zip(found, decimals, strict=True)) == expected


def test_windows_are_in_their_split(series):
    for split, first, end in (
        ("train", 0, series.valid_from),
        ("valid", series.valid_from, series.test_from),
        ("test", series.test_from, len(series.values)),
    ):
        origins = series.origins(split)
        assert origins[0] >= first
        assert origins[-1] + HORIZON == end
    assert series.origins("train")[0] == LOOKBACK  # nor does training look back before the beginning


@pytest.mark.parametrize("lookback", [24, 720])
@pytest.mark.parametrize("horizon", [192, 720])
def test_what_is_scored_does_not_depend_on_the_lookback(series, lookback, horizon):
    other = forecasting.load(series.name, lookback=lookback, horizon=horizon)
    usual = forecasting.load(series.name, horizon=horizon)
    for split in ("valid", "test"):
        assert other.origins(split) == usual.origins(split)
        assert other.windows(split).lookback.shape[1:] == (lookback, len(series.columns))
        target = other.windows(split, stride=997).target
        np.testing.assert_array_equal(target, usual.windows(split, stride=997).target)
    assert other.origins("train").start == lookback
    assert other.origins("train").stop + horizon - 1 == other.valid_from


def test_a_stride_has_every_hour_of_the_week(series):
    for forecasts in (7, 100, 1_000):
        stride = series.stride("test", forecasts)
        windows = len(series.origins("test")[::stride])
        assert {hour % 168 for hour in range(0, 168 * stride, stride)} == set(range(168))
        assert 0.7 * forecasts <= windows * len(series.columns) <= 1.1 * forecasts + len(series.columns)
    assert series.stride("test", 0) == series.stride("test", 10**9) == 1


def test_a_window_longer_than_its_split_is_refused(traffic):
    with pytest.raises(UsageError, match="no valid window of lookback 336 and horizon 3000"):
        forecasting.load("traffic", horizon=3_000).windows("valid")


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """Any table in place of ETTh1, as if it had been fetched: 21 months of seven columns."""
    hours = np.random.default_rng(0).normal(size=(21 * 720, 7)).round(3)
    rows = [f"2016-07-01 00:00:00,{','.join(map(str, row))}" for row in hours]
    table = tmp_path / "ETTh1" / "ETTh1.csv"
    table.parent.mkdir()
    table.write_text("\n".join(["date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT", *rows, ""]))
    remote = Remote("http://127.0.0.1:9/ETTh1.csv", sha256(table.read_bytes()).hexdigest(), 1)
    monkeypatch.setattr(downloads, "SETS", {"ETTh1": DataSet("none", {"ETTh1.csv": remote})})
    monkeypatch.setenv(downloads.VARIABLE, str(tmp_path))
    return hours


def test_etth1_is_split_by_months(fetched):
    """12, 4 and 4 months of thirty days, scaled by the first: 2,785 test windows of 96, as is published."""
    series = forecasting.load("ETTh1")
    assert series.columns == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert (series.valid_from, series.test_from, len(series.values)) == (8_640, 11_520, 14_400)
    assert len(series.origins("test")) == 2_785
    first = fetched[:8_640]
    expected = (fetched[11_520] - first.mean(axis=0)) / first.std(axis=0)
    np.testing.assert_allclose(series.windows("test").target[0, 0], expected, atol=1e-5)


def test_etth1_that_cannot_be_downloaded_is_an_error(fetched, monkeypatch, tmp_path):
    monkeypatch.setenv(downloads.VARIABLE, str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match=r"ETTh1\.csv.*put the file there by hand"):
        forecasting.load("ETTh1")


def test_windows_are_what_their_origins_say(series):
    for split in ("train", "valid", "test"):
        windows, origins = series.windows(split, stride=25), series.origins(split)[::25]
        assert len(windows.target) == len(origins)
        for i in (0, len(origins) // 2, len(origins) - 1):
            at = origins[i]
            np.testing.assert_array_equal(windows.lookback[i], series.values[at - LOOKBACK : at])
            np.testing.assert_array_equal(windows.target[i], series.values[at : at + HORIZON])
            np.testing.assert_array_equal(windows.measured[i], series.measured[at : at + HORIZON])


def test_scaling_and_the_linear_fit_see_train_only(rng):
    """Whatever comes after the training part changes neither the training values nor the weights."""
    hours = rng.normal(size=(3_000, 2))
    future = hours.copy()
    future[2_100:] = 100 * rng.normal(size=(900, 2))
    left, right = (
        forecasting.prepare("made", ("a", "b"), season=24, hours=x, fill=forecasting.interpolate)
        for x in (hours, future)
    )
    assert left.valid_from == 2_100
    np.testing.assert_array_equal(left.values[:2_100], right.values[:2_100])
    np.testing.assert_allclose(left.values[:2_100].std(axis=0), 1, rtol=1e-4)
    window = left.windows("train").lookback[:1]
    np.testing.assert_array_equal(forecasting.linear(left)(window), forecasting.linear(right)(window))


def test_linear_equals_least_squares_on_the_windows(rng):
    """The moments are summed by shifting along the series; a product of all windows must agree."""
    noise = rng.normal(size=(1_600, 2)).cumsum(axis=0) * 0.1 + rng.normal(size=(1_600, 2))
    made = forecasting.prepare("made", ("a", "b"), season=24, hours=noise, fill=forecasting.carry_forward)
    windows = made.windows("train")
    inputs = np.moveaxis(windows.lookback, 2, 1).reshape(-1, LOOKBACK).astype(np.float64)
    targets = np.moveaxis(windows.target, 2, 1).reshape(-1, HORIZON).astype(np.float64)
    last = inputs[:, -1:]
    features = np.hstack([inputs[:, :-1] - last, np.ones_like(last)])
    weights = np.linalg.lstsq(features, targets - last, rcond=None)[0]
    expected = (last + features @ weights).reshape(-1, 2, HORIZON)
    found = forecasting.linear(made)(windows.lookback)
    np.testing.assert_allclose(np.moveaxis(found, 2, 1), expected, atol=1e-4)


def test_gaps_are_filled():
    gap = np.array([np.nan, 1.0, np.nan, np.nan, 4.0, np.nan])
    np.testing.assert_allclose(forecasting.interpolate(gap), [1, 1, 2, 3, 4, 4])
    np.testing.assert_allclose(forecasting.carry_forward(gap), [1, 1, 1, 1, 4, 4])


def test_the_series_are_filled_and_marked_where(series):
    missing = {"traffic": 1_012, "household": 2_947}[series.name]
    assert (~series.measured).sum() == missing
    assert np.isfinite(series.values).all()


def test_evaluate_can_leave_filled_hours_out(traffic):
    """Forecasts that are wrong in filled hours only: perfect where it was measured."""
    windows = traffic.windows("test", stride=25)
    wrong = iter(np.split(windows.target + ~windows.measured, range(64, len(windows.target), 64)))
    assert evaluate(lambda _: next(wrong), traffic, "test", stride=25, measured_only=True, batch=64) == (0, 0)
    wrong = iter(np.split(windows.target + ~windows.measured, range(64, len(windows.target), 64)))
    scored = evaluate(lambda _: next(wrong), traffic, "test", stride=25, batch=64)
    assert scored.mse == pytest.approx((~windows.measured).mean(), rel=1e-5)
    assert scored.mse > 0


def test_evaluate_refuses_a_forecast_that_would_broadcast(traffic):
    with pytest.raises(ValueError, match="expected forecasts of shape"):
        evaluate(lambda lookback: lookback[:, -1:], traffic, "test")


def test_batches_repeat_with_the_generator_and_come_from_train(traffic):
    def draw(seed):
        return next(traffic.batches(np.random.default_rng(seed), batch=8))

    (lookback, target), again = draw(1), draw(1)
    np.testing.assert_array_equal(lookback, again[0])
    np.testing.assert_array_equal(target, again[1])
    assert not np.array_equal(lookback, draw(2)[0])
    assert lookback.shape == (8, LOOKBACK, 1)
    assert target.shape == (8, HORIZON, 1)
    train = {window.tobytes() for window in np.ascontiguousarray(traffic.windows("train").target)}
    assert all(window.tobytes() in train for window in target)


def test_an_unknown_series_suggests_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'traffic'"):
        forecasting.load("trafic")


@pytest.fixture
def rng():
    return np.random.default_rng(0)
