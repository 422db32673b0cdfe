"""How are panels laid out? In inches, in one pass.

The widths of tick labels are measured before anything is drawn; matplotlib's constrained layout would draw
everything several times.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from seqlab.charts.label_placement import text_width
from seqlab.charts.labels import write_title
from seqlab.charts.style import INK, LINE, SMALL, TEXT, WIDTH

_GAP = 0.3  # inches between neighbouring panels


@dataclass(frozen=True)
class PanelGrid:
    """A figure with panels that share both axes, `across` in each row."""

    figure: Figure
    axes: tuple[Axes, ...]
    across: int

    @property
    def down(self) -> int:
        """Number of rows of panels."""
        return math.ceil(len(self.axes) / self.across)


def panel_grid(count: int) -> PanelGrid:
    """A figure with `count` panels, not yet positioned; at most four in a row."""
    figure = Figure(figsize=(WIDTH, 3.0))
    FigureCanvasSVG(figure)
    axes: list[Axes] = []
    for i in range(count):
        first = axes[0] if axes else None
        panel = figure.add_axes((0.0, 0.0, 1.0, 1.0), sharex=first, sharey=first, label=f"panel {i}")
        panel.set_gid(f"panel-{i}")
        panel.set_axisbelow(True)
        axes.append(panel)
    across = count if count <= 4 else 3 if count in (5, 6, 9) else 4
    return PanelGrid(figure, tuple(axes), across)


def panel_width(grid: PanelGrid, *, left: float, right: float) -> float:
    """Width of a panel in inches, without the margins."""
    return (WIDTH - left - right - _GAP * (grid.across - 1)) / grid.across


def lay_out(
    grid: PanelGrid,
    *,
    height: float,
    left: float,
    right: float,
    x_title: str,
    y_title: str = "",
    titles: Sequence[str] = (),
    legend: int = 0,
    head: float = 0.0,
) -> float:
    """Position panels of `height` inches, and write the titles of axes and panels.

    `legend` is the number of rows to leave free for a legend above, whose top is returned (in inches);
    `head` is extra room between a panel and its title. The y-axis title is horizontal, above the axis.
    """
    figure, across, down = grid.figure, grid.across, grid.down
    title_room = head + (LINE + 0.03 if any(titles) else 0.0)
    above = 0.09 + (LINE if y_title else 0.0) + legend * LINE + (0.06 if legend else 0.0)
    below = 0.2 + (LINE if x_title else 0.0) + 0.03
    row = title_room + height
    total = above + down * row + (down - 1) * _GAP + below
    figure.set_size_inches(WIDTH, total)
    width = panel_width(grid, left=left, right=right)
    for i, panel in enumerate(grid.axes):
        x = left + (i % across) * (width + _GAP)
        y = total - above - (i // across) * (row + _GAP) - row
        panel.set_position((x / WIDTH, y / total, width / WIDTH, height / total))
        panel.tick_params(labelleft=i % across == 0, labelbottom=i + across >= len(grid.axes))
        if any(titles):
            figure.text(
                x,
                y + height + head + 0.11,
                titles[i],
                transform=figure.dpi_scale_trans,
                color=INK,
                va="center_baseline",
                gid=f"title-{i}",
            )
    if y_title:
        write_title(figure, y_title, x=0.02, y=total - 0.02 - LINE / 2, gid="y-title")
    if x_title:
        centre = left + (across * width + (across - 1) * _GAP) / 2
        write_title(figure, x_title, x=centre, y=0.03 + LINE / 2, gid="x-title", ha="center")
    return total - 0.04 - (LINE if y_title else 0.0)


def label_margin(labels: Sequence[str], *, size: float = SMALL) -> float:
    """Width of the left margin for tick labels, in inches."""
    return max((text_width(label, size) for label in labels), default=0.0) + 0.09


def name_margin(names: Sequence[str], *, size: float = TEXT) -> float:
    """Width of the right margin for names and their leader lines, in inches."""
    return max((text_width(name, size) for name in names), default=0.0) + 0.22


def draw_seed_dots(
    panel: Axes, x: Sequence[float], y: Sequence[float], colours: Sequence[str], *, size: float
) -> None:
    """Draw a pale dot for each seed; seaborn's scatterplot takes five times as long for the same dots."""
    dots = panel.scatter(x, y, c=colours, s=size, alpha=0.4, linewidth=0, zorder=1.8)
    dots.set_gid("seeds")
