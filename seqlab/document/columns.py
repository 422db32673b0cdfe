"""How does a column of numbers read? In one unit, which its head names, with equally many decimals.

A column whose numbers lie so far apart that equal decimals would hide the small ones gives each its digits.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from seqlab.charts.units import Unit, display_unit
from seqlab.document.numbers import significant

DIGITS = 3  # of the largest number
FAR = 1e3  # times: numbers further apart have no decimals in common
WORDS = ("thousand", "million", "billion")  # units that a table does not need
NO_BREAK = "\u00a0"

_Key = TypeVar("_Key")


class Cell(NamedTuple):
    """An estimate and its interval, in base units; NaN where there is none."""

    estimate: float
    low: float
    high: float

    @property
    def bounded(self) -> bool:
        """Whether there is an interval to show."""
        return math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high


def unit_of(cells: Iterable[Cell], unit: str) -> Unit:
    """The unit in which all of these cells are written."""
    chosen = display_unit(unit, [cell.estimate for cell in cells], "log10")
    return Unit(unit) if chosen.symbol in WORDS else chosen


def written(cells: Mapping[_Key, Cell], unit: Unit) -> dict[_Key, str]:
    """Each cell as text, without the unit: `0.34 [0.31, 0.38]`, whose interval stays on one line."""
    parts = [part / unit.size for cell in cells.values() for part in (cell if cell.bounded else cell[:1])]
    decimals = _decimals(parts)

    def shown(value: float) -> str:
        value /= unit.size
        if decimals is None or not math.isfinite(value):
            return significant(value)
        return f"{value if round(value, decimals) else 0.0:,.{decimals}f}".replace("-", "−")

    return {
        key: f"{shown(cell.estimate)} [{shown(cell.low)},{NO_BREAK}{shown(cell.high)}]"
        if cell.bounded
        else shown(cell.estimate)
        for key, cell in cells.items()
    }


def _decimals(values: Iterable[float]) -> int | None:
    """How many decimals all values have in common; None where they lie too far apart."""
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    if all(float(size).is_integer() for size in sizes):
        return 0 if not sizes or max(sizes) < 1e9 else None
    most, least = max(sizes), min(sizes)
    if most / least > FAR or not 1e-3 <= most < 1e6:
        return None
    # As many as the largest needs, and more where the smallest would have a single digit.
    return max(DIGITS - 1 - math.floor(math.log10(most)), min(1 - math.floor(math.log10(least)), 3), 0)


def headed(title: str, unit: Unit) -> str:
    """The head of a column: `Time per training step (ms)`."""
    return f"{title} ({unit.symbol})" if unit.symbol else title
