"""What must wait for what? Sequential operations against a sequence's length, a line for each model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seqlab.charts.drawing import TEXT, Drawing
from seqlab.charts.label_placement import text_width
from seqlab.charts.series_styles import series_styles
from seqlab.charts.units import number

WIDTH, HEIGHT = 320.0, 205.0
LEFT, TOP, BOTTOM = 34.0, 10.0, 34.0
POINTS = 72.0  # in an inch
GAP = 13.0  # between the names of lines

Points = Sequence[tuple[float, float]]


def draw_chain(lines: Mapping[str, Points], path: Path, *, x_title: str) -> Path:
    """Write the lines, whose first is the one to look at; each has its name at its end. Returns the path."""
    drawing = Drawing(WIDTH, HEIGHT)
    every = [point for points in lines.values() for point in points]
    far, top = max(x for x, _ in every), max(y for _, y in every)
    names = max(text_width(name, 1.12 * TEXT) for name in lines) * POINTS + 10  # the first is bold
    wide, high = WIDTH - LEFT - names, HEIGHT - TOP - BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + wide * x / far, TOP + high * (1 - y / top)

    for mark in (0.0, 0.5, 1.0):
        value = _round(top * mark)
        y = at(0, value)[1]
        drawing.line((LEFT, y), (LEFT + wide, y), "rule")
        drawing.text(LEFT - 5, y + 3.6, number(value), anchor="end")
    for x in sorted({x for x, _ in every}):
        if x >= far / 4:
            drawing.text(at(x, 0)[0], HEIGHT - BOTTOM + 14, number(x), anchor="middle")
    drawing.text(LEFT + wide / 2, HEIGHT - 5, x_title, anchor="middle")
    ends = {name: at(*points[-1])[1] for name, points in lines.items()}
    places = _apart(ends, TOP + 4, HEIGHT - BOTTOM)
    styles = series_styles(list(lines))
    for name, points in lines.items():
        style, first = styles[name], name == next(iter(lines))
        dash = " ".join(f"{style.width * length:.3g}" for length in style.dash)
        drawing.path([at(*point) for point in points], style.colour, width=2.4 if first else 1.5, dash=dash)
        for x, y in points:
            drawing.dot(*at(x, y), 2.2, style.colour, title=f"{name}, {number(x)}: {number(y)}")
        drawing.text(LEFT + wide + 7, places[name] + 3.6, name, style.ink, bold=first)
    return drawing.write(path)


def _round(value: float) -> float:
    """The value with one significant digit or two, for an axis."""
    size = 10.0 ** max(len(str(int(value))) - 2, 0)
    return size * (value // size)


def _apart(wanted: Mapping[str, float], top: float, bottom: float) -> dict[str, float]:
    """Heights near the wanted ones, at least a line apart, between top and bottom."""
    order = sorted(wanted, key=lambda name: wanted[name])
    places: dict[str, float] = {}
    for name in order:
        places[name] = max(wanted[name], max(places.values(), default=top - GAP) + GAP)
    floor = bottom
    for name in reversed(order):
        places[name] = min(places[name], floor)
        floor = places[name] - GAP
    return places
