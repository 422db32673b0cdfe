"""Are ticks round, few, inside the axis and consistently formatted?"""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.charts.ticks import levels_or_ticks, limits, tick_labels, ticks, ticks_across
from seqlab.notebook.figures import Scale


def test_powers_of_two_are_written_out() -> None:
    at = ticks(50, 5000, "log2", most=8)
    assert tick_labels(at, "log2") == ["64", "128", "256", "512", "1,024", "2,048", "4,096"]


def test_many_powers_are_thinned() -> None:
    at = ticks(1e-15, 10, "log10", most=6)
    assert tick_labels(at, "log10")[-1] == "10⁰"
    assert len(at) <= 6
    assert len({round(math.log10(b / a)) for a, b in itertools.pairwise(at)}) == 1


def test_one_decade_has_ones_twos_and_fives() -> None:
    assert tick_labels(ticks(1.5, 60, "log10"), "log10") == ["2", "5", "10", "20", "50"]


def test_linear_labels_share_their_decimals() -> None:
    assert tick_labels([0.0, 0.25, 0.5], "linear") == ["0.00", "0.25", "0.50"]
    assert tick_labels([-1000.0, 0.0, 1000.0], "linear") == ["−1,000", "0", "1,000"]


def test_measured_levels_are_ticks_where_they_are_few_and_apart() -> None:
    assert levels_or_ticks([24, 96, 192, 336], 10, 350, "linear", 6) == [24, 96, 192, 336]
    assert levels_or_ticks([1, 2, 300], 0, 310, "linear", 6) != [1, 2, 300]
    assert levels_or_ticks([64], 32, 128, "log2", 6) == [64]


@pytest.mark.parametrize("scale", ["linear", "log2", "log10"])
@given(low=st.floats(1e-6, 1e6), ratio=st.floats(1.001, 1e6))
def test_some_ticks_all_inside(scale: Scale, low: float, ratio: float) -> None:
    start, end = limits([low, low * ratio], scale)
    at = ticks(start, end, scale)
    assert 1 <= len(at) <= 10
    assert all(start - 1e-9 * abs(end) <= value <= end * (1 + 1e-9) for value in at)
    assert len(set(tick_labels(at, scale))) == len(at)


def test_an_interval_widens_an_axis_at_most_twofold() -> None:
    assert limits([0.0, 1.0], "linear", intervals=[-0.2, 1.1], pad=0.0) == (-0.2, 1.1)
    assert limits([0.0, 1.0], "linear", intervals=[-40.0, 50.0], pad=0.0) == (-0.5, 1.5)
    assert limits([1.0, 100.0], "log10", intervals=[1e-9, 1e9], pad=0.0) == pytest.approx((0.1, 1000.0))
    assert limits([3.0], "linear", intervals=[2.0, 5.0, math.nan], pad=0.0) == (2.0, 5.0)


def test_limits_without_anything_to_show() -> None:
    assert limits([math.nan], "linear") == (0.0, 1.0)
    assert limits([0.0, -1.0], "log10") == (1.0, 10.0)


def test_steps_within_few_decades_are_no_more_than_asked_for() -> None:
    assert ticks(1.5e-7, 1.2e-5, "log10", most=8) == pytest.approx([2e-7, 5e-7, 1e-6, 2e-6, 5e-6, 1e-5])
    assert ticks(1.5e-7, 1.2e-5, "log10", most=5) == pytest.approx([3e-7, 1e-6, 3e-6, 1e-5])


def test_labels_of_a_horizontal_axis_stand_apart() -> None:
    wide, narrow = (ticks_across(1.5e-7, 1.2e-5, "log10", width=width, most=8) for width in (4.0, 1.5))
    assert len(wide) == 6
    assert narrow == pytest.approx([1e-6, 1e-5])
