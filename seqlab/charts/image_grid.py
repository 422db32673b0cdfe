"""How is a plate drawn: small pictures in rows, each row headed by the run that it is of?

Panels far wider than high (a chorale, a chain of residues) go one under another over the whole width;
others stand side by side. What the colours mean is said once, above all panels.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from seqlab.charts.key import key_rows
from seqlab.charts.labels import heading
from seqlab.charts.panels import margin
from seqlab.charts.placing import drawable_text, text_width
from seqlab.charts.shades import OPACITY, OVER, Look, said
from seqlab.charts.style import INK, LINE, MUTED, RULE, SMALL, TEXT, WIDTH
from seqlab.charts.ticks import ticks
from seqlab.notebook.artifacts import Panel

TALLEST = 8.2  # inches: what fits a page of paper with its caption
_GAP = 0.22  # inches between neighbouring panels
_AFTER = 0.14  # inches below a line of panels
_NAME = 0.13  # inches that a row's name needs
_LARGEST = 1.9  # inches: the width of a panel that has room to spare
_HIGHEST = 3.0  # inches: of a panel
_DOTS = 240  # an inch: fields are enlarged to so many, since some programs blur what they enlarge themselves
_RAMP = (0.7, 0.1)  # inches


@dataclass(frozen=True)
class Row:
    """The panels of one run, and what it is called (empty where there is but one)."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class _Box:
    """How large a panel is drawn, in inches, between the room for names and the next; `slot` is its share."""

    panel: Panel
    left: float
    slot: float
    width: float
    height: float

    @cached_property
    def title(self) -> list[str]:
        """The lines of its title: two at most."""
        lines: list[str] = []
        for word in self.panel.title.split():
            if lines and text_width(drawable_text(f"{lines[-1]} {word}")) <= self.slot + 0.04:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        kept = lines if len(lines) <= 2 else [lines[0], " ".join(lines[1:])]
        return [_fitted(line, self.slot, TEXT) for line in kept]


@dataclass(frozen=True)
class Line:
    """Panels that stand side by side, headed by a title or not."""

    title: str
    boxes: tuple[_Box, ...]

    @property
    def above(self) -> float:
        """Room for titles: the run's, the panels', and those of their upright axes."""
        rows = max(len(box.title) for box in self.boxes) + any(box.panel.y for box in self.boxes)
        return (LINE + 0.08 if self.title else 0.0) + rows * LINE + (0.04 if rows else 0.0)

    @property
    def below(self) -> float:
        return (0.19 + LINE if any(box.panel.x for box in self.boxes) else 0.0) + _AFTER

    @property
    def height(self) -> float:
        return self.above + max(box.height for box in self.boxes) + self.below


def _is_wide(panel: Panel) -> bool:
    rows, columns = len(panel.matrix), len(panel.matrix[0])
    return (columns >= 64 and columns >= 1.5 * rows) or (columns >= 24 and columns >= 4 * rows)


def _left(panel: Panel) -> float:
    """Room for the names of rows, or their numbers."""
    if panel.rows:
        return min(margin([drawable_text(name) for name in panel.rows]), WIDTH / 4)
    return margin([str(len(panel.matrix))]) if panel.y else 0.03


def _box(panel: Panel, left: float, room: float) -> _Box:
    """As large as fits a width: fields are square, unless rows would be too low or all of them too high."""
    rows, columns = len(panel.matrix), len(panel.matrix[0])
    if _is_wide(panel):
        least = 0.155 if panel.rows and rows <= 12 else 0.09 if rows <= 12 else 0.0
        return _Box(panel, left, room, room, min(rows * max(room / columns, least), _HIGHEST))
    width = min(room, _HIGHEST * columns / rows)
    return _Box(panel, left, room, width, max(width * rows / columns, 0.16))


def _across(most: int, panels: Sequence[Panel], left: float) -> int:
    """How many panels stand side by side where a run has up to `most`."""
    across = most if most <= 6 else next(n for n in (4, 5, 6) if n >= 6 or most <= 2 * n)
    if max(len(panel.matrix[0]) for panel in panels) > 40:  # fields would be too small to see
        across = min(across, 3)
    while across > 1 and across * (left + 0.9 + _GAP) - _GAP > WIDTH:
        across -= 1
    return math.ceil(most / math.ceil(most / across))  # as many in each line: three and two, not four and one


def _lines(rows: Sequence[Row]) -> list[Line]:
    """All panels in lines; those of equal width stand below each other."""
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
        lines += [Line(row.title if i == 0 else "", tuple(boxes)) for i, boxes in enumerate(together)]
    return lines


def pages(rows: Sequence[Row], look: Look) -> list[list[Line]]:
    """The plate in lines, cut into pieces that each fit a page; a run that goes on is headed again."""
    pieces: list[list[Line]] = []
    used, title = math.inf, ""
    for line in _lines(rows):
        title = line.title or title
        if used + line.height > TALLEST:
            pieces.append([])
            used, line = _key_height(look), replace(line, title=title)
        pieces[-1].append(line)
        used += line.height
    return pieces


def plot(lines: Sequence[Line], look: Look) -> Figure:
    """Draw lines of panels, one below the other. Call it inside `style.theme()`."""
    key = _key_height(look)
    total = key + sum(line.height for line in lines)
    figure = Figure(figsize=(WIDTH, total))
    _draw_key(figure, look, total)
    top, count = total - key, 0
    for i, line in enumerate(lines):
        if line.title:
            figure.text(
                0.02, top - LINE / 2, drawable_text(line.title), transform=figure.dpi_scale_trans, color=INK,
                weight="bold", va="center_baseline", gid=f"row-{i}",
            )  # fmt: skip
        x = 0.0
        for box in line.boxes:
            x += box.left
            _draw(figure, box, look, x=x, y=top - line.above - box.height, number=count)
            x, count = x + box.slot + _GAP, count + 1
        top -= line.height
    return figure


def _draw(figure: Figure, box: _Box, look: Look, *, x: float, y: float, number: int) -> None:
    panel, (across, total) = box.panel, figure.get_size_inches()
    rows, columns = len(panel.matrix), len(panel.matrix[0])
    axes = figure.add_axes(
        (x / across, y / total, box.width / across, box.height / total), label=f"panel {number}"
    )
    axes.set_gid(f"panel-{number}")
    axes.grid(visible=False)
    times = [max(1, math.ceil(_DOTS * size / n)) for size, n in ((box.height, rows), (box.width, columns))]
    image = look.rgba(panel).repeat(times[0], axis=0).repeat(times[1], axis=1)
    shown = axes.imshow(
        image, interpolation="none", aspect="auto", extent=(0.5, columns + 0.5, rows + 0.5, 0.5)
    )
    shown.set_gid(f"fields-{number}")
    axes.spines[:].set(visible=True, color=RULE, linewidth=0.5)
    axes.set_xticks(_places(columns, box.width / 0.5) if panel.x else [])
    names = dict(_named(panel, box.height / rows))
    axes.set_yticks(list(names), list(names.values()))
    axes.tick_params(axis="y", length=0, pad=3)
    above = y + box.height + 0.03 + LINE / 2
    if panel.y:
        heading(figure, _fitted(panel.y, box.width, SMALL), x=x, y=above, gid=f"y-title-{number}")
        above += LINE
    for i, line in enumerate(reversed(box.title)):
        figure.text(
            x, above + i * LINE, line, transform=figure.dpi_scale_trans, color=INK, va="center_baseline",
            gid=f"title-{number}",
        )  # fmt: skip
    if panel.x:
        title, centre = _fitted(panel.x, box.width, SMALL), x + box.width / 2
        heading(figure, title, x=centre, y=y - 0.19 - LINE / 2, gid=f"x-title-{number}", ha="center")


def _places(count: int, most: float) -> list[float]:
    """The first field, and round numbers of fields."""
    found = [value for value in ticks(0, count, "linear", most=max(int(most), 2)) if value == int(value) > 1]
    return [1.0, *found]


def _named(panel: Panel, height: float) -> Iterator[tuple[float, str]]:
    """As many names of rows as have room, or numbers where only the axis is named."""
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
    """The text, cut with an ellipsis where it is wider than its place. Some 0.04 inches may stick out."""
    text = drawable_text(text)
    if text_width(text, size) <= width + 0.04:
        return text
    while text and text_width(text + "…", size) > width + 0.04:
        text = text[:-1]
    return text.rstrip() + "…"


def _key_height(look: Look) -> float:
    lines = len(key_rows([*map(drawable_text, look.categories)], lines=False)) if look.categories else 0
    lines += look.shades is not None or look.over is not None
    return lines * LINE + (0.1 if lines else 0.0)


def _draw_key(figure: Figure, look: Look, total: float) -> None:
    """A swatch and a name for each category; a ramp with its two ends for shades, one for what is over."""
    inches, names, y = figure.dpi_scale_trans, [*map(drawable_text, look.categories)], total - LINE / 2
    for members in key_rows(names, lines=False) if names else []:
        x = 0.04
        for i in members:
            swatch = Rectangle((x, y - 0.05), 0.12, 0.1, transform=inches, facecolor=look.colours[i])
            swatch.set(edgecolor=RULE, linewidth=0.4, gid=f"key-{i}")
            figure.add_artist(swatch)
            figure.text(x + 0.18, y, names[i], transform=inches, color=INK, va="center_baseline")
            x += 0.18 + text_width(names[i]) + 0.2
        y -= LINE
    x = 0.04
    for gid, ends, colour in (("shades", look.shades, "black"), ("over", look.over, OVER)):
        if ends is None:
            continue
        low, high = said(*ends)
        words = "laid over: " if gid == "over" else ""
        x = _ramp(figure, words + low, high, colour, x=x, y=y, gid=gid)


def _ramp(figure: Figure, low: str, high: str, colour: str, *, x: float, y: float, gid: str) -> float:
    """Shades from clear to full with words at both ends; returns where the next may begin."""
    inches, (width, height), parts = figure.dpi_scale_trans, _RAMP, 14
    heading(figure, low, x=x, y=y, gid=f"{gid}-low")
    x += text_width(low) + 0.06
    for i in range(parts):
        figure.add_artist(
            Rectangle(
                (x + i * width / parts, y - height / 2), width / parts, height, transform=inches,
                facecolor=colour, alpha=(i + 0.5) / parts * (OPACITY if gid == "over" else 1.0), linewidth=0,
            )
        )  # fmt: skip
    frame = Rectangle((x, y - height / 2), width, height, transform=inches, fill=False, edgecolor=RULE)
    frame.set(linewidth=0.5, gid=gid)
    figure.add_artist(frame)
    x += width + 0.06
    figure.text(x, y, high, transform=inches, color=MUTED, va="center_baseline", gid=f"{gid}-high")
    return x + text_width(high) + 0.3
