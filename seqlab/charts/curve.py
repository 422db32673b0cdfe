"""How is a metric drawn against a number? A line for each level, with its interval as a band."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqlab.charts.colours import MUTED
from seqlab.charts.finding import finding
from seqlab.charts.hover import add_hover, seeds, told
from seqlab.charts.labels import LineEnd, in_inches, label_line_ends
from seqlab.charts.legend import draw_legend, legend_rows
from seqlab.charts.panels import (
    draw_seed_dots,
    label_margin,
    lay_out,
    name_margin,
    panel_grid,
    panel_width,
    panel_widths,
)
from seqlab.charts.series_styles import SeriesStyle, series_styles
from seqlab.charts.ticks import drawable, levels_or_ticks, limits, set_axis, tick_labels, ticks
from seqlab.charts.units import Unit, display_unit, number
from seqlab.charts.words import (
    axis_title,
    direction,
    index_title,
    level_name,
    level_value,
    levels_of,
    wrapped,
)
from seqlab.notebook.figures import Curve, Level, Scale
from seqlab.notebook.metrics import metric_named

_HEIGHTS = {1: 2.75, 2: 2.3, 3: 1.85, 4: 1.7}  # inches, by panels to a row
_TRUTH = "truth"  # what was there, beside what was forecast
_FEW = 12  # up to so many values of x, each has a marker and each seed a dot


def plot(figure: Curve, summary: pd.DataFrame, samples: pd.DataFrame) -> Figure:
    """Draw `summary` (levels, x, estimate, low, high) and `samples` (levels, x, seed, value)."""
    metric = metric_named(figure.y)
    unit = display_unit(metric.unit, summary["estimate"], figure.y_scale)
    found = finding(figure, summary)
    summary, samples = (_drawable_rows(figure, table, unit.size) for table in (summary, samples))
    guides = {
        wrapped(level_value(name), width=22): unit.of(value)
        for name, value in figure.guides.items()
        if drawable([value], figure.y_scale)
    }
    styles = series_styles(levels_of(summary, figure.hue))
    columns: Sequence[Level | None] = (levels_of(summary, figure.columns) if figure.columns else []) or [None]
    parts = [_column(figure, summary, column) for column in columns]
    x_bounds = [limits(part[figure.x], figure.x_scale, pad=0.03) for part in parts]
    reaches = [_reach(bounds, figure.x_scale) for bounds in x_bounds]
    free = 1 < len(columns) <= 4 and max(reaches) > 1.05 * min(reaches)
    if not free:
        x_bounds = [limits(summary[figure.x], figure.x_scale, pad=0.03)] * len(columns)
    few = figure.x != "step" and summary[figure.x].nunique() <= _FEW
    samples = samples[samples[figure.hue].isin(styles)] if few else samples.head(0)

    grid = panel_grid(len(columns), one_x=not free)
    height = _HEIGHTS[grid.across]
    names = {level: wrapped(level_name(figure.hue, level), width=22) for level in styles}
    # Names beside the lines of the last panel serve all panels, if it has every line.
    beside = set(parts[-1][figure.hue]) == set(styles) and len(styles) <= height * 5
    y_bounds = limits(
        [*summary["estimate"], *samples["value"], *guides.values()],
        figure.y_scale,
        intervals=[*summary["low"], *summary["high"]],
        pad=0.05,
        span=(metric.least / unit.size, metric.most / unit.size),
    )
    y_ticks = ticks(*y_bounds, figure.y_scale, most=6 if height > 2 else 5)
    left = label_margin(tick_labels(y_ticks, figure.y_scale))
    right = name_margin([*(names.values() if beside else ()), *guides])
    widths = panel_widths(grid, reaches, left=left, right=right) if free else []
    usual = panel_width(grid, left=left, right=right)
    top = lay_out(
        grid,
        height=height,
        left=left,
        right=right,
        x_title=index_title(figure.x, metric),
        finding=found,
        measure=axis_title(metric, unit),
        note=direction(metric),
        titles=["" if column is None else level_name(figure.columns, column) for column in columns],
        legend=0 if beside else len(legend_rows([*names.values()], lines=True)),
        widths=widths,
    )
    for i, panel in enumerate(grid.axes if free else grid.axes[:1]):
        places = sorted(set((parts[i] if free else summary)[figure.x].tolist()))
        most = max(2 if free else 3, int((widths[i] if free else usual) / 0.6))
        at = levels_or_ticks(places, *x_bounds[i], figure.x_scale, most)
        set_axis(panel.xaxis, x_bounds[i], figure.x_scale, at)
    set_axis(grid.axes[0].yaxis, y_bounds, figure.y_scale, y_ticks)
    for i, (panel, column, part) in enumerate(zip(grid.axes, columns, parts, strict=True)):
        panel.grid(visible=False, axis="x")
        for value in guides.values():
            line = panel.axhline(value, color=MUTED, linewidth=0.9, linestyle=(0.0, (4.0, 2.0)), zorder=1.5)
            line.set_gid("threshold")
        _dots(panel, figure, _column(figure, samples, column), styles)
        _lines(panel, figure, part, styles, few=few, index=i)
        _tell(panel, figure, part, unit)
        panel.set(xlabel="", ylabel="")
    ends = [LineEnd(name, None, value, MUTED, "guide") for name, value in guides.items()]
    if beside:
        ends += _ends(figure, parts[-1], styles, names)
    else:
        draw_legend(grid.figure, [*names.values()], [*styles.values()], top=top, lines=True)
    label_line_ends(grid.axes[-1], ends)
    return grid.figure


def _reach(bounds: tuple[float, float], scale: Scale) -> float:
    low, high = bounds
    return high - low if scale == "linear" else math.log(high / low)


def _drawable_rows(figure: Curve, table: pd.DataFrame, size: float) -> pd.DataFrame:
    """The rows that both scales can show, in display units and sorted along x."""
    place = "estimate" if "estimate" in table else "value"
    kept = table.dropna(subset=[name for name in (figure.hue, figure.columns, figure.x, place) if name])
    for name, scale in ((figure.x, figure.x_scale), (place, figure.y_scale)):
        kept = kept if scale == "linear" else kept[kept[name] > 0]
    numbers = [name for name in ("estimate", "low", "high", "value") if name in table]
    return kept.sort_values(figure.x, kind="stable").assign(**{name: kept[name] / size for name in numbers})


def _column(figure: Curve, table: pd.DataFrame, column: Level | None) -> pd.DataFrame:
    part: pd.DataFrame = table if column is None else table[table[figure.columns] == column]
    return part


def _ends(
    figure: Curve, part: pd.DataFrame, styles: Mapping[Level, SeriesStyle], names: Mapping[Level, str]
) -> list[LineEnd]:
    tails = part.drop_duplicates(figure.hue, keep="last").set_index(figure.hue)
    return [
        LineEnd(
            name, float(tails[figure.x][level]), float(tails["estimate"][level]), styles[level].ink, str(i)
        )
        for i, (level, name) in enumerate(names.items())
    ]


def _lines(
    panel: Axes, figure: Curve, part: pd.DataFrame, styles: dict[Level, SeriesStyle], *, few: bool, index: int
) -> None:
    found = dict(iter(part.groupby(figure.hue, sort=False, observed=True)))
    present = [level for level in styles if level in found]
    for i, level in enumerate(present):
        style, rows = styles[level], found[level]
        (line,) = panel.plot(rows[figure.x].to_numpy(), rows["estimate"].to_numpy(), color=style.colour)
        line.set(linestyle=style.linestyle, marker=style.marker, markeredgewidth=0, linewidth=style.width)
        line.set(zorder=1.9 if style.width > 3 else 2.0 + style.width / 10)  # the truth lies below, wide
        line.set_gid(f"series-{index}-{list(styles).index(level)}")
        if not few and _TRUTH in styles:  # forecasts cross one another often: marks would hide them
            line.set(marker="", linewidth=style.width if level == _TRUTH else 0.7 * style.width)
        elif not few:
            stride = max(1, len(part) // len(present) // 6)
            line.set_markevery((i * stride // len(present), stride))
        _interval(panel, rows, figure, style.colour)


def _interval(panel: Axes, rows: pd.DataFrame, figure: Curve, colour: str) -> None:
    """A band between `low` and `high`, or a bar for a point whose neighbours have no interval."""
    x, low, high = (rows[name].to_numpy(dtype=float) for name in (figure.x, "low", "high"))
    bounded = np.isfinite(low) & np.isfinite(high)
    if figure.y_scale != "linear":
        low = np.where(low > 0, low, panel.get_ylim()[0])
    if not bounded.any():
        return
    panel.fill_between(
        x, low, high, where=bounded.tolist(), color=colour, alpha=0.16, linewidth=0, gid="band"
    )
    padded = np.concatenate([[False], bounded, [False]])
    alone = bounded & ~padded[:-2] & ~padded[2:]
    if alone.any():
        panel.vlines(x[alone], low[alone], high[alone], color=colour, linewidth=1.4, alpha=0.6)


def _dots(panel: Axes, figure: Curve, dots: pd.DataFrame, styles: dict[Level, SeriesStyle]) -> None:
    """A pale dot for each seed, if there are several."""
    if not dots.duplicated([figure.hue, figure.x]).any():
        return
    colours = [styles[level].colour for level in dots[figure.hue]]
    draw_seed_dots(panel, dots[figure.x].tolist(), dots["value"].tolist(), colours, size=3.2)


def _tell(panel: Axes, figure: Curve, part: pd.DataFrame, unit: Unit) -> None:
    """Let points tell their values; of a long line, a dozen of them."""
    spots = in_inches(panel, part[[figure.x, "estimate"]].to_numpy(dtype=float))
    lines: dict[Level, list[tuple[Any, Any]]] = {}
    for spot, row in zip(spots.tolist(), part.to_dict("records"), strict=True):
        lines.setdefault(row[figure.hue], []).append((spot, row))
    for level, line in lines.items():
        name = level_name(figure.hue, level)
        for (x, y), row in line[:: -max(1, len(line) // _FEW)]:
            where = f"{name} at {number(row[figure.x])}"
            add_hover(panel, x, y, told(where, row, unit) + seeds(row))
