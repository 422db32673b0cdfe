"""How is one metric drawn against another: a mark for each level, with both of its intervals?"""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqlab.charts.labels import in_inches, leader, write
from seqlab.charts.marks import Mark, marks
from seqlab.charts.panels import margin, seed_dots, settle, sheet
from seqlab.charts.placing import around, clearest
from seqlab.charts.style import WIDTH
from seqlab.charts.ticks import limits, set_axis, tick_labels, ticks
from seqlab.charts.units import Unit, display_unit
from seqlab.charts.words import axis_title, level_name, levels_of, wrapped
from seqlab.figures import Level, Scale, Tradeoff
from seqlab.metrics import Metric, metric_named

_HEIGHT = 3.0  # inches
_SCALED = ("estimate", "low", "high", "value")


def plot(figure: Tradeoff, summary: pd.DataFrame, samples: pd.DataFrame) -> Figure:
    """Draw `summary` (hue, x_estimate, x_low, x_high, y_…) and `samples` (hue, seed, x_value, y_value)."""
    x, y = metric_named(figure.x), metric_named(figure.y)
    units = {
        "x": display_unit(x.unit, summary["x_estimate"], figure.x_scale),
        "y": display_unit(y.unit, summary["y_estimate"], figure.y_scale),
    }
    summary, samples = (_shown(figure, table, units) for table in (summary, samples))
    levels = levels_of(summary, figure.hue)
    given = marks(levels)
    x_bounds = _bounds("x", figure.x_scale, summary, samples)
    y_bounds = _bounds("y", figure.y_scale, summary, samples)
    x_ticks, y_ticks = ticks(*x_bounds, figure.x_scale, most=7), ticks(*y_bounds, figure.y_scale, most=6)

    page = sheet(1)
    (panel,) = page.axes
    settle(
        page,
        height=_HEIGHT,
        left=margin(tick_labels(y_ticks, figure.y_scale)),
        right=0.15,
        x_title=_directed(x, axis_title(x, units["x"])),
        y_title=_directed(y, axis_title(y, units["y"])),
    )
    set_axis(panel.xaxis, x_bounds, figure.x_scale, x_ticks)
    set_axis(panel.yaxis, y_bounds, figure.y_scale, y_ticks)
    samples = samples[samples[figure.hue].isin(given)]
    if samples.duplicated(figure.hue).any():
        colours = [given[level].colour for level in samples[figure.hue]]
        seed_dots(panel, samples["x_value"].tolist(), samples["y_value"].tolist(), colours, size=14)
    panel.set(xlabel="", ylabel="")
    for i, row in enumerate(summary.to_dict("records")):
        _mark(panel, row, given[row[figure.hue]], gid=f"series-0-{i}")
    _name(panel, figure, summary, samples, given)
    return page.figure


def _shown(figure: Tradeoff, table: pd.DataFrame, units: Mapping[str, Unit]) -> pd.DataFrame:
    """The table in display units, less what the scales cannot show."""
    kept = table.dropna(subset=[figure.hue])
    sizes = {f"{side}_{name}": units[side].size for side in "xy" for name in _SCALED}
    kept = kept.assign(**{name: kept[name] / size for name, size in sizes.items() if name in kept})
    for side, scale in (("x", figure.x_scale), ("y", figure.y_scale)):
        place = f"{side}_estimate" if f"{side}_estimate" in kept else f"{side}_value"
        kept = kept.loc[np.isfinite(kept[place]) & ((scale == "linear") | (kept[place] > 0))]
    return kept


def _bounds(side: str, scale: Scale, summary: pd.DataFrame, samples: pd.DataFrame) -> tuple[float, float]:
    points = [*summary[f"{side}_estimate"], *samples[f"{side}_value"]]
    ends = [*summary[f"{side}_low"], *summary[f"{side}_high"]]
    return limits(points, scale, intervals=ends, pad=0.09)


def _directed(metric: Metric, title: str) -> str:
    """Which way is good, since the eye must weigh two axes at once."""
    return title if metric.better == "neither" else f"{title}, {metric.better} is better"


def _mark(panel: Axes, row: Mapping[Hashable, float], mark: Mark, *, gid: str) -> None:
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
    (point,) = panel.plot([x], [y], linestyle="none", marker=mark.marker, color=mark.colour, markersize=7)
    point.set(markeredgewidth=0, gid=gid)


def _name(
    panel: Axes, figure: Tradeoff, summary: pd.DataFrame, samples: pd.DataFrame, given: dict[Level, Mark]
) -> None:
    """A name beside each mark, where it covers the least."""
    corners = list(zip(panel.get_xlim(), panel.get_ylim(), strict=True))
    (least_x, _), (most_x, most_y) = in_inches(panel, np.array(corners))
    spots = in_inches(panel, summary[["x_estimate", "y_estimate"]].to_numpy(dtype=float))
    seeds = in_inches(panel, samples[["x_value", "y_value"]].to_numpy(dtype=float))
    taken = [seeds] + [spots + nudge for nudge in ((0, 0), (0.04, 0), (-0.04, 0), (0, 0.04), (0, -0.04))]
    for tip in (
        ("x_low", "y_estimate"),
        ("x_high", "y_estimate"),
        ("x_estimate", "y_low"),
        ("x_estimate", "y_high"),
    ):
        reach = in_inches(panel, summary[list(tip)].to_numpy(dtype=float)) - spots
        reach = np.clip(reach, -WIDTH, WIDTH)  # a bar may run off the page
        taken += [spots + share * reach for share in np.linspace(0.0, 1.0, 150)[1:]]
    obstacles = np.concatenate(taken)
    obstacles = obstacles[np.isfinite(obstacles).all(axis=1)]
    for i, (level, spot) in enumerate(zip(summary[figure.hue], spots, strict=True)):
        if not np.isfinite(spot).all():
            continue
        text = wrapped(level_name(figure.hue, level))
        near = around(spot, text, off=0.09)
        boxes = [
            box
            for box in (*near, *around(spot, text, off=0.2), *around(spot, text, off=0.4))
            if box[0] > least_x and box[2] < most_x + 0.12 and box[3] < most_y + 0.1
        ] or near
        left, bottom, right, above = boxes[clearest(boxes, obstacles)]
        corner = np.clip(spot, (left, bottom), (right, above))
        if np.hypot(*(corner - spot)) > 0.15:
            leader(panel, [spot[0], corner[0]], [spot[1], corner[1]], given[level].ink)
        write(panel, text, x=left, y=(bottom + above) / 2, ink=given[level].ink, gid=f"label-{i}")
        across, along = np.meshgrid(np.linspace(left, right, 12), np.linspace(bottom, above, 4))
        obstacles = np.concatenate([obstacles, np.column_stack([across.ravel(), along.ravel()])])
