"""Units with prefixes, and numbers to a few significant digits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.charts.units import display_unit, number, numbers


@pytest.mark.parametrize(
    ("unit", "values", "symbol", "shown"),
    [
        ("s", [0.0012, 0.25], "ms", 250.0),
        ("s", [4e-6], "µs", 4.0),
        ("s", [90.0], "s", 90.0),
        ("s", [600.0], "min", 10.0),
        ("s", [7200.0, 36000.0], "h", 10.0),
        ("B", [3.2e6], "MB", 3.2),
        ("FLOP", [2e12], "TFLOP", 2.0),
        ("FLOP/s", [2.37e11], "GFLOP/s", 237.0),
        ("B/s", [3.5e10], "GB/s", 35.0),
        ("", [4096.0], "", 4096.0),
        ("", [404_000.0], "thousand", 404.0),
        ("nat", [1e-5], "nat", 1e-5),
    ],
)
def test_prefix_fits_the_largest_value(unit: str, values: list[float], symbol: str, shown: float) -> None:
    chosen = display_unit(unit, values)
    assert chosen.symbol == symbol
    assert chosen.of(max(values)) == pytest.approx(shown)


def test_logarithmic_axis_is_read_by_its_middle() -> None:
    assert display_unit("s", [1e-6, 1.0], "log10").symbol == "ms"


@pytest.mark.parametrize("values", [[], [0.0], [math.nan], [math.inf]])
def test_without_a_size_the_base_unit_stays(values: list[float]) -> None:
    assert display_unit("B", values).symbol == "B"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.09431, "0.0943"),
        (1234.0, "1,234"),
        (1234.5, "1,230"),
        (0.9, "0.9"),
        (-2.345, "−2.35"),
        (2.5e-7, "2.5×10⁻⁷"),
        (-2.5e-7, "−2.5×10⁻⁷"),
        (12_345_678.0, "1.23×10⁷"),
        (0.0, "0"),
        (math.nan, "–"),
        (9.999, "10"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_number_is_within_half_a_unit_of_its_third_digit(value: float) -> None:
    text = number(value).replace(",", "").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert float(text.replace("×10", "e")) == pytest.approx(value, rel=5.01e-3)


def test_numbers_below_each_other_have_as_many_decimals() -> None:
    assert numbers([0.9, 0.951, math.nan]) == ["0.900", "0.951", "–"]
    assert numbers([58.0, 939.0]) == ["58", "939"]
    assert numbers([0.0021, 12.5]) == ["0.0021", "12.5"]
