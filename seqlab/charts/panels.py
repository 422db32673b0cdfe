"""How are panels laid out? In inches, in one pass.

The widths of tick labels are measured before anything is drawn; matplotlib's constrained layout would draw
everything several times.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqlab.charts.colours import INK
from seqlab.charts.label_placement import text_width
from seqlab.charts.labels import write_title
from seqlab.charts.style import LINE, SMALL, TEXT, TITLE, WIDTH

_GAP = 0.3  # inches between neighbouring panels
_TITLE_LINE = 0.21  # inches
_MOST_DOTS = 2_000  # of seeds in a panel: more could not be told apart


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


def panel_grid(count: int, *, one_x: bool = True) -> PanelGrid:
    """A figure with `count` panels, not yet positioned; at most four in a row.

    They share the y-axis and, with `one_x`, the x-axis.
    """
    figure = Figure(figsize=(WIDTH, 3.0))
    axes: list[Axes] = []
    for i in range(count):
        first = axes[0] if axes else None
        panel = figure.add_axes(
            (0.0, 0.0, 1.0, 1.0), sharex=first if one_x else None, sharey=first, label=f"panel {i}"
        )
        panel.set_gid(f"panel-{i}")
        panel.set_axisbelow(True)
        axes.append(panel)
    across = count if count <= 4 else 3 if count in (5, 6, 9) else 4
    return PanelGrid(figure, tuple(axes), across)


def panel_width(grid: PanelGrid, *, left: float, right: float) -> float:
    """Width of a panel in inches, without the margins, where all are equally wide."""
    return _room(grid, left=left, right=right) / grid.across


def _room(grid: PanelGrid, *, left: float, right: float) -> float:
    return WIDTH - left - right - _GAP * (grid.across - 1)


def panel_widths(grid: PanelGrid, reaches: Sequence[float], *, left: float, right: float) -> list[float]:
    """Widths of the panels in one row that reach so far along x, so that a unit is as wide in all of them.

    Each has at least a seventh of the room.
    """
    room, least = _room(grid, left=left, right=right), sum(reaches) / 7
    wide = [max(reach, least) for reach in reaches]
    return [room * reach / sum(wide) for reach in wide]


def lay_out(
    grid: PanelGrid,
    *,
    height: float,
    left: float,
    right: float,
    x_title: str,
    finding: str = "",
    measure: str = "",
    note: str = "",
    titles: Sequence[str] = (),
    legend: int = 0,
    head: float = 0.0,
    widths: Sequence[float] = (),
) -> float:
    """Position panels of `height` inches, and write the titles of the figure, of axes and panels.

    The figure's title is what was found, with the measure and a note on it below, or else the measure with
    the note below it.
    `legend` is the number of rows to leave free for a legend above, whose top is returned (in inches);
    `head` is extra room between a panel and its title. `widths` are those of the panels of a single row where
    they differ.
    """
    figure, across, down = grid.figure, grid.across, grid.down
    title_room = head + (LINE + 0.03 if any(titles) else 0.0)
    heads = title_lines(finding or measure)
    below_title = ", ".join(filter(None, [measure if finding else "", note]))
    title = len(heads) * _TITLE_LINE + (LINE if below_title else 0.0) + 0.05
    above = title + 0.07 + legend * LINE + (0.06 if legend else 0.0)
    below = 0.2 + (LINE if x_title else 0.0) + 0.03
    row = title_room + height
    total = above + down * row + (down - 1) * _GAP + below
    figure.set_size_inches(WIDTH, total)
    widths = widths or [panel_width(grid, left=left, right=right)] * len(grid.axes)
    for i, panel in enumerate(grid.axes):
        width, x = widths[i], left + sum(widths[i - i % across : i]) + (i % across) * _GAP
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
    for i, line in enumerate(heads):
        figure.text(
            0.0, total - 0.01 - (i + 0.5) * _TITLE_LINE, line, transform=figure.dpi_scale_trans, color=INK,
            size=TITLE, weight="bold", va="center_baseline", gid=f"head-{i}",
        )  # fmt: skip
    if below_title:
        y = total - 0.01 - len(heads) * _TITLE_LINE - LINE / 2
        write_title(figure, below_title[:1].upper() + below_title[1:], x=0.0, y=y, gid="note")
    if x_title:
        centre = left + (WIDTH - left - right) / 2
        write_title(figure, x_title, x=centre, y=0.03 + LINE / 2, gid="x-title", ha="center")
    return total - title - 0.02


def title_lines(text: str) -> list[str]:
    """A figure's title in lines that fit its width."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", TITLE, bold=True) <= WIDTH - 0.05:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def label_margin(labels: Sequence[str], *, size: float = SMALL) -> float:
    """Width of the left margin for tick labels, in inches."""
    return max((text_width(label, size) for label in labels), default=0.0) + 0.09


def name_margin(names: Sequence[str], *, size: float = TEXT) -> float:
    """Width of the right margin for names and their leader lines, in inches."""
    return max((text_width(name, size) for name in names), default=0.0) + 0.22


def draw_seed_dots(
    panel: Axes, x: Sequence[float], y: Sequence[float], colours: Sequence[str], *, size: float
) -> None:
    """Draw a pale dot of `size` points for each seed, by colour; of very many, evenly chosen ones."""
    stride = 1 + len(x) // _MOST_DOTS
    for colour in dict.fromkeys(colours):
        at = [i for i, other in enumerate(colours) if other == colour][::stride]
        (dots,) = panel.plot(
            [x[i] for i in at], [y[i] for i in at], linestyle="none", marker="o", color=colour
        )
        dots.set(markersize=size, alpha=0.45, markeredgewidth=0, zorder=1.8, gid="seeds")
