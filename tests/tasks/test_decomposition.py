"""Does the decomposition find a known season, level and decay, each channel separately?"""

import numpy as np
import pytest

from seqlab.tasks import decomposition
from seqlab.tasks.decomposition import SEASON


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def weekly(hours, rng):
    """A season of a week, whatever its shape, repeated."""
    return np.resize(rng.normal(size=SEASON), hours)


def test_a_season_that_repeats_is_forecast_exactly(rng):
    season = 5 + weekly(12 * SEASON, rng)
    history = (season + rng.normal(scale=1e-3, size=season.shape))[:-96]
    np.testing.assert_allclose(decomposition.forecast(history, 96), season[-96:], atol=5e-3)


def test_the_remainder_is_forecast_by_autoregression(rng):
    """A season and an AR(1) of coefficient 0.9: nearer to its conditional mean than last week is."""
    hours, horizon = 26 * SEASON, 48
    season, noise = 2 * weekly(hours, rng), rng.normal(scale=0.3, size=hours)
    rest = np.zeros(hours)
    for t in range(1, hours):
        rest[t] = 0.9 * rest[t - 1] + noise[t]
    history = (season + rest)[:-horizon]
    expected = season[-horizon:] + rest[-horizon - 1] * 0.9 ** np.arange(1, horizon + 1)
    found = decomposition.forecast(history, horizon)
    naive = history[-SEASON : -SEASON + horizon]
    assert np.mean((found - expected) ** 2) < 0.1 * np.mean((naive - expected) ** 2)


def test_every_channel_and_window_is_forecast_separately(rng):
    window = rng.normal(size=(2, 4 * SEASON, 3)).astype(np.float32)
    together = decomposition.predict(window, 24)
    assert together.shape == (2, 24, 3)
    alone = decomposition.forecast(window[1, :, 2].astype(np.float64), 24)
    np.testing.assert_allclose(together[1, :, 2], alone, rtol=1e-5)


def test_a_constant_history_stays_constant():
    np.testing.assert_array_equal(decomposition.forecast(np.full(4 * SEASON, 3.0), 5), np.full(5, 3.0))
