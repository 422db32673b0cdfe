"""What does a chart show, in a sentence for its title? Only what its intervals bear out; else nothing.

A level is best where its interval touches no other level's. One or two seeds have no interval, and nothing
is said of them, unless they are counts, which have no noise.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from seqlab.charts.units import number
from seqlab.charts.words import at_level, index_title, is_numeric, level_name, lowered
from seqlab.notebook.figures import Curve, Figure, Interval, Level, Tradeoff
from seqlab.notebook.metrics import Metric, metric_named

FLAT, GROWN = 1.15, 3.0  # times: a line that changes by less is flat, one that changes by more has grown
_MOST = 3  # levels or panels that a title names
_LONG = 24  # letters: a longer title of an axis is not repeated
_END = "at the end"  # of a training
_NO_RIVALS = ("truth",)  # drawn to compare with, not to win

Row = Mapping[Any, Any]
Lead = tuple[str, str]  # who is best, and where: `at every length`


def finding(figure: Figure, summary: pd.DataFrame) -> str:
    """The sentence, without a full stop; empty where there is nothing to say. `summary` as charts take it."""
    match figure:
        case Curve():
            return _curve(figure, summary)
        case Interval():
            return _interval(figure, summary)
        case Tradeoff():
            return _tradeoff(figure, summary)
    return ""


def short_title(metric: Metric) -> str:
    """The metric's title within a sentence, without what stands in brackets or adds to it."""
    return lowered(re.sub(r"( \(|: |, ).*", "", metric.title))


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else "".join(items)


def crossings(figure: Curve, part: pd.DataFrame) -> list[str]:
    """Which lines of one panel change places, and between which values of x: `A falls below B between …`."""
    lines = {
        level: rows.dropna(subset=["estimate"]).set_index(figure.x)["estimate"]
        for level, rows in part.groupby(figure.hue, sort=False, observed=True)
    }
    found = []
    names = list(lines)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            shared = lines[one].index.intersection(lines[other].index).unique().sort_values()
            sides = np.sign(lines[one][shared].to_numpy() - lines[other][shared].to_numpy())
            turns = [at for at in range(1, len(sides)) if sides[at] * sides[at - 1] < 0]
            if len(turns) == 1:
                way = "rises above" if sides[turns[0]] > 0 else "falls below"
                where = f"between {number(shared[turns[0] - 1])} and {number(shared[turns[0]])}"
                found.append(
                    f"{level_name(figure.hue, one)} {way} {level_name(figure.hue, other)} {where}"  # type: ignore[arg-type]
                )
    return found


def _curve(figure: Curve, summary: pd.DataFrame) -> str:
    metric = metric_named(figure.y)
    rows = _rows(summary, figure.hue)
    if is_numeric(row[figure.hue] for row in rows):
        return ""
    if metric.better == "neither":
        return "" if figure.columns else _growth(figure, rows)
    leads = {
        column: _course_of_lead(figure, metric, part)
        for column, part in _panels(rows, figure.columns).items()
    }
    return _told(figure.columns, leads, _extreme(metric))


def _rows(summary: pd.DataFrame, factor: str) -> list[Row]:
    return [
        row
        for row in summary.to_dict("records")
        if math.isfinite(row["estimate"]) and row[factor] not in _NO_RIVALS
    ]


def _panels(rows: Sequence[Row], factor: str) -> dict[Level | None, list[Row]]:
    parts: dict[Level | None, list[Row]] = {}
    for row in rows:
        parts.setdefault(row[factor] if factor else None, []).append(row)
    return parts


def _extreme(metric: Metric) -> str:
    """`the lowest loss`; empty where the title itself is of an extreme, unless it is the better one."""
    title = short_title(metric)
    if title.startswith(("largest ", "smallest ")):
        return f"the {title}" if title.startswith("smallest ") == (metric.better == "lower") else ""
    return f"the {'lowest' if metric.better == 'lower' else 'highest'} {title}"


def _course_of_lead(figure: Curve, metric: Metric, part: Sequence[Row]) -> Lead | None:
    """Who is best at the largest x that all lines share, and how far that goes."""
    levels, places = _panels(part, figure.hue), _panels(part, figure.x)
    shared = sorted(x for x, rows in places.items() if len(rows) == len(levels))  # type: ignore[type-var]
    if len(levels) < 2 or not shared:
        return None
    found = [_best(places[x], figure.hue, metric.better) for x in shared]
    if found[-1] is None:
        return None
    name, last = level_name(figure.hue, found[-1]), shared[-1]
    axis = index_title(figure.x, metric)
    if figure.x == "step" and metric.index == "training step":
        return name, _END
    if len(axis) > _LONG:
        axis = "place"
    if len(shared) > 1 and len(set(found)) == 1:
        return name, "at every one of them" if axis.endswith("s") else f"at every {axis.lower()}"
    assert last is not None
    return name, f"at {at_level(axis, last)}"


def _best(rows: Sequence[Row], factor: str, better: str, side: str = "") -> Level | None:
    """The level whose interval lies wholly on the better side of all others; None where none does."""
    spans = []
    for row in rows:
        low, high = _span(row, side)
        spans.append((low, high, row[factor]) if better == "lower" else (-high, -low, row[factor]))
    if len({level for *_, level in spans}) < max(2, len(spans)) or not all(
        math.isfinite(low) and math.isfinite(high) for low, high, _ in spans
    ):
        return None
    spans.sort(key=lambda span: span[0])
    best: Level = spans[0][2]
    return best if all(spans[0][1] < other[0] for other in spans[1:]) else None


def _span(row: Row, side: str) -> tuple[float, float]:
    value, low, high = (float(row[f"{side}{name}"]) for name in ("estimate", "low", "high"))
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    return (value, value) if value.is_integer() else (math.nan, math.nan)


def _told(factor: str, leads: Mapping[Level | None, Lead | None], extreme: str) -> str:
    """One sentence for all panels: the same level everywhere, or one for each."""
    known = [lead for lead in leads.values() if lead]
    if not known or len(known) < len(leads) or not extreme:
        return ""
    places = {where for _, where in known}
    where = places.pop() if len(places) == 1 else ""
    verb, where = ("ends with", "") if where == _END else ("has", f" {where}" if where else "")
    panels: dict[str, list[str]] = {}
    for level, (name, _) in zip(leads, known, strict=True):
        panels.setdefault(name, []).append("" if level is None else at_level(factor, level))
    if len(panels) == 1:
        every = f", in {'both' if len(leads) == 2 else 'all'} panels" if len(leads) > 1 else ""
        return f"{_begun(known[0][0])} {verb} {extreme}{where}{every}"
    if len(known) > _MOST:
        return ""
    (first, at), *others = ((name, f"({', '.join(at)})") for name, at in panels.items())
    between = "; " if any("," in name for name in panels) else ", "
    return (
        between.join([f"{_begun(first)} {verb} {extreme} {at}", *(" ".join(other) for other in others)])
        + where
    )


def _begun(name: str) -> str:
    """A name at the beginning of a sentence: `Doubling`, but `minGRU` and `mlx.nn`."""
    return name[:1].upper() + name[1:] if name.islower() and re.fullmatch(r"[a-z, ]+", name) else name


def _growth(figure: Curve, rows: Sequence[Row]) -> str:
    """Which lines grow along x and which do not, for what is neither good nor bad."""
    grown: dict[str, float] = {}
    flat = []
    for level, line in _panels(rows, figure.hue).items():
        values = [row["estimate"] for row in sorted(line, key=lambda row: row[figure.x])]
        if level is None or len(values) < 3 or min(values) <= 0:
            return ""
        ratio = values[-1] / values[0]
        if ratio > GROWN:
            grown[level_name(figure.hue, level)] = ratio
        elif 1 / FLAT < ratio < FLAT:
            flat.append(level_name(figure.hue, level))
    if not grown or not flat or len(flat) > _MOST:
        return ""
    names = listed([*grown]) if len(grown) <= _MOST else "the others"
    most = number(max(grown.values()), digits=2)
    times = f"{most} times" if len(grown) == 1 else f"up to {most} times"
    return f"{listed(flat)} stay{'s' * (len(flat) == 1)} flat; {names} grow{'s' * (len(grown) == 1)} {times}"


def _interval(figure: Interval, summary: pd.DataFrame) -> str:
    metric = metric_named(figure.x)
    rows = _rows(summary, figure.y)
    if (
        metric.better == "neither"
        or figure.hue not in ("", figure.y)
        or is_numeric(row[figure.y] for row in rows)
    ):
        return ""
    leads: dict[Level | None, Lead | None] = {}
    for column, part in _panels(rows, figure.columns).items():
        best = _best(part, figure.y, metric.better)
        leads[column] = None if best is None else (level_name(figure.y, best), "")
    return _told(figure.columns, leads, _extreme(metric))


def _tradeoff(figure: Tradeoff, summary: pd.DataFrame) -> str:
    if figure.along:
        return ""
    rows = [row for row in summary.to_dict("records") if row[figure.hue] not in _NO_RIVALS]
    found = []
    for side, name in (("y_", figure.y), ("x_", figure.x)):
        metric = metric_named(name)
        best = None if metric.better == "neither" else _best(rows, figure.hue, metric.better, side)
        found.append((best, _extreme(metric)))
    (good, quality), (cheap, cost) = found
    if good is None or cheap is None:
        best, extreme = (good, quality) if good is not None else (cheap, cost)
        return "" if best is None or not extreme else f"{_begun(level_name(figure.hue, best))} has {extreme}"
    name = _begun(level_name(figure.hue, good))
    if not (quality and cost):
        return ""
    if good == cheap:
        return f"{name} has {quality} and {cost}"
    return f"{name} has {quality}, {level_name(figure.hue, cheap)} {cost}"
