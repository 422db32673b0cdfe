"""How is a metric drawn for each level of a factor? A dot for each seed, the mean and its interval."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqlab.charts.colours import INK, MUTED
from seqlab.charts.finding import finding
from seqlab.charts.hover import add_hover, seeds, told
from seqlab.charts.label_placement import spread, text_width
from seqlab.charts.labels import in_inches, write_text
from seqlab.charts.legend import draw_legend, legend_rows
from seqlab.charts.panels import (
    PanelGrid,
    draw_seed_dots,
    label_margin,
    lay_out,
    name_margin,
    panel_grid,
    panel_width,
)
from seqlab.charts.series_styles import SeriesStyle, series_styles
from seqlab.charts.style import LINE, SMALL, TEXT
from seqlab.charts.ticks import drawable, limits, set_axis, tick_labels, ticks_across
from seqlab.charts.units import Unit, display_unit, numbers
from seqlab.charts.words import axis_title, direction, is_numeric, level_name, level_value, levels_of, wrapped
from seqlab.notebook.figures import Interval, Level
from seqlab.notebook.metrics import metric_named

# Inches: the height of a row, of each hue level in it, and the offset of seed dots below their interval.
_ROW, _LANE, _BELOW = 0.18, 0.21, 0.1


def plot(figure: Interval, summary: pd.DataFrame, samples: pd.DataFrame, *, place: str = "") -> Figure:
    """Draw `summary` (levels, estimate, low, high) and `samples` (levels, seed, value), all at this place."""
    metric = metric_named(figure.x)
    unit = display_unit(metric.unit, summary["estimate"], figure.x_scale)
    hue = figure.hue or figure.y
    rows, levels = _best_first(figure, summary), levels_of(summary, hue)
    lanes = levels if hue != figure.y else []
    found = finding(figure, summary)
    summary, samples = (
        _positioned(figure, table, unit.size, rows, lanes, shift)
        for table, shift in ((summary, 0.0), (samples, _BELOW))
    )
    guides = {
        wrapped(level_value(name), width=40): unit.of(value)
        for name, value in figure.guides.items()
        if drawable([value], figure.x_scale)
    }
    styles = series_styles(levels)
    columns: Sequence[Level | None] = levels_of(summary, figure.columns) if figure.columns else [None]

    grid = panel_grid(len(columns))
    height = len(rows) * (_ROW + _LANE * max(1, len(lanes)))
    row_names = [wrapped(level_name(figure.y, row)) for row in rows]
    lane_names = [level_name(hue, lane) for lane in lanes]
    bounds = limits(
        [*summary["estimate"], *samples["value"], *guides.values()],
        figure.x_scale,
        intervals=[*summary["low"], *summary["high"]],
        pad=0.05,
        span=(metric.least / unit.size, metric.most / unit.size),
    )
    means = numbers(summary["estimate"].tolist()) if len(columns) == 1 else []
    left, right = label_margin(row_names, size=TEXT), name_margin(means) if means else 0.12
    wide = panel_width(grid, left=left, right=right)
    at = ticks_across(*bounds, figure.x_scale, width=wide, most=min(max(3, int(wide / 0.6)), 8))
    right = max(right, text_width(tick_labels(at, figure.x_scale)[-1], SMALL) / 2 + 0.03)
    top = lay_out(
        grid,
        height=height,
        left=left,
        right=right,
        x_title="",
        finding=found,
        measure=axis_title(metric, unit),
        note=", ".join(filter(None, [direction(metric), place])),
        titles=["" if column is None else level_name(figure.columns, column) for column in columns],
        legend=len(legend_rows(lane_names, lines=False)) if lanes else 0,
        head=LINE if guides else 0.0,
    )
    set_axis(grid.axes[0].xaxis, bounds, figure.x_scale, at)
    grid.axes[0].set_yticks(range(len(rows)), row_names, fontsize=TEXT, color=INK, linespacing=1.05)
    grid.axes[0].set_ylim(len(rows) - 0.5, -0.5)
    for i, (panel, column) in enumerate(zip(grid.axes, columns, strict=True)):
        panel.grid(visible=False, axis="y")
        for value in guides.values():
            panel.axvline(value, color=MUTED, linewidth=0.9, linestyle=(0.0, (4.0, 2.0)), zorder=1.5)
        for table, draw in ((samples, _dots), (summary, _intervals)):
            part = table if column is None else table[table[figure.columns] == column]
            draw(panel, part, hue, styles, i)
            if draw is _intervals:
                _tell(panel, figure, part, unit)
        panel.set(xlabel="", ylabel="")
    _name_guides(grid, guides)
    if means:
        _write_means(grid.axes[0], summary, means)
    if lanes:
        draw_legend(grid.figure, lane_names, [styles[lane] for lane in lanes], top=top, lines=False)
    return grid.figure


def _best_first(figure: Interval, summary: pd.DataFrame) -> list[Level]:
    """The rows from top to bottom: numbers in order, names from best to worst mean over all panels."""
    rows = levels_of(summary, figure.y)
    if is_numeric(rows):
        return rows
    sign = 1.0 if metric_named(figure.x).better == "lower" else -1.0
    means_by_row = (sign * summary.groupby(figure.y, observed=True)["estimate"].mean()).fillna(np.inf)
    return sorted(rows, key=lambda row: float(means_by_row[row]))


def _positioned(
    figure: Interval,
    table: pd.DataFrame,
    size: float,
    rows: Sequence[Level],
    lanes: Sequence[Level],
    shift: float,
) -> pd.DataFrame:
    """The table in display units, with the vertical position of each entry, by row and lane (hue level).

    A row is one unit high; `shift` is in inches.
    """
    kept = table.dropna(subset=[name for name in (figure.y, figure.hue, figure.columns) if name])
    height = kept[figure.y].map({row: float(i) for i, row in enumerate(rows)}).astype(float)
    inches = _ROW + _LANE * max(1, len(lanes))
    if lanes:
        middle = (len(lanes) - 1) / 2
        offsets = {lane: (i - middle) * _LANE / inches for i, lane in enumerate(lanes)}
        height = height + kept[figure.hue].map(offsets).astype(float)
    shown = {name: kept[name] / size for name in ("estimate", "low", "high", "value") if name in kept}
    return kept.assign(height=height + shift / inches, **shown)


def _dots(panel: Axes, samples: pd.DataFrame, hue: str, styles: dict[Level, SeriesStyle], index: int) -> None:
    """A pale dot for each seed, if any row has several."""
    if not samples.duplicated("height").any():
        return
    colours = [styles[level].colour for level in samples[hue]]
    draw_seed_dots(panel, samples["value"].tolist(), samples["height"].tolist(), colours, size=3.6)


def _intervals(
    panel: Axes, summary: pd.DataFrame, hue: str, styles: dict[Level, SeriesStyle], index: int
) -> None:
    for i, (level, mark) in enumerate(styles.items()):
        part = summary[summary[hue] == level]
        if part.empty:
            continue
        low, high, height = (part[name].to_numpy(dtype=float) for name in ("low", "high", "height"))
        if panel.get_xscale() != "linear":
            low = np.where(low > 0, low, np.where(np.isfinite(low), panel.get_xlim()[0], low))
        known = np.isfinite(low) & np.isfinite(high)
        if known.any():
            panel.hlines(
                height[known], low[known], high[known], color=mark.colour, linewidth=1.8, gid="interval"
            )
        (points,) = panel.plot(
            part["estimate"], height, linestyle="none", marker=mark.marker, color=mark.colour, markersize=6
        )
        points.set(markeredgewidth=0, gid=f"series-{index}-{i}")


def _tell(panel: Axes, figure: Interval, part: pd.DataFrame, unit: Unit) -> None:
    """Let each mark tell its value."""
    factors = [name for name in dict.fromkeys((figure.y, figure.hue)) if name]
    spots = in_inches(panel, part[["estimate", "height"]].to_numpy(dtype=float))
    for (x, y), row in zip(spots.tolist(), part.to_dict("records"), strict=True):
        name = ", ".join(level_name(factor, row[factor]) for factor in factors)
        add_hover(panel, x, y, told(name, row, unit) + seeds(row))


def _write_means(panel: Axes, summary: pd.DataFrame, means: Sequence[str]) -> None:
    right = panel.get_xlim()[1]
    spots = in_inches(panel, np.array([(right, height) for height in summary["height"]]))
    for i, (spot, mean) in enumerate(zip(spots, means, strict=True)):
        write_text(panel, mean, x=spot[0] + 0.1, y=spot[1], ink=MUTED, gid=f"mean-{i}", size=SMALL)


def _name_guides(grid: PanelGrid, guides: dict[str, float]) -> None:
    """Names above the guides of the first panel, moved apart where they overlap."""
    if not guides:
        return
    panel, names = grid.axes[0], list(guides)
    low, high = panel.get_xlim()
    spots = in_inches(panel, np.array([(value, -0.5) for value in guides.values()]))
    ends = in_inches(panel, np.array([(low, -0.5), (high, -0.5)]))[:, 0]
    widths = [text_width(name, SMALL) + 0.12 for name in names]
    placed = spread([spot[0] for spot in spots], widths, float(ends[0]) - 0.06, float(ends[1]) + 0.1)
    for i, (name, x) in enumerate(zip(names, placed, strict=True)):
        write_text(
            panel, name, x=x, y=spots[0][1] + LINE / 2, ink=MUTED, gid=f"guide-{i}", size=SMALL, ha="center"
        )
