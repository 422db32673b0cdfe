"""In which domains is one model ahead of its best opponent? A row for each, on one axis.

Domains have different metrics, so the axis counts what each rule asks for: 1 is the smallest difference that
was declared to matter, on the side that was claimed, and 0 is none. The axis is compressed outwards (by the
inverse hyperbolic sine), since some differences are many times as large.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.charts.drawing import TEXT, Drawing

WIDTH, ROW, TOP, FOOT = 340.0, 19.0, 17.0, 34.0
NUMBERS = 98.0  # room for the effects at the right, at least
LETTER = 5.7  # the width of an average letter in a wide font
MARKS = (-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100)
APART = 18.0  # between the numbers of the axis


@dataclass(frozen=True)
class ForestRow:
    """A domain: effect and bounds as multiples of the difference that matters, and the effect in words."""

    name: str
    effect: float
    low: float
    high: float
    text: str
    tone: str
    title: str = ""
    margin: float = 1.0  # half the zone of equivalence, in the same multiples
    others: tuple[float, ...] = ()  # the other cells


def draw_forest(rows: Sequence[ForestRow], path: Path, *, left: str, right: str) -> Path:
    """Write the rows as they are sorted; `left` and `right` name the sides of the axis. Returns the path."""
    drawing = Drawing(WIDTH, TOP + ROW * len(rows) + FOOT)
    shown = [value for row in rows for value in (row.effect, *row.others)]
    most = max(3.0, *(abs(value) for value in shown if math.isfinite(value))) if shown else 3.0
    span = math.asinh(1.15 * most)
    start = LETTER * max((len(row.name) for row in rows), default=0) + 9.0

    def place(value: float) -> float:
        found = math.asinh(value) / span if math.isfinite(value) else math.copysign(2, value)
        return 0.5 + 0.5 * min(max(found, -1.0), 1.0)

    # So wide that no mark touches the text in its row.
    rooms = [
        (WIDTH - LETTER * len(row.text) - 6.0 - start)
        / max(0.1, *map(place, (row.effect, row.high, *row.others)))
        for row in rows
    ]
    wide = min([WIDTH - start - NUMBERS, *rooms])

    def x(value: float) -> float:
        return start + wide * place(value)

    bottom = TOP + ROW * len(rows)
    for at, row in enumerate(rows):  # the zone in which a difference does not matter
        drawing.box(x(-row.margin), TOP + ROW * at, x(row.margin) - x(-row.margin), ROW, "wash")
    drawing.line((x(0), TOP - 3), (x(0), bottom + 3), "soft", dash="1.5 1.5")
    drawing.line((x(1), TOP - 3), (x(1), bottom + 3), "ink", width=1.1)
    drawing.text(x(1), TOP - 6, "claimed from here", "soft", anchor="middle" if most > 12 else "start")
    for at, row in enumerate(rows):
        _draw_row(drawing, row, TOP + ROW * (at + 0.5), x)
    drawing.line((start, bottom + 3), (start + wide, bottom + 3), "rule")
    written: list[float] = []
    for mark in sorted(MARKS, key=abs):
        if abs(mark) <= 1.1 * most and all(abs(x(mark) - one) >= APART for one in written):
            drawing.text(x(mark), bottom + 15, str(mark).replace("-", "−"), anchor="middle")
            written.append(x(mark))
    drawing.text(x(0) - 6, bottom + 30, f"◂ {left}", anchor="end")
    drawing.text(x(0) + 6, bottom + 30, f"{right} ▸")
    return drawing.write(path)


def _draw_row(drawing: Drawing, row: ForestRow, y: float, x: Callable[[float], float]) -> None:
    drawing.text(0, y + 3.6, row.name, "ink", size=TEXT)
    for other in row.others:
        drawing.dot(x(other), y, 2, row.tone, faint=True)
    if row.low < row.high:
        drawing.line((x(row.low), y), (x(row.high), y), row.tone, width=2.2)
    drawing.dot(x(row.effect), y, 3.6, row.tone, title=row.title)
    drawing.text(WIDTH, y + 3.6, row.text, "ink", anchor="end")
