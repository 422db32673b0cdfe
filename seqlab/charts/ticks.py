"""Where does an axis begin and end, where are its ticks, and what are their labels?"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator, NullLocator

from seqlab.charts.label_placement import text_width
from seqlab.charts.style import SMALL
from seqlab.charts.units import number, power_of_ten
from seqlab.notebook.figures import Scale

_APART = 0.08  # inches between the labels of a horizontal axis
_BASE = {"log2": 2.0, "log10": 10.0}


def drawable(values: Iterable[float], scale: Scale) -> list[float]:
    """The values that the scale can show: finite, and above zero on a logarithmic one."""
    return [value for value in values if math.isfinite(value) and (scale == "linear" or value > 0)]


def limits(
    points: Iterable[float],
    scale: Scale,
    *,
    intervals: Iterable[float] = (),
    pad: float = 0.06,
    span: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """The ends of an axis, with a margin of `pad` of its length on each side.

    The ends of `intervals` widen it, too, but at most to twice the span of the points: the interval of two
    seeds can be so wide that nothing else could be seen, and a bar that leaves the axis shows as much. A
    linear axis starts at zero if that takes at most a fifth of its length, and ends shortly after `span`, the
    values that are possible.
    """
    forth, back = (math.log, math.exp) if scale != "linear" else (float, float)
    shown = [forth(value) for value in drawable(points, scale)]
    wide = [forth(value) for value in drawable(intervals, scale)]
    if not shown:
        return (1.0, 10.0) if scale != "linear" else (0.0, 1.0)
    low, high = min(shown), max(shown)
    reach = (high - low) / 2 or math.inf
    low, high = max(min([low, *wide]), low - reach), min(max([high, *wide]), high + reach)
    if low == high:
        room = math.log(2.0) if scale != "linear" else abs(low) / 2 or 1.0
        return back(low - room), back(high + room)
    room = pad * (high - low)
    if scale != "linear":
        return back(low - room), back(high + room)
    most = max(span[1], high) + room / 2
    if 0 <= low <= (high - low) / 4:
        return (0.0 - room / 2 if low == 0 else 0.0), min(high + room, most)
    return max(low - room, min(span[0], low) - room / 2), min(high + room, most)


def ticks(low: float, high: float, scale: Scale, *, most: int = 6) -> list[float]:
    """Round values in [low, high]: powers of the scale's base, or 1-2-5 or 1-3 steps within few decades."""
    if scale != "linear":
        base = _BASE[scale]
        first, last = math.ceil(math.log(low, base) - 1e-9), math.floor(math.log(high, base) + 1e-9)
        powers = list(range(first, last + 1))
        if scale == "log10" and len(powers) < 3:
            for digits in ((1, 2, 5), (1, 3)):
                fine = [m * 10.0**e for e in range(first - 1, last + 1) for m in digits]
                inside = [value for value in fine if low <= value <= high]
                if 3 <= len(inside) <= most:
                    return inside
        if len(powers) >= 2:
            stride = math.ceil(len(powers) / most)
            return [base**power for power in powers if power % stride == 0]
    steps = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [float(value) for value in steps if low - slack <= value <= high + slack]


def ticks_across(low: float, high: float, scale: Scale, *, width: float, most: int) -> list[float]:
    """Ticks of a horizontal axis of `width` inches: as many of `most` as have labels that stand apart."""
    forth = float if scale == "linear" else math.log
    for fewer in range(most, 1, -1):
        at = ticks(low, high, scale, most=fewer)
        places = [width * (forth(value) - forth(low)) / (forth(high) - forth(low)) for value in at]
        wide = [text_width(label, SMALL) for label in tick_labels(at, scale)]
        if all(b - a > (wide[i] + wide[i + 1]) / 2 + _APART for i, (a, b) in enumerate(pairwise(places))):
            return at
    return ticks(low, high, scale, most=1)


def tick_labels(values: Sequence[float], scale: Scale) -> list[str]:
    """Labels in one format for all ticks of an axis, with enough digits to distinguish them."""
    sizes = [abs(value) for value in values if value != 0]
    if scale == "log10" and sizes and (min(sizes) < 0.999e-3 or max(sizes) > 1.001e4):
        exponents = [round(math.log10(size)) for size in sizes]
        if all(math.isclose(size, 10.0**power) for size, power in zip(sizes, exponents, strict=True)):
            return [power_of_ten(power) for power in exponents]
    if scale == "linear" and sizes and min(sizes) >= 1e-4:
        slack = 1e-9 * max(sizes)
        places = next((p for p in range(9) if all(abs(v - round(v, p)) < slack for v in values)), 9)
        return [f"{0.0 if value == 0 else value:,.{places}f}".replace("-", "−") for value in values]
    labels: list[str] = []
    for digits in range(3, 16):
        labels = [number(value, digits=digits) for value in values]
        if len(set(labels)) == len(labels):
            break
    return labels


def levels_or_ticks(levels: Sequence[float], low: float, high: float, scale: Scale, most: int) -> list[float]:
    """The measured levels themselves if they are few and well apart, else round values."""
    at = np.asarray(levels, dtype=float)
    if len(at) == 1:
        return list(levels)
    if scale != "linear":
        at, low, high = np.log(at), math.log(low), math.log(high)
    if 2 <= len(at) <= most and np.diff(np.sort(at)).min() >= 0.7 * (high - low) / (most + 1):
        return sorted(levels)
    return ticks(*((low, high) if scale == "linear" else (math.exp(low), math.exp(high))), scale, most=most)


def set_axis(axis: Axis, bounds: tuple[float, float], scale: Scale, at: Sequence[float]) -> list[str]:
    """Set the scale, bounds and ticks of an axis; returns the tick labels."""
    name = "x" if axis is axis.axes.xaxis else "y"
    labels = tick_labels(at, scale)
    setter = axis.axes.set_xscale if name == "x" else axis.axes.set_yscale
    if scale == "linear":
        setter("linear")
    else:
        setter("log", base=_BASE[scale], nonpositive="mask")
    axis.set_ticks(list(at), labels)
    axis.set_minor_locator(NullLocator())
    (axis.axes.set_xlim if name == "x" else axis.axes.set_ylim)(*bounds)
    return labels
