"""Does a column of a table have one unit and equally many decimals, and lose no small number?"""

import math

from seqlab.document.columns import NO_BREAK, Cell, headed, unit_of, written

NONE = (math.nan, math.nan)


def texts(values: list[float], unit: str = "") -> list[str]:
    cells = {place: Cell(value, *NONE) for place, value in enumerate(values)}
    return [*written(cells, unit_of(cells.values(), unit)).values()]


def test_a_column_has_one_unit_which_its_head_names() -> None:
    cells = [Cell(value, *NONE) for value in (0.88e-3, 910e-6, 0.93e-3)]
    assert headed("Time", unit_of(cells, "s")) == "Time (µs)"
    assert texts([0.88e-3, 910e-6, 12e-3], "s") == ["0.88", "0.91", "12.00"]
    assert headed("Accuracy", unit_of([Cell(0.5, *NONE)], "")) == "Accuracy"


def test_decimals_are_equal_and_suffice_for_the_smallest() -> None:
    assert texts([0.5, 0.25, 0.123]) == ["0.500", "0.250", "0.123"]
    assert texts([120.0, 8.25]) == ["120.0", "8.2"]
    assert texts([1.0, 4096.0]) == ["1", "4,096"]
    assert texts([-0.5, 0.0]) == ["−0.500", "0.000"]


def test_numbers_far_apart_keep_their_own_digits() -> None:
    assert texts([3.1e-7, 12.5]) == ["3.1 × 10⁻⁷", "12.5"]
    assert texts([0.0, math.nan]) == ["0", "undefined"]


def test_an_interval_stays_on_one_line_and_has_the_column_s_decimals() -> None:
    cells = {"a": Cell(0.34, 0.31, 0.38), "b": Cell(0.5, *NONE), "c": Cell(0.25, 0.25, 0.25)}
    found = written(cells, unit_of(cells.values(), ""))
    assert found == {"a": f"0.340 [0.310,{NO_BREAK}0.380]", "b": "0.500", "c": "0.250"}


def test_counts_stay_plain_numbers() -> None:
    assert headed("Parameters", unit_of([Cell(65_000, *NONE)], "")) == "Parameters"
    assert texts([65_000.0, 1_250_000.0]) == ["65,000", "1,250,000"]
