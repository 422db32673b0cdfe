"""In which unit, and with how many digits, is a number shown?

Values are stored in base units (s, B, FLOP, FLOP/s). A chart shows all of its values in one display unit with
an SI prefix: 1 MB is 10⁶ bytes.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seqlab.notebook.figures import Scale


@dataclass(frozen=True)
class Unit:
    """A display unit; `size` is the number of base units in one of it."""

    symbol: str
    size: float = 1.0

    def of(self, value: float) -> float:
        """A value in base units, expressed in this unit."""
        return value / self.size


_SI = (("", 1e0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18))
_LADDERS: dict[str, tuple[Unit, ...]] = {
    "s": (
        Unit("ns", 1e-9),
        Unit("µs", 1e-6),
        Unit("ms", 1e-3),
        Unit("s"),
        Unit("min", 60.0),
        Unit("h", 3600.0),
    ),
    **{
        base: tuple(Unit(prefix + base, size) for prefix, size in _SI)
        for base in ("B", "B/s", "FLOP", "FLOP/s")
    },
    # Counts: a word is clearer than a bare prefix.
    "": (Unit(""), Unit("thousand", 1e3), Unit("million", 1e6), Unit("billion", 1e9)),
}
# The smallest value for which a unit is used: 90 s stay seconds, and 4,096 stays a plain count.
_LEAST = {"min": 3.0, "h": 3.0, "thousand": 10.0}


def display_unit(unit: str, values: Iterable[float], scale: Scale = "linear") -> Unit:
    """The display unit for values in base units; units without prefixes (nat, bit) stay themselves.

    The largest value decides on a linear axis, the geometric middle on a logarithmic one.
    """
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    ladder = _LADDERS.get(unit)
    if ladder is None or not sizes:
        return Unit(unit)
    typical = max(sizes) if scale == "linear" else math.sqrt(min(sizes) * max(sizes))
    fitting = [step for step in ladder if typical >= step.size * _LEAST.get(step.symbol, 1.0)]
    return fitting[-1] if fitting else ladder[0]


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(exponent: int) -> str:
    """`10⁻³`, in plain Unicode."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def number(value: float, *, digits: int = 3) -> str:
    """A value to `digits` significant digits: `0.0943`, `1,230`, `2.5×10⁻⁷`.

    Trailing zeros are dropped, and integers below a million keep all of their digits.
    """
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace("-", "−")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if not -4 <= int(exponent) < 6:
        return f"{_trimmed(mantissa)}×{power_of_ten(int(exponent))}".replace("-", "−")
    places = max(digits - 1 - int(exponent), 0)
    shown = round(value, digits - 1 - int(exponent))
    return _trimmed(f"{shown:,.{places}f}").replace("-", "−")


def numbers(values: Sequence[float], *, digits: int = 3) -> list[str]:
    """Values for a column: with equally many decimals, unless they differ more than a hundredfold."""
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    whole = all(size == int(size) for size in sizes)
    if not sizes or whole or max(sizes) > 100 * min(sizes) or not 1e-3 <= max(sizes) < 1e6:
        return [number(value, digits=digits) for value in values]
    places = max(digits - 1 - math.floor(math.log10(max(sizes))), 0)
    return [f"{v:,.{places}f}".replace("-", "−") if math.isfinite(v) else number(v) for v in values]


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
