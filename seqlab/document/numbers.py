"""How is a number formatted? Three significant digits, a unit, and decimals that match its interval.

The text is plain Unicode, because the PDF standard that the report meets (PDF/UA) refuses inline mathematics.
Prefixes are decimal, for bytes too: 1 MB is 1,000,000 B.
"""

import math

from seqlab.notebook.claims import Exact, Ratio, Rule, Slope
from seqlab.notebook.metrics import metric_named

PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
PREFIXED_UNITS = {"s": range(-9, 1), **dict.fromkeys(("B", "B/s", "FLOP", "FLOP/s"), range(16))}
TINY = 1e-300  # below, powers of ten leave the range of floats
WIDE = 100  # times the lower bound: decimals that suit the upper bound would round the lower one to zero
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def fixed(value: float, decimals: int) -> str:
    """Round to `decimals` places (negative ones round tens), with grouping and a true minus sign."""
    rounded = round(value, decimals)
    if rounded == 0:
        rounded = 0.0  # never "−0"
    return f"{rounded:,.{max(decimals, 0)}f}".replace("-", "−")


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value))) if abs(value) > TINY else 0


def significant(value: float, digits: int = 3) -> str:
    """`0.0314`, `58`, `12,300`, `3.1 × 10⁻⁷`; whole numbers below a million are shown whole."""
    if not math.isfinite(value):
        return "−∞" if value == -math.inf else "∞" if value == math.inf else "undefined"
    if float(value).is_integer() and abs(value) < 1e6:
        return fixed(value, 0)
    power = _magnitude(value)
    if -4 < power < 6:
        text = fixed(value, digits - 1 - power)
        return text.rstrip("0").rstrip(".") if "." in text else text
    factor = fixed(value / 10.0**power, digits - 1).rstrip("0").rstrip(".")
    return f"{factor} × 10{str(power).translate(SUPERSCRIPTS)}"


def two_digits(value: float) -> str:
    """Two digits, also where the second is a zero: `2.0`, `0.68`, `13`; near one two decimals, `1.04`."""
    if value == 0 or not math.isfinite(value) or not -3 < (power := _magnitude(float(f"{value:.1e}"))) < 6:
        return significant(value, 2)
    return fixed(value, 2 if 0.9 < value < 1.1 else max(0, 1 - power))


def _scale(value: float, unit: str) -> tuple[float, str]:
    """The divisor and the prefixed unit that bring `value` between 1 and 1,000 where they can."""
    if unit not in PREFIXED_UNITS or value == 0 or not math.isfinite(value):
        return 1.0, unit
    allowed = [power for power in PREFIXES if power in PREFIXED_UNITS[unit]]
    power = min(max(3 * (_magnitude(value) // 3), allowed[0]), allowed[-1])
    return 10.0**power, PREFIXES[power] + unit


def number(value: float, unit: str = "") -> str:
    """A value with its unit: `12.3 ms`, `727 MB`, `0.34`, `1.2 nat`."""
    divisor, shown = _scale(value, unit)
    return f"{significant(value / divisor)} {shown}".rstrip()


def interval(estimate: float, low: float, high: float, unit: str = "") -> str:
    """`0.34 [0.31, 0.38]`: the width of the interval decides the number of decimals.

    If the bounds are more than a hundredfold apart, each keeps two digits: `42 [1.3, 1,200]`.
    """
    if low == high == estimate:
        return number(estimate, unit)
    largest = max((abs(part) for part in (estimate, low, high) if math.isfinite(part)), default=0.0)
    divisor, shown = _scale(largest, unit)
    power = (
        0 if unit in PREFIXED_UNITS or largest == 0 or -4 < _magnitude(largest) < 6 else _magnitude(largest)
    )
    parts = [part / divisor / 10.0**power for part in (estimate, low, high)]
    if not power and 0 < WIDE * low < high < math.inf:
        middle, below, above = (significant(part, 2) for part in parts)
        return f"{middle} [{below}, {above}] {shown}".rstrip()
    width = parts[2] - parts[1]
    decimals = 2
    if math.isfinite(width) and width > TINY:
        leading = width / 10.0 ** _magnitude(width)
        # The usual rounding of uncertainties: two digits if the first is small, else one.
        decimals = min((1 if leading < 5 else 0) - _magnitude(width), 6)
    whole = all(math.isfinite(part) and float(part).is_integer() for part in parts)
    middle, below, above = (
        fixed(part, 0 if whole else decimals) if math.isfinite(part) else significant(part) for part in parts
    )
    text = f"{middle} [{below}, {above}]"
    if power:
        text = f"({text}) × 10{str(power).translate(SUPERSCRIPTS)}"
    return f"{text} {shown}".rstrip()


def ratio(estimate: float, low: float, high: float) -> str:
    """`1.69× [1.65, 1.72]`; if the bounds are far apart, each keeps two digits: `0.03× [0.0007, 1.3]`."""
    if low > 0 and high > 3 * low:
        middle, below, above = (significant(part, 2) for part in (estimate, low, high))
        return f"{middle}× [{below}, {above}]"
    middle, _, rest = interval(estimate, low, high).partition(" [")
    return f"{middle}× [{rest}" if rest else f"{middle}×"


def _per(rule: Slope) -> str:
    if rule.x_scale == "log2":
        return f" per doubling of {rule.x}"
    if rule.x_scale == "log10":
        return f" per tenfold {rule.x}"
    return f" per {metric_named(rule.metric).index}" if rule.x == "step" else f" per unit of {rule.x}"


def _unit(rule: Rule) -> str:
    if isinstance(rule, Slope) and rule.y_scale != "linear":
        return "decades" if rule.y_scale == "log10" else "doublings"
    return metric_named(rule.metric).unit


def effect(rule: Rule, estimate: float, low: float, high: float) -> str:
    """A rule's estimate with its interval, in the unit of the rule."""
    if isinstance(rule, Ratio):
        return ratio(estimate, low, high)
    text = interval(estimate, low, high, _unit(rule))
    return text + _per(rule) if isinstance(rule, Slope) else text


def threshold(rule: Rule) -> str:
    """The side of the threshold on which the claim holds: `above 1.5×`, `below 1 × 10⁻⁵`."""
    side = "above" if rule.above is not None else "below"
    if isinstance(rule, Ratio):
        return f"{side} {significant(rule.threshold)}×"
    text = f"{side} {number(rule.threshold, _unit(rule))}"
    return text + _per(rule) if isinstance(rule, Slope) else text


def kind_of_effect(rule: Rule) -> str:
    """A word for the quantity that a rule estimates: `value`, `slope`, `ratio`, `difference`."""
    return "value" if isinstance(rule, Exact) else type(rule).__name__.lower()


def count(number_of: int) -> str:
    """A whole number with its thousands grouped."""
    return f"{number_of:,}"


def duration(seconds: float) -> str:
    """`0.8 s`, `43 s`, `4 min 12 s`, `2 h 5 min`."""
    if seconds < 9.5:
        return number(round(seconds, 1) if seconds >= 1 else seconds, "s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def p_value(p: float | None) -> str:
    """`0.012`, `< 0.001`, or a dash if the values are exact."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else significant(p, 2)
