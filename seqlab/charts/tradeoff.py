"""How is one metric drawn against another? A mark for each level, with both intervals.

Marks of a level may be joined along a factor and grow with it; the largest then has the level's name.
"""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqlab.charts.colours import MUTED, RULE
from seqlab.charts.finding import finding
from seqlab.charts.hover import add_hover, seeds, told
from seqlab.charts.label_placement import Box, boxes_around, clearest, filled, text_width
from seqlab.charts.labels import draw_leader, in_inches, points_along, write_text
from seqlab.charts.panels import draw_seed_dots, label_margin, lay_out, panel_grid
from seqlab.charts.series_styles import SeriesStyle, series_styles
from seqlab.charts.style import LINE, SMALL, WIDTH
from seqlab.charts.ticks import limits, set_axis, tick_labels, ticks, ticks_across
from seqlab.charts.units import Unit, display_unit
from seqlab.charts.words import axis_title, direction, level_name, levels_of, wrapped
from seqlab.notebook.figures import Level, Scale, Tradeoff
from seqlab.notebook.metrics import Metric, metric_named

_HEIGHT = 3.0  # inches
_SIZES = (5.0, 9.0)  # points: the first and the last mark along a factor; a single mark is halfway
_SCALED = ("estimate", "low", "high", "value")


def plot(figure: Tradeoff, summary: pd.DataFrame, samples: pd.DataFrame) -> Figure:
    """Draw `summary` (hue, x_estimate, x_low, x_high, y_…) and `samples` (hue, seed, x_value, y_value)."""
    x, y = metric_named(figure.x), metric_named(figure.y)
    units = {
        "x": display_unit(x.unit, summary["x_estimate"], figure.x_scale),
        "y": display_unit(y.unit, summary["y_estimate"], figure.y_scale),
    }
    found = finding(figure, summary)
    summary, samples = (_drawable_rows(figure, table, units) for table in (summary, samples))
    levels = levels_of(summary, figure.hue)
    styles = series_styles(levels)
    roof = _roof(figure, summary, units)
    corner = roof or (np.nan, np.nan)
    x_bounds = _bounds("x", figure.x_scale, summary, samples, corner[0], x, units["x"])
    y_bounds = _bounds("y", figure.y_scale, summary, samples, corner[1], y, units["y"])
    x_ticks = ticks_across(*x_bounds, figure.x_scale, width=0.85 * WIDTH, most=7)
    y_ticks = ticks(*y_bounds, figure.y_scale, most=6)

    grid = panel_grid(1)
    (panel,) = grid.axes
    lay_out(
        grid,
        height=_HEIGHT,
        left=label_margin(tick_labels(y_ticks, figure.y_scale)),
        right=0.15,
        x_title=", ".join(filter(None, [axis_title(x, units["x"]), direction(x)])),
        finding=found,
        measure=axis_title(y, units["y"]),
        note=direction(y),
    )
    set_axis(panel.xaxis, x_bounds, figure.x_scale, x_ticks)
    set_axis(panel.yaxis, y_bounds, figure.y_scale, y_ticks)
    samples = samples[samples[figure.hue].isin(styles)]
    if samples.duplicated(_factors(figure)).any():
        colours = [styles[level].colour for level in samples[figure.hue]]
        draw_seed_dots(panel, samples["x_value"].tolist(), samples["y_value"].tolist(), colours, size=3.8)
    panel.set(xlabel="", ylabel="")
    taken = [np.empty((0, 2))]
    if roof:
        taken += _draw_roof(panel, figure, roof, summary)
    if figure.along:
        taken += _join(panel, figure, summary, styles)
    sizes = _sizes(figure, summary)
    for i, (row, size) in enumerate(zip(summary.to_dict("records"), sizes, strict=True)):
        _mark(panel, row, styles[row[figure.hue]], size=size, gid=f"series-0-{i}")
        ((left, up),) = in_inches(panel, np.array([(row["x_estimate"], row["y_estimate"])])).tolist()
        name = ", ".join(level_name(factor, row[factor]) for factor in _factors(figure))
        across = told("", row, units["x"], side="x_").removeprefix(": ")
        add_hover(panel, left, up, told(name, row, units["y"], side="y_") + f"; at {across}" + seeds(row))
    _name(panel, figure, summary, samples, styles, np.concatenate(taken))
    return grid.figure


def _factors(figure: Tradeoff) -> list[str]:
    return [name for name in (figure.hue, figure.along) if name]


def _drawable_rows(figure: Tradeoff, table: pd.DataFrame, units: Mapping[str, Unit]) -> pd.DataFrame:
    """The rows that both scales can show, in display units and sorted by `along`."""
    kept = table.dropna(subset=_factors(figure))
    kept = kept.sort_values(figure.along, kind="stable") if figure.along else kept
    sizes = {f"{side}_{name}": units[side].size for side in "xy" for name in _SCALED}
    kept = kept.assign(**{name: kept[name] / size for name, size in sizes.items() if name in kept})
    for side, scale in (("x", figure.x_scale), ("y", figure.y_scale)):
        place = f"{side}_estimate" if f"{side}_estimate" in kept else f"{side}_value"
        kept = kept.loc[np.isfinite(kept[place]) & ((scale == "linear") | (kept[place] > 0))]
    return kept


def _bounds(
    side: str,
    scale: Scale,
    summary: pd.DataFrame,
    samples: pd.DataFrame,
    corner: float,
    metric: Metric,
    unit: Unit,
) -> tuple[float, float]:
    points = [*summary[f"{side}_estimate"], *samples[f"{side}_value"], corner]
    ends = [*summary[f"{side}_low"], *summary[f"{side}_high"]]
    return limits(
        points, scale, intervals=ends, pad=0.09, span=(metric.least / unit.size, metric.most / unit.size)
    )


def _roof(figure: Tradeoff, summary: pd.DataFrame, units: Mapping[str, Unit]) -> tuple[float, float] | None:
    """The ridge point, where the roof's slope meets its height, in display units; None if not measured."""
    if not figure.roof or summary.empty:
        return None
    slope, height = (float(summary[name].iloc[0]) for name in ("roof_slope", "roof_height"))
    if not (np.isfinite(slope) and np.isfinite(height) and slope > 0 and height > 0):
        return None
    return height / slope / units["x"].size, height / units["y"].size


def _draw_roof(
    panel: Axes, figure: Tradeoff, corner: tuple[float, float], summary: pd.DataFrame
) -> list[np.ndarray]:
    """Draw the roof with names clear of the marks; returns the points that they cover (n x 2, in inches)."""
    assert figure.roof
    ridge, height = corner
    low, high = panel.get_xlim()
    apart = np.linspace if figure.x_scale == "linear" else np.geomspace
    x = np.unique([*apart(low, high, 200), ridge])
    (line,) = panel.plot(x, np.minimum(height / ridge * x, height), color=RULE, linewidth=1.2, zorder=1.5)
    line.set_gid("roof")
    at = in_inches(panel, np.asarray(line.get_xydata(), dtype=float))
    (left, bottom), (right, above) = in_inches(
        panel, np.array(list(zip(panel.get_xlim(), panel.get_ylim(), strict=True)))
    )
    slope, flat = (metric_named(name).title for name in figure.roof)
    wide = text_width(slope, SMALL)
    # Above the rising line, as low as it fits there, or below it where marks are in the way.
    rising = at[(at[:, 0] <= at[x.tolist().index(ridge), 0]) & (at[:, 1] > bottom)]
    half, off = LINE / 2, 0.6 * LINE
    boxes: list[Box] = [(a - wide, b + off - half, a, b + off + half) for a, b in rising if a - wide > left]
    boxes += [(a, b - off - half, a + wide, b - off + half) for a, b in rising if b - off - half > bottom]
    spaced = [(a - 0.4, b, c + 0.1, d) for a, b, c, d in boxes]  # otherwise it would seem to name a mark
    box = boxes[clearest(spaced, _marked(panel, summary))] if boxes else (left, above - LINE, left, above)
    write_text(panel, slope, x=box[0], y=(box[1] + box[3]) / 2, ink=MUTED, gid="roof-slope", size=SMALL)
    y = at[-1, 1] + LINE / 2
    write_text(panel, flat, x=right, y=y, ink=MUTED, gid="roof-height", size=SMALL, ha="right")
    return [
        points_along(panel, [line]),
        filled(box),
        filled((right - text_width(flat, SMALL), y - LINE / 2, right, min(y + LINE / 2, above))),
    ]


def _marked(panel: Axes, summary: pd.DataFrame) -> np.ndarray:
    """Points all along the marks' vertical intervals (n x 2, in inches)."""
    tips = [
        in_inches(panel, summary[["x_estimate", name]].to_numpy(dtype=float))
        for name in ("y_estimate", "y_low", "y_high")
    ]
    reach = [np.clip(tip - tips[0], -WIDTH, WIDTH) for tip in tips[1:]]
    points = np.concatenate([tips[0] + share * way for way in reach for share in np.linspace(0.0, 1.0, 60)])
    every = np.concatenate([tips[0], points])
    return np.asarray(every[np.isfinite(every).all(axis=1)])


def _join(
    panel: Axes, figure: Tradeoff, summary: pd.DataFrame, styles: Mapping[Level, SeriesStyle]
) -> list[np.ndarray]:
    """Draw a line through each level's marks; returns the points that the lines cover."""
    lines = []
    for level, part in summary.groupby(figure.hue, sort=False, observed=True):
        mark = styles[level]  # type: ignore[index]
        lines += panel.plot(part["x_estimate"], part["y_estimate"], color=mark.colour, linewidth=1.2)
        lines[-1].set(linestyle=mark.linestyle, alpha=0.6, gid="joined")
    return [points_along(panel, lines)]


def _sizes(figure: Tradeoff, summary: pd.DataFrame) -> list[float]:
    """The size of each row's mark, in points."""
    small, large = _SIZES
    if not figure.along:
        return [(small + large) / 2] * len(summary)
    steps = levels_of(summary, figure.along)
    share = {level: rank / max(1, len(steps) - 1) for rank, level in enumerate(steps)}
    return [small + (large - small) * share[level] for level in summary[figure.along]]


def _mark(panel: Axes, row: Mapping[Hashable, float], mark: SeriesStyle, *, size: float, gid: str) -> None:
    x, y = row["x_estimate"], row["y_estimate"]
    for side, bars in (("x", panel.hlines), ("y", panel.vlines)):
        low, high = row[f"{side}_low"], row[f"{side}_high"]
        if np.isfinite(low) and np.isfinite(high):
            floor = (panel.get_xlim() if side == "x" else panel.get_ylim())[0]
            bars(
                y if side == "x" else x,
                max(low, floor),
                high,
                color=mark.colour,
                linewidth=1.4,
                gid="interval",
            )
    (point,) = panel.plot([x], [y], linestyle="none", marker=mark.marker, color=mark.colour)
    point.set(markersize=size, markeredgewidth=0, gid=gid)


def _name(
    panel: Axes,
    figure: Tradeoff,
    summary: pd.DataFrame,
    samples: pd.DataFrame,
    styles: dict[Level, SeriesStyle],
    covered: np.ndarray,
) -> None:
    """Write a name beside each mark, or beside the last of joined marks, where it covers the least."""
    corners = list(zip(panel.get_xlim(), panel.get_ylim(), strict=True))
    (least_x, least_y), (most_x, most_y) = in_inches(panel, np.array(corners))
    spots = in_inches(panel, summary[["x_estimate", "y_estimate"]].to_numpy(dtype=float))
    seeds = in_inches(panel, samples[["x_value", "y_value"]].to_numpy(dtype=float))
    taken = [covered, seeds] + [
        spots + nudge for nudge in ((0, 0), (0.04, 0), (-0.04, 0), (0, 0.04), (0, -0.04))
    ]
    for tip in (
        ("x_low", "y_estimate"),
        ("x_high", "y_estimate"),
        ("x_estimate", "y_low"),
        ("x_estimate", "y_high"),
    ):
        reach = in_inches(panel, summary[list(tip)].to_numpy(dtype=float)) - spots
        reach = np.clip(reach, -WIDTH, WIDTH)  # a bar may leave the page
        taken += [spots + share * reach for share in np.linspace(0.0, 1.0, 150)[1:]]
    obstacles = np.concatenate(taken)
    obstacles = obstacles[np.isfinite(obstacles).all(axis=1)]
    last = ~summary[figure.hue].duplicated(keep="last")
    for i, (level, spot, bears) in enumerate(zip(summary[figure.hue], spots, last, strict=True)):
        if not bears or not np.isfinite(spot).all():
            continue
        text = wrapped(level_name(figure.hue, level))
        near = boxes_around(spot, text, off=0.09)
        boxes = [
            box
            for box in (*near, *boxes_around(spot, text, off=0.2), *boxes_around(spot, text, off=0.4))
            if box[0] > least_x
            and box[1] > least_y + 0.02
            and box[2] < most_x + 0.12
            and box[3] < most_y + 0.1
        ] or near
        left, bottom, right, above = boxes[clearest(boxes, obstacles)]
        corner = np.clip(spot, (left, bottom), (right, above))
        if np.hypot(*(corner - spot)) > 0.15:
            draw_leader(panel, [spot[0], corner[0]], [spot[1], corner[1]], styles[level].ink)
        write_text(panel, text, x=left, y=(bottom + above) / 2, ink=styles[level].ink, gid=f"label-{i}")
        obstacles = np.concatenate([obstacles, filled((left, bottom, right, above))])
