"""Where two costs cross is found exactly for powers, and None where they do not cross."""

import pytest

from seqlab.errors import UsageError
from seqlab.measure.crossover import crossover

SIZES = (32, 64, 128, 256)


def power(exponent: float, scale: float = 1.0) -> dict[int, float]:
    return {size: scale * size**exponent for size in SIZES}


@pytest.mark.parametrize("place", [33.0, 64.0, 100.0, 255.0])
def test_two_powers_cross_where_they_are_equal(place: float) -> None:
    linear, square = power(1, scale=place), power(2)
    assert crossover(linear, square) == pytest.approx(place)
    assert crossover(square, linear) == pytest.approx(place)


def test_no_crossing_in_range_is_none() -> None:
    assert crossover(power(1, scale=1000.0), power(2)) is None
    assert crossover(power(1), power(1, scale=2.0)) is None


def test_the_last_of_several_counts() -> None:
    wave = dict(zip(SIZES, (0.5, 2.0, 2.0, 0.5), strict=True))
    found = crossover(wave, power(0))
    assert found == pytest.approx((128 * 256) ** 0.5)


def test_a_touch_is_no_crossing_unless_it_goes_on() -> None:
    level = power(0)
    assert crossover(dict(zip(SIZES, (2.0, 1.0, 2.0, 2.0), strict=True)), level) is None
    assert crossover(dict(zip(SIZES, (2.0, 1.0, 0.5, 0.5), strict=True)), level) == pytest.approx(64)


@pytest.mark.parametrize(("left", "right"), [({}, {}), ({1: 1.0}, {2: 1.0}), ({1: 0.0}, {1: 1.0})])
def test_sides_that_cannot_be_compared_are_refused(left: dict[int, float], right: dict[int, float]) -> None:
    with pytest.raises(UsageError, match="at the same sizes"):
        crossover(left, right)
