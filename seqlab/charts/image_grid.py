"""How is an image grid drawn? Small images in rows, each headed by the run that made them.

Panels that are much wider than high (a chorale, a chain of residues) take the whole width, one below the
other; others stand side by side. One legend above all panels explains the colours.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from seqlab.charts.colours import INK, MUTED, RULE
from seqlab.charts.image_colours import OVERLAY_COLOUR, OVERLAY_OPACITY, ColourScale, range_labels
from seqlab.charts.label_placement import drawable_text, text_width
from seqlab.charts.labels import write_title
from seqlab.charts.legend import legend_rows
from seqlab.charts.panels import label_margin
from seqlab.charts.run_panels import RunPanels
from seqlab.charts.style import LINE, SMALL, TEXT, WIDTH
from seqlab.charts.ticks import ticks
from seqlab.notebook.artifacts import Panel

MAX_HEIGHT = 8.2  # inches: fits a printed page together with its caption
_GAP = 0.22  # inches between neighbouring panels
_AFTER = 0.14  # inches below a row of panels
_NAME = 0.13  # inches: the height of a row's name
_LARGEST = 1.9  # inches: the largest width of a panel that stands beside others
_HIGHEST = 3.0  # inches: the largest height of a panel
_DOTS = 240  # per inch: images are enlarged here, since some programs blur when they enlarge
_COLOUR_BAR = (0.7, 0.1)  # inches


@dataclass(frozen=True)
class _Box:
    """The size of a panel in inches. `left` is the margin for row names, `slot` the width available."""

    panel: Panel
    left: float
    slot: float
    width: float
    height: float

    @cached_property
    def title(self) -> list[str]:
        """The lines of the panel's title: two at most."""
        lines: list[str] = []
        for word in self.panel.title.split():
            if lines and text_width(drawable_text(f"{lines[-1]} {word}")) <= self.slot + 0.04:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        kept = lines if len(lines) <= 2 else [lines[0], " ".join(lines[1:])]
        return [_fitted(line, self.slot, TEXT) for line in kept]


@dataclass(frozen=True)
class PanelRow:
    """Panels side by side, with or without a title."""

    title: str
    boxes: tuple[_Box, ...]

    @property
    def above(self) -> float:
        """Room above the panels for titles of the run, of the panels and of their y-axes."""
        rows = max(len(box.title) for box in self.boxes) + any(box.panel.y for box in self.boxes)
        return (LINE + 0.08 if self.title else 0.0) + rows * LINE + (0.04 if rows else 0.0)

    @property
    def below(self) -> float:
        """Room below the panels for tick labels and x-axis titles."""
        return (0.19 + LINE if any(box.panel.x for box in self.boxes) else 0.0) + _AFTER

    @property
    def height(self) -> float:
        """The height of the whole row."""
        return self.above + max(box.height for box in self.boxes) + self.below


def _is_wide(panel: Panel) -> bool:
    rows, columns = len(panel.matrix), len(panel.matrix[0])
    return (columns >= 64 and columns >= 1.5 * rows) or (columns >= 24 and columns >= 4 * rows)


def _left(panel: Panel) -> float:
    """The left margin for row names or row numbers."""
    if panel.rows:
        return min(label_margin([drawable_text(name) for name in panel.rows]), WIDTH / 4)
    return label_margin([str(len(panel.matrix))]) if panel.y else 0.03


def _box(panel: Panel, left: float, room: float) -> _Box:
    """As large as fits the width; pixels are square, unless rows would be too low or the panel too high."""
    rows, columns = len(panel.matrix), len(panel.matrix[0])
    if _is_wide(panel):
        least = 0.155 if panel.rows and rows <= 12 else 0.09 if rows <= 12 else 0.0
        return _Box(panel, left, room, room, min(rows * max(room / columns, least), _HIGHEST))
    width = min(room, _HIGHEST * columns / rows)
    return _Box(panel, left, room, width, max(width * rows / columns, 0.16))


def _across(most: int, panels: Sequence[Panel], left: float) -> int:
    """The number of panels side by side, where a run has at most `most`."""
    across = most if most <= 6 else next(n for n in (4, 5, 6) if n >= 6 or most <= 2 * n)
    if max(len(panel.matrix[0]) for panel in panels) > 40:  # pixels would be too small to see
        across = min(across, 3)
    while across > 1 and across * (left + 0.9 + _GAP) - _GAP > WIDTH:
        across -= 1
    return math.ceil(most / math.ceil(most / across))  # balanced rows: three and two, not four and one


def _lines(rows: Sequence[RunPanels]) -> list[PanelRow]:
    """All panels in rows; panels of equal width are aligned."""
    panels = [panel for row in rows for panel in row.panels]
    wide, narrow = ([one for one in panels if _is_wide(one) == so] for so in (True, False))
    inset = max(map(_left, wide), default=0.0)
    left = max(map(_left, narrow), default=0.0)
    most = max((sum(not _is_wide(panel) for panel in row.panels) for row in rows), default=1)
    across = _across(most, narrow, left) if narrow else 1
    room = min((WIDTH - 0.05 + _GAP) / across - _GAP - left, _LARGEST if across > 1 else 2 * _LARGEST)
    lines = []
    for row in rows:
        together: list[list[_Box]] = []
        for panel in row.panels:
            if _is_wide(panel):
                together.append([_box(panel, inset, WIDTH - 0.1 - inset)])
                continue
            box = _box(panel, left, room)
            if not together or _is_wide(together[-1][-1].panel) or len(together[-1]) == across:
                together.append([])
            together[-1].append(box)
        lines += [PanelRow(row.title if i == 0 else "", tuple(boxes)) for i, boxes in enumerate(together)]
    return lines


def pages(rows: Sequence[RunPanels], scale: ColourScale) -> list[list[PanelRow]]:
    """The rows, divided into pages. The title of a run that continues on the next page is repeated."""
    pieces: list[list[PanelRow]] = []
    used, title = math.inf, ""
    for line in _lines(rows):
        title = line.title or title
        if used + line.height > MAX_HEIGHT:
            pieces.append([])
            used, line = _legend_height(scale), replace(line, title=title)
        pieces[-1].append(line)
        used += line.height
    return pieces


def plot(lines: Sequence[PanelRow], scale: ColourScale) -> Figure:
    """Draw rows of panels, one below the other. Call within `style.theme()`."""
    legend = _legend_height(scale)
    total = legend + sum(line.height for line in lines)
    figure = Figure(figsize=(WIDTH, total))
    _draw_legend(figure, scale, total)
    top, count = total - legend, 0
    for i, line in enumerate(lines):
        if line.title:
            figure.text(
                0.02, top - LINE / 2, drawable_text(line.title), transform=figure.dpi_scale_trans, color=INK,
                weight="bold", va="center_baseline", gid=f"row-{i}",
            )  # fmt: skip
        x = 0.0
        for box in line.boxes:
            x += box.left
            _draw(figure, box, scale, x=x, y=top - line.above - box.height, number=count)
            x, count = x + box.slot + _GAP, count + 1
        top -= line.height
    return figure


def _draw(figure: Figure, box: _Box, scale: ColourScale, *, x: float, y: float, number: int) -> None:
    panel, (across, total) = box.panel, figure.get_size_inches()
    rows, columns = len(panel.matrix), len(panel.matrix[0])
    axes = figure.add_axes(
        (x / across, y / total, box.width / across, box.height / total), label=f"panel {number}"
    )
    axes.set_gid(f"panel-{number}")
    axes.grid(visible=False)
    times = [max(1, math.ceil(_DOTS * size / n)) for size, n in ((box.height, rows), (box.width, columns))]
    image = scale.rgba(panel).repeat(times[0], axis=0).repeat(times[1], axis=1)
    shown = axes.imshow(
        image, interpolation="none", aspect="auto", extent=(0.5, columns + 0.5, rows + 0.5, 0.5)
    )
    shown.set_gid(f"{'fields' if panel.categories else 'shades'}-{number}")
    axes.spines[:].set(visible=True, color=RULE, linewidth=0.5)
    axes.set_xticks(_places(columns, box.width / 0.5) if panel.x else [])
    names = dict(_named(panel, box.height / rows))
    axes.set_yticks(list(names), list(names.values()))
    axes.tick_params(axis="y", length=0, pad=3)
    above = y + box.height + 0.03 + LINE / 2
    if panel.y:
        write_title(figure, _fitted(panel.y, box.width, SMALL), x=x, y=above, gid=f"y-title-{number}")
        above += LINE
    for i, line in enumerate(reversed(box.title)):
        figure.text(
            x, above + i * LINE, line, transform=figure.dpi_scale_trans, color=INK, va="center_baseline",
            gid=f"title-{number}",
        )  # fmt: skip
    if panel.x:
        title, centre = _fitted(panel.x, box.width, SMALL), x + box.width / 2
        write_title(figure, title, x=centre, y=y - 0.19 - LINE / 2, gid=f"x-title-{number}", ha="center")


def _places(count: int, most: float) -> list[float]:
    """Tick positions: 1, and round numbers."""
    found = [value for value in ticks(0, count, "linear", most=max(int(most), 2)) if value == int(value) > 1]
    return [1.0, *found]


def _named(panel: Panel, height: float) -> Iterator[tuple[float, str]]:
    """As many row names as fit, or row numbers where only the axis has a title."""
    if not panel.rows and panel.y:
        for place in _places(len(panel.matrix), len(panel.matrix) * height / 0.35):
            yield place, f"{place:,.0f}"
        return
    free = -math.inf
    for i, name in enumerate(panel.rows, start=1):
        if name and i * height - free > 0.98 * _NAME:
            yield float(i), _fitted(name, WIDTH / 4 - 0.09, SMALL)
            free = i * height


def _fitted(text: str, width: float, size: float) -> str:
    """The text, cut with an ellipsis where it exceeds the width by more than 0.04 inches."""
    text = drawable_text(text)
    if text_width(text, size) <= width + 0.04:
        return text
    while text and text_width(text + "…", size) > width + 0.04:
        text = text[:-1]
    return text.rstrip() + "…"


def _legend_height(scale: ColourScale) -> float:
    lines = len(legend_rows([*map(drawable_text, scale.categories)], lines=False)) if scale.categories else 0
    lines += scale.shade_range is not None or scale.overlay_range is not None
    return lines * LINE + (0.1 if lines else 0.0)


def _draw_legend(figure: Figure, scale: ColourScale, total: float) -> None:
    """A swatch and a name for each category, and a colour bar each for shades and the overlay."""
    inches, names, y = figure.dpi_scale_trans, [*map(drawable_text, scale.categories)], total - LINE / 2
    for members in legend_rows(names, lines=False) if names else []:
        x = 0.04
        for i in members:
            swatch = Rectangle((x, y - 0.05), 0.12, 0.1, transform=inches, facecolor=scale.colours[i])
            swatch.set(edgecolor=RULE, linewidth=0.4, gid=f"legend-{i}")
            figure.add_artist(swatch)
            figure.text(x + 0.18, y, names[i], transform=inches, color=INK, va="center_baseline")
            x += 0.18 + text_width(names[i]) + 0.2
        y -= LINE
    x = 0.04
    for gid, ends, colour in (
        ("shades", scale.shade_range, "black"),
        ("over", scale.overlay_range, OVERLAY_COLOUR),
    ):
        if ends is None:
            continue
        low, high = range_labels(*ends)
        prefix = "overlay: " if gid == "over" else ""
        x = _colour_bar(figure, prefix + low, high, colour, x=x, y=y, gid=gid)


def _colour_bar(figure: Figure, low: str, high: str, colour: str, *, x: float, y: float, gid: str) -> float:
    """A bar from transparent to opaque with its range; returns where the next element may begin."""
    inches, (width, height), parts = figure.dpi_scale_trans, _COLOUR_BAR, 14
    opacity = OVERLAY_OPACITY if gid == "over" else 1.0
    write_title(figure, low, x=x, y=y, gid=f"{gid}-low")
    x += text_width(low) + 0.06
    for i in range(parts):
        figure.add_artist(
            Rectangle(
                (x + i * width / parts, y - height / 2), width / parts, height, transform=inches,
                facecolor=colour, alpha=(i + 0.5) / parts * opacity, linewidth=0,
            )
        )  # fmt: skip
    frame = Rectangle((x, y - height / 2), width, height, transform=inches, fill=False, edgecolor=RULE)
    frame.set(linewidth=0.5, gid=gid)
    figure.add_artist(frame)
    x += width + 0.06
    figure.text(x, y, high, transform=inches, color=MUTED, va="center_baseline", gid=f"{gid}-high")
    return x + text_width(high) + 0.3
