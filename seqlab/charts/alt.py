"""What is the alt text of a chart? Sentences made of the statistics that it plots."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from seqlab.charts.finding import FLAT, crossings, finding, listed
from seqlab.charts.units import Unit, display_unit, number
from seqlab.charts.words import (
    axis_title,
    factor_title,
    index_title,
    level_name,
    level_value,
    levels_of,
    lowered,
)
from seqlab.notebook.figures import Curve, Figure, Heatmap, Interval, Tradeoff
from seqlab.notebook.metrics import metric_named

_MOST_CROSSINGS = 3  # nobody remembers more by ear
NOTHING = "Nothing was measured for this figure."


def describe(figure: Figure, summary: pd.DataFrame) -> str:
    """Alt text for a chart of `summary` (see `draw.FigureData`): its finding, then what it shows.

    Plain text: escape it where it is used.
    """
    found = finding(figure, summary)
    return (f"{found}. " if found else "") + _shown(figure, summary)


def _shown(figure: Figure, summary: pd.DataFrame) -> str:
    match figure:
        case Curve():
            return _curve(figure, summary)
        case Interval():
            return _interval(figure, summary)
        case Tradeoff():
            return _tradeoff(figure, summary)
        case Heatmap():
            return _heatmap(figure, summary)
    raise TypeError(f"expected a chart, found a {type(figure).__name__}.")


def _finite(summary: pd.DataFrame) -> pd.DataFrame:
    finite: pd.DataFrame = summary[np.isfinite(summary["estimate"])]
    return finite


def _guides(guides: Mapping[str, float], unit: Unit) -> str:
    if not guides:
        return ""
    named = listed([f"{level_value(name)} at {number(unit.of(value))}" for name, value in guides.items()])
    return f" Dashed line{'s' if len(guides) > 1 else ''}: {named}."


def _curve(figure: Curve, summary: pd.DataFrame) -> str:
    metric, rows = metric_named(figure.y), _finite(summary).sort_values(figure.x, kind="stable")
    unit = display_unit(metric.unit, rows["estimate"], figure.y_scale)
    axes = f"{lowered(axis_title(metric, unit))} against {lowered(index_title(figure.x, metric))}"
    if not figure.columns:
        courses = [
            f"{level_name(figure.hue, level)} {_course(rows[rows[figure.hue] == level], figure, unit)}"
            for level in levels_of(rows, figure.hue)
        ]
        turns = crossings(figure, rows)
        crossed = f" {'; '.join(turns)}." if 0 < len(turns) <= _MOST_CROSSINGS else ""
        return f"Line chart of {axes}. {'; '.join(courses)}.{crossed}{_guides(figure.guides, unit)}"
    sentences = [f"Line charts of {axes}, one for each {lowered(factor_title(figure.columns))}."]
    for column in levels_of(rows, figure.columns):
        part = rows[rows[figure.columns] == column]
        ends = part.groupby(figure.hue, sort=False, observed=True).tail(1)
        ends = ends.sort_values("estimate", ascending=False, kind="stable")
        together = ends[figure.x].nunique() == 1
        parts = []
        for level, value, x in zip(ends[figure.hue], ends["estimate"], ends[figure.x], strict=True):
            place = "" if together else f" at {number(x)}"
            parts.append(f"{level_name(figure.hue, level)} {number(unit.of(value))}{place}")
        end = f" at {number(ends[figure.x].iloc[0])}" if together else ""
        sentences.append(f"For {level_name(figure.columns, column)}, lines end{end} with {listed(parts)}.")
    return " ".join(sentences) + _guides(figure.guides, unit)


def _course(line: pd.DataFrame, figure: Curve, unit: Unit) -> str:
    """The course of a line: that it is flat, or its ends, and its peak or trough."""
    at, values = line[figure.x].tolist(), [unit.of(value) for value in line["estimate"]]
    if len(values) == 1:
        return f"is {number(values[0])} at {number(at[0])}"
    first, last = number(values[0]), number(values[-1])
    if min(values) > 0 and max(values) <= FLAT * min(values) and first != last:
        return f"stays near {number(float(np.median(values)), digits=2)}"
    if first == last:
        course = f"is {first} at {number(at[0])} as at {number(at[-1])}"
    else:
        verb = "rises" if values[-1] > values[0] else "falls"
        course = f"{verb} from {first} at {number(at[0])} to {last} at {number(at[-1])}"
    # A peak or trough is mentioned if it exceeds both ends by a fifth of the line's whole range.
    scaled = np.log(values) if figure.y_scale != "linear" and min(values) > 0 else np.asarray(values)
    notable = 0.2 * (scaled.max() - scaled.min())
    low, high = int(scaled.argmin()), int(scaled.argmax())
    turns = []
    if min(scaled[0], scaled[-1]) - scaled[low] > notable:
        turns.append(f"a low of {number(values[low])} at {number(at[low])}")
    if scaled[high] - max(scaled[0], scaled[-1]) > notable:
        turns.append(f"a high of {number(values[high])} at {number(at[high])}")
    return course + (f", with {listed(turns)}" if turns else "")


def _with_interval(row: Mapping[Hashable, float], unit: Unit) -> str:
    low, high = row["low"], row["high"]
    shown = number(unit.of(row["estimate"]))
    if np.isfinite(low) and np.isfinite(high) and low < high:
        return f"{shown} ({number(unit.of(low))} to {number(unit.of(high))})"
    return shown


def _interval(figure: Interval, summary: pd.DataFrame) -> str:
    metric, rows = metric_named(figure.x), _finite(summary)
    unit = display_unit(metric.unit, rows["estimate"], figure.x_scale)
    factors = [name for name in dict.fromkeys((figure.columns, figure.y, figure.hue)) if name]
    rows = rows.dropna(subset=factors).sort_values("estimate", ascending=False, kind="stable")
    # With more than eight entries intervals would hide the ranking; the table in the report has them.
    bounded = len(rows) <= 8 and (np.isfinite(rows["low"]) & (rows["low"] < rows["high"])).any()
    parts = [
        f"{', '.join(level_name(name, row[name]) for name in factors)} "
        + (_with_interval(row, unit) if bounded else number(unit.of(row["estimate"])))
        for row in rows.to_dict("records")
    ]
    groups = " and ".join(lowered(factor_title(name)) for name in factors)
    order = f"from highest to lowest{', with 95 % intervals' if bounded else ''}"
    text = f"Dot plot of {lowered(axis_title(metric, unit))} by {groups}, {order}: {'; '.join(parts)}."
    return text + _guides(figure.guides, unit)


def _tradeoff(figure: Tradeoff, summary: pd.DataFrame) -> str:
    x, y = metric_named(figure.x), metric_named(figure.y)
    rows = summary[np.isfinite(summary["x_estimate"]) & np.isfinite(summary["y_estimate"])]
    rows = rows.sort_values("y_estimate", ascending=False, kind="stable")
    across = display_unit(x.unit, rows["x_estimate"], figure.x_scale)
    up = display_unit(y.unit, rows["y_estimate"], figure.y_scale)
    factors = [name for name in (figure.hue, figure.along) if name]
    colon = ":" if figure.along else ""  # separates the level, a number, from the value
    parts = [
        f"{', '.join(level_name(name, row[name]) for name in factors)}{colon} "
        f"{number(up.of(row['y_estimate']))} at {number(across.of(row['x_estimate']))}"
        for row in rows.to_dict("records")
    ]
    axes = f"{lowered(axis_title(y, up))} against {lowered(axis_title(x, across))}"
    text = f"Scatter plot of {axes}, from highest to lowest: {'; '.join(parts)}."
    if figure.roof and np.isfinite(rows[["roof_slope", "roof_height"]].to_numpy(dtype=float)).all():
        slope, height = (metric_named(name) for name in figure.roof)
        rise, top = (float(rows[name].iloc[0]) for name in ("roof_slope", "roof_height"))
        steep, flat = display_unit(slope.unit, [rise]), display_unit(height.unit, [top])
        text += (
            f" A roof rises with {lowered(slope.title)}, {number(steep.of(rise))} {steep.symbol}, up to "
            f"{lowered(height.title)}, {number(flat.of(top))} {flat.symbol}."
        )
    return text


def _heatmap(figure: Heatmap, summary: pd.DataFrame) -> str:
    metric, rows = metric_named(figure.value), _finite(summary)
    scale = "log10" if metric.log and (rows["estimate"] > 0).all() else "linear"
    unit = display_unit(metric.unit, rows["estimate"], scale)  # type: ignore[arg-type]
    across, down = lowered(index_title(figure.x, metric)), lowered(factor_title(figure.y))
    axes = f"{lowered(axis_title(metric, unit))} by {across} (across) and {down} (down)"
    if figure.columns:
        most = rows[figure.x].nunique() * rows[figure.y].nunique()
        parts = []
        for level in levels_of(rows, figure.columns):
            part = rows.loc[rows[figure.columns] == level, "estimate"]
            low, high = (number(unit.of(bound)) for bound in (part.min(), part.max()))
            parts.append(
                f"{level_name(figure.columns, level)} has {len(part)} of {most} cells, from {low} to {high}"
            )
        return f"Heat maps of {axes}. {'; '.join(parts)}."
    cells = rows.sort_values("estimate", kind="stable").to_dict("records")
    low, high = (
        f"{number(unit.of(cell['estimate']))} at {_place(figure.x, cell)}, {_place(figure.y, cell)}"
        for cell in (cells[0], cells[-1])
    )
    return f"Heat map of {axes}. Lowest: {low}. Highest: {high}."


def _place(factor: str, cell: Mapping[Hashable, Any]) -> str:
    return level_name(factor, cell[factor])
