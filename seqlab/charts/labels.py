"""Where does the label of a line go, so that no two labels overlap?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seqlab.charts.colours import MUTED
from seqlab.charts.label_placement import boxes_around, clearest, filled, line_height, spread, text_width
from seqlab.charts.style import TEXT


@dataclass(frozen=True)
class LineEnd:
    """A line's label, and its end in data coordinates; `x` is None for a line over the whole width."""

    text: str
    x: float | None
    y: float
    ink: str
    group: str


def in_inches(axes: Axes, points: np.ndarray) -> np.ndarray:
    """Data coordinates (n x 2) as inches from the figure's lower left corner."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return np.asarray(axes.transData.transform(points)) / figure.dpi


def points_along(axes: Axes, lines: Sequence[Line2D], *, step: float = 0.04) -> np.ndarray:
    """Points along lines, about `step` inches apart (n x 2, in inches), which labels should not cover."""
    points = [np.empty((0, 2))]
    for line in lines:
        at = in_inches(axes, np.asarray(line.get_xydata(), dtype=float))
        at = at[np.isfinite(at).all(axis=1)]
        for start, end in pairwise(at):
            count = int(np.hypot(*(end - start)) / step) + 2
            points.append(np.linspace(start, end, count))
    return np.concatenate(points)


def label_line_ends(axes: Axes, ends: Sequence[LineEnd]) -> None:
    """Write names at the ends of lines: in the right margin, moved apart, or beside a line that ends early.

    A thin leader line joins a line with a name that had to move far.
    """
    if not ends:
        return
    right = axes.get_xlim()[1]
    spots = in_inches(axes, np.array([(right if end.x is None else end.x, end.y) for end in ends]))
    edge = max((spot[0] for spot, end in zip(spots, ends, strict=True) if end.x is not None), default=0.0)
    early = [end.x is not None and spot[0] < edge - 0.15 for spot, end in zip(spots, ends, strict=True)]
    margin = [i for i in range(len(ends)) if not early[i]]
    low, high = in_inches(axes, np.array([(right, bound) for bound in axes.get_ylim()]))
    heights = [line_height(ends[i].text) for i in margin]
    placed = spread([spots[i][1] for i in margin], heights, low[1] - 0.04, high[1] + 0.08)
    names = []
    for i, height, y in zip(margin, heights, placed, strict=True):
        start = float(low[0]) + 0.08
        if abs(y - spots[i][1]) > 0.6 * height and ends[i].x is not None:
            draw_leader(
                axes, [spots[i][0] + 0.05, start - 0.02, start + 0.04], [spots[i][1], y, y], ends[i].ink
            )
            start += 0.07
        write_text(axes, ends[i].text, x=start, y=y, ink=ends[i].ink, gid=f"label-{ends[i].group}")
        wide = text_width(ends[i].text)
        names.append(filled((start, y - height / 2, start + wide, y + height / 2)))
    obstacles = np.concatenate([points_along(axes, axes.lines), *names])
    (floor,) = in_inches(axes, np.array([(axes.get_xlim()[0], axes.get_ylim()[0])]))
    for i in (i for i in range(len(ends)) if early[i]):
        near = [box for off in (0.08, 0.2, 0.35) for box in boxes_around(spots[i], ends[i].text, off=off)]
        boxes = [box for box in near if box[0] > floor[0] and box[1] > low[1] + 0.02] or near
        left, bottom, right_end, top = boxes[clearest(boxes, obstacles)]
        corner = np.clip(spots[i], (left, bottom), (right_end, top))
        if np.hypot(*(corner - spots[i])) > 0.15:
            draw_leader(axes, [spots[i][0], corner[0]], [spots[i][1], corner[1]], ends[i].ink)
        obstacles = np.concatenate([obstacles, filled((left, bottom, right_end, top))])
        write_text(
            axes, ends[i].text, x=left, y=(bottom + top) / 2, ink=ends[i].ink, gid=f"label-{ends[i].group}"
        )


def draw_leader(axes: Axes, x: Sequence[float], y: Sequence[float], ink: str) -> None:
    """A thin line from a mark to a name that had to move; coordinates in inches."""
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.add_artist(
        Line2D(x, y, transform=figure.dpi_scale_trans, color=ink, linewidth=0.5, alpha=0.7, gid="leader")
    )


def write_text(
    axes: Axes, text: str, *, x: float, y: float, ink: str, gid: str, size: float = TEXT, ha: str = "left"
) -> None:
    """Write text at a position in inches; `y` is its vertical middle."""
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.text(
        x,
        y,
        text,
        transform=figure.dpi_scale_trans,
        fontsize=size,
        color=ink,
        ha=ha,
        va="center" if "\n" in text else "center_baseline",
        linespacing=1.05,
        gid=gid,
    )


def write_title(figure: Figure, text: str, *, x: float, y: float, gid: str, ha: str = "left") -> None:
    """Write a grey line of text at a position in inches: the title of an axis or a panel."""
    figure.text(
        x, y, text, transform=figure.dpi_scale_trans, color=MUTED, ha=ha, va="center_baseline", gid=gid
    )
