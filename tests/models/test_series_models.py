"""Forecasters of whole windows: the equations of the inverted Transformer, and naive forecasts."""

import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.models import gru, heads, inverted_transformer, naive
from seqlab.models.sizing import parameters

LOOKBACK, HORIZON = 13, 5


def inverted(**sizes) -> inverted_transformer.Model:
    return inverted_transformer.Model(
        inverted_transformer.Config(
            lookback=LOOKBACK, horizon=HORIZON, **{"width": 6, "depth": 2, "heads": 2, **sizes}
        )
    )


@pytest.mark.parametrize("channels", [1, 3, 7])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_number_of_channels_is_free(batch: int, channels: int) -> None:
    forecast = inverted()(mx.random.normal((batch, LOOKBACK, channels)))
    assert forecast.shape == (batch, HORIZON, channels)
    assert mx.isfinite(forecast).all().item()


def test_channels_interact_and_examples_do_not(randomised) -> None:
    model, window = randomised(inverted()), mx.random.normal((2, LOOKBACK, 3))
    changed = mx.array(np.array(window))
    changed[0, :, 2] = mx.random.normal((LOOKBACK,))
    difference = np.abs(np.array(model(changed) - model(window))).max(axis=1)
    assert (difference[0] > 1e-3).all()
    np.testing.assert_allclose(difference[1], 0, atol=1e-5)


def test_it_follows_its_equations(randomised) -> None:
    """One block by the float64 equations, around the attention and MLP of `parts.attention`."""
    model, window = randomised(inverted(depth=1)), mx.random.normal((2, LOOKBACK, 3))
    block = model.blocks[0]

    def linear(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
        return x @ np.array(layer.weight, np.float64).T + np.array(layer.bias, np.float64)

    def norm(layer: nn.LayerNorm, x: np.ndarray) -> np.ndarray:
        z = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.eps)
        return z * np.array(layer.weight, np.float64) + np.array(layer.bias, np.float64)

    expected = []
    for series in np.array(window, np.float64):
        mean, deviation = series.mean(0), np.sqrt(series.var(0) + 1e-5)
        x = linear(model.to_width, ((series - mean) / deviation).T)  # one row per variate
        q, k, v = np.split(linear(block.attention.to_qkv, norm(block.attention_norm, x)), 3, axis=1)
        joined = np.empty_like(x)
        for own in (slice(0, 3), slice(3, 6)):
            for variate in range(3):
                scores = np.exp(k[:, own] @ q[variate, own] / math.sqrt(3))
                joined[variate, own] = scores / scores.sum() @ v[:, own]
        x = x + linear(block.attention.to_output, joined)
        x = x + np.array(block.mlp(mx.array(x.astype(np.float32))[None])[0], np.float64)
        expected.append(linear(model.to_forecast, norm(model.norm, x)).T * deviation + mean)
    np.testing.assert_allclose(model(window), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("how", "scale"), [("mean_std", 4.0), ("last", 1.0)])
def test_a_forecast_follows_shift_and_scale_of_the_window(how: str, scale: float) -> None:
    model, window = inverted(normalisation=how), mx.random.normal((2, LOOKBACK, 3))
    moved = model(window * scale + 10)
    np.testing.assert_allclose(moved, model(window) * scale + 10, rtol=1e-3, atol=1e-3)


def forecast(window: mx.array, season: int | None) -> np.ndarray:
    config = naive.Config(lookback=window.shape[1], horizon=HORIZON, season=season)
    return np.array(naive.Model(config)(window))


@pytest.mark.parametrize("season", [None, 1, 2, 3, HORIZON, 7, LOOKBACK])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_naive_forecast_continues_the_series_by_its_season(season: int | None, channels: int) -> None:
    window = mx.random.normal((2, LOOKBACK, channels))
    series = [np.array(window[:, t]) for t in range(LOOKBACK)]
    for _ in range(HORIZON):
        series.append(series[-(season or 1)])
    np.testing.assert_array_equal(forecast(window, season), np.stack(series[LOOKBACK:], axis=1))


def test_a_periodic_series_is_forecast_without_error() -> None:
    t = np.arange(LOOKBACK + HORIZON)
    series = mx.array((t % 4).astype(np.float32))[None, :, None]
    np.testing.assert_array_equal(forecast(series[:, :LOOKBACK], 4), series[:, LOOKBACK:])


def test_naive_forecasts_have_no_parameters() -> None:
    assert parameters(naive.Model(naive.Config(lookback=LOOKBACK, horizon=HORIZON))) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: naive.Config(lookback=9, horizon=4, season=10), "must hold a season of 10 steps, found 9"),
        (lambda: naive.Config(lookback=9, horizon=4, season=0), "season must be 1 or more"),
        (lambda: naive.Config(lookback=9, horizon=0), "horizon must be 1 or more"),
        (lambda: inverted(heads=4), "heads must divide width"),
        (lambda: inverted(depth=0), "depth must be 1 or more"),
    ],
)
def test_an_impossible_config_is_an_error(make, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.usefixtures("as_users_have_it")
def test_a_wrong_normalisation_or_input_is_an_error() -> None:
    with pytest.raises(UsageError, match="Did you mean 'mean_std'"):
        inverted(normalisation="mean_sd")
    for model in (inverted(), naive.Model(naive.Config(lookback=LOOKBACK, horizon=1))):
        with pytest.raises(UsageError, match="sequences of 13 steps, found 12"):
            model(mx.zeros((2, 12, 3)))


def test_a_forecast_may_read_every_step(randomised) -> None:
    """One linear layer over the concatenated outputs of all steps."""
    backbone = gru.Model(gru.Config(6))
    model = randomised(
        heads.Forecaster(backbone, lookback=12, horizon=4, segment=3, normalisation="none", reads="all")
    )
    window = mx.random.normal((2, 12, 1))
    read = model.norm(backbone(model.to_body(window.reshape(2, 4, 3))))
    expected = np.array(read).reshape(2, -1) @ np.array(model.to_forecast.weight).T
    expected += np.array(model.to_forecast.bias)
    np.testing.assert_allclose(np.array(model(window))[:, :, 0], expected, atol=1e-5)
