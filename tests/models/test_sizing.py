"""Counting parameters and finding the size that matches a count."""

import mlx.core as mx
import mlx.nn as nn
import pytest

from seqlab.errors import UsageError
from seqlab.models import dlinear, lstm, transformer
from seqlab.models.sizing import match_parameters, parameters


def lstm_of(hidden: int) -> nn.Module:
    return lstm.Model(lstm.Config(16, hidden=hidden))


def test_parameters_by_hand() -> None:
    assert parameters(nn.Linear(5, 3)) == 5 * 3 + 3
    # W (4H × D), U (4H × H), b (4H), projection (D × H + D)
    assert parameters(lstm_of(5)) == 4 * 5 * 16 + 4 * 5 * 5 + 4 * 5 + 16 * 5 + 16
    d = 8  # per block: QKV and output 4 d² + 4 d, two norms 4 d, MLP 8 d² + 5 d
    assert parameters(transformer.Model(transformer.Config(d, depth=3, heads=2))) == 3 * (12 * d * d + 13 * d)


def test_a_fixed_matrix_is_not_a_parameter() -> None:
    assert parameters(dlinear.Model(dlinear.Config(lookback=30, horizon=4))) == 2 * 30 * 4 + 4


def test_counting_evaluates_nothing() -> None:
    model = lstm.Model(lstm.Config(64))
    before = mx.get_active_memory()
    parameters(model)
    assert mx.get_active_memory() == before


@pytest.mark.parametrize("multiple", [1, 4])
def test_the_match_is_the_nearest(multiple: int) -> None:
    target = parameters(lstm_of(60)) + 99
    found = match_parameters(lstm_of, target, low=1, high=200, multiple=multiple)
    sizes = range(multiple, 201, multiple)
    assert found == min(sizes, key=lambda size: abs(parameters(lstm_of(size)) - target))


def test_an_exact_match_is_found_at_either_end() -> None:
    for hidden in (40, 60):
        assert match_parameters(lstm_of, parameters(lstm_of(hidden)), low=40, high=60) == hidden


@pytest.mark.parametrize(("low", "high", "multiple"), [(1, 20, 1), (100, 200, 1), (50, 70, 64)])
def test_no_match_within_two_percent_is_an_error(low: int, high: int, multiple: int) -> None:
    with pytest.raises(UsageError, match="within 2 %"):
        match_parameters(lstm_of, 20_000, low=low, high=high, multiple=multiple)


def test_an_empty_range_is_an_error() -> None:
    with pytest.raises(UsageError, match="no multiple of 64"):
        match_parameters(lstm_of, 20_000, low=65, high=70, multiple=64)
