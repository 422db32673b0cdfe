"""Are the forecasters as large as each other, and do they forecast what is asked?"""

import mlx.core as mx
import pytest

from seqlab.models.forecasters import FORECASTERS, Span, build
from seqlab.models.sizing import parameters


@pytest.mark.parametrize("lookback", [168, 336, 720])
@pytest.mark.parametrize("horizon", [96, 720])
def test_all_networks_but_dlinear_have_the_transformers_parameters(lookback: int, horizon: int) -> None:
    span = Span(lookback, horizon)
    size = parameters(build("Transformer", span, seed=0))
    for name in FORECASTERS.keys() - {"DLinear"}:
        assert parameters(build(name, span, seed=0)) == pytest.approx(size, rel=0.02), name


def test_every_network_forecasts_every_horizon() -> None:
    window = mx.zeros((2, 168, 7))
    for name in FORECASTERS:
        for horizon in (96, 192):
            assert build(name, Span(168, horizon), seed=0)(window).shape == (2, horizon, 7), name


def test_the_seed_alone_decides_the_weights() -> None:
    window = mx.random.normal((1, 168, 2), key=mx.random.key(0))
    for name in FORECASTERS:
        first, again, other = (build(name, Span(168, 96), seed=seed)(window) for seed in (1, 1, 2))
        assert mx.array_equal(first, again), name
        assert not mx.array_equal(first, other), name
