"""How is a metric drawn against a number? A line for each level, with its interval as a band."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqlab.charts.labels import LineEnd, label_line_ends
from seqlab.charts.legend import draw_legend, legend_rows
from seqlab.charts.panels import draw_seed_dots, label_margin, lay_out, name_margin, panel_grid, panel_width
from seqlab.charts.series_styles import SeriesStyle, series_styles
from seqlab.charts.style import MUTED, RULE
from seqlab.charts.ticks import drawable, levels_or_ticks, limits, set_axis, tick_labels, ticks
from seqlab.charts.units import display_unit
from seqlab.charts.words import axis_title, index_title, level_name, level_value, levels_of, wrapped
from seqlab.notebook.figures import Curve, Level
from seqlab.notebook.metrics import metric_named

_HEIGHTS = {1: 2.75, 2: 2.3, 3: 1.85, 4: 1.7}  # inches, by panels to a row
_FEW = 12  # up to so many values of x, each has a marker and each seed a dot


def plot(figure: Curve, summary: pd.DataFrame, samples: pd.DataFrame) -> Figure:
    """Draw `summary` (levels, x, estimate, low, high) and `samples` (levels, x, seed, value)."""
    metric = metric_named(figure.y)
    unit = display_unit(metric.unit, summary["estimate"], figure.y_scale)
    summary, samples = (_drawable_rows(figure, table, unit.size) for table in (summary, samples))
    guides = {
        wrapped(level_value(name), width=22): unit.of(value)
        for name, value in figure.guides.items()
        if drawable([value], figure.y_scale)
    }
    styles = series_styles(levels_of(summary, figure.hue))
    columns: Sequence[Level | None] = (levels_of(summary, figure.columns) if figure.columns else []) or [None]
    parts = [_column(figure, summary, column) for column in columns]
    few = figure.x != "step" and summary[figure.x].nunique() <= _FEW
    samples = samples[samples[figure.hue].isin(styles)] if few else samples.head(0)

    grid = panel_grid(len(columns))
    height = _HEIGHTS[grid.across]
    names = {level: wrapped(level_name(figure.hue, level), width=22) for level in styles}
    # Names beside the lines of the last panel serve all panels, if it has every line.
    beside = set(parts[-1][figure.hue]) == set(styles) and len(styles) <= height * 5
    y_bounds = limits(
        [*summary["estimate"], *samples["value"], *guides.values()],
        figure.y_scale,
        intervals=[*summary["low"], *summary["high"]],
        pad=0.05,
    )
    x_bounds = limits(summary[figure.x], figure.x_scale, pad=0.03)
    y_ticks = ticks(*y_bounds, figure.y_scale, most=6 if height > 2 else 5)
    left = label_margin(tick_labels(y_ticks, figure.y_scale))
    right = name_margin([*(names.values() if beside else ()), *guides])
    most = max(3, int(panel_width(grid, left=left, right=right) / 0.55))
    places = sorted(set(summary[figure.x].tolist()))
    top = lay_out(
        grid,
        height=height,
        left=left,
        right=right,
        x_title=index_title(figure.x, metric),
        y_title=axis_title(metric, unit),
        titles=["" if column is None else level_name(figure.columns, column) for column in columns],
        legend=0 if beside else len(legend_rows([*names.values()], lines=True)),
    )
    set_axis(
        grid.axes[0].xaxis,
        x_bounds,
        figure.x_scale,
        levels_or_ticks(places, *x_bounds, figure.x_scale, most),
    )
    set_axis(grid.axes[0].yaxis, y_bounds, figure.y_scale, y_ticks)
    for i, (panel, column, part) in enumerate(zip(grid.axes, columns, parts, strict=True)):
        panel.grid(visible=False, axis="x")
        for value in guides.values():
            panel.axhline(value, color=RULE, linewidth=0.9, linestyle=(0.0, (4.0, 2.0)), zorder=1.5)
        _dots(panel, figure, _column(figure, samples, column), styles)
        _lines(panel, figure, part, styles, few=few, index=i)
        panel.set(xlabel="", ylabel="")
    ends = [LineEnd(name, None, value, MUTED, "guide") for name, value in guides.items()]
    if beside:
        ends += _ends(figure, parts[-1], styles, names)
    else:
        draw_legend(grid.figure, [*names.values()], [*styles.values()], top=top, lines=True)
    label_line_ends(grid.axes[-1], ends)
    return grid.figure


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
    if not present:
        return
    before = len(panel.lines)
    sns.lineplot(
        part[[figure.x, "estimate", figure.hue]],
        x=figure.x,
        y="estimate",
        hue=figure.hue,
        hue_order=present,
        palette={level: styles[level].colour for level in present},
        estimator=None,
        errorbar=None,
        legend=False,
        ax=panel,
    )
    # Dashes and markers are set here, since seaborn's own `style` takes three times as long.
    for i, (level, line) in enumerate(zip(present, panel.lines[before:], strict=True)):
        style = styles[level]
        line.set(linestyle=style.linestyle, marker=style.marker, markeredgewidth=0)
        line.set_gid(f"series-{index}-{list(styles).index(level)}")
        if not few:
            stride = max(1, len(part) // len(present) // 6)
            line.set_markevery((i * stride // len(present), stride))
        _interval(panel, found[level], figure, style.colour)


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


def _dots(panel: Axes, figure: Curve, seeds: pd.DataFrame, styles: dict[Level, SeriesStyle]) -> None:
    """A pale dot for each seed, if there are several."""
    if not seeds.duplicated([figure.hue, figure.x]).any():
        return
    colours = [styles[level].colour for level in seeds[figure.hue]]
    draw_seed_dots(panel, seeds[figure.x].tolist(), seeds["value"].tolist(), colours, size=9)
