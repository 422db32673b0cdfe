"""Where is there room for labels? Plain geometry, in inches."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import TextToPath

from seqlab.charts.style import TEXT

POINTS = 72.0  # in an inch
_TEXT_PATH = TextToPath()

Box = tuple[float, float, float, float]  # left, bottom, right, top


@cache
def text_width(text: str, size: float = TEXT, *, bold: bool = False) -> float:
    """Width of the widest line of a text, in inches, in a font that is wider than those of pages."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    measured = (_TEXT_PATH.get_text_width_height_descent(line, font, False)[0] for line in text.split("\n"))
    return float(max(measured)) / POINTS


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def drawable_text(text: str) -> str:
    """The text with unprintable characters as spaces, and characters that the font lacks as boxes."""
    shown = (letter if letter.isprintable() else " " for letter in text)
    return "".join(letter if ord(letter) in _letters() else "□" for letter in shown)


def line_height(text: str, size: float = TEXT) -> float:
    """Height of a text's lines, in inches."""
    return (text.count("\n") + 1) * 1.22 * size / POINTS


def spread(centres: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Move centres as little as possible (least squares) so that no two intervals of these sizes overlap.

    If all fit between `low` and `high`, they stay there. Pool adjacent violators: Ayer et al. (1955).
    """
    order = sorted(range(len(centres)), key=lambda i: (centres[i], i))
    # With the sizes subtracted, the only remaining constraint is the order.
    offsets, reach = [], 0.0
    for i in order:
        offsets.append(reach + sizes[i] / 2)
        reach += sizes[i]
    blocks: list[tuple[float, int]] = []
    for i, offset in zip(order, offsets, strict=True):
        blocks.append((centres[i] - offset, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (right, m), (left, n) = blocks.pop(), blocks.pop()
            blocks.append(((left * n + right * m) / (n + m), n + m))
    starts = [value for value, count in blocks for _ in range(count)]
    most = max(high - reach, low)
    placed = [0.0] * len(centres)
    for i, start, offset in zip(order, starts, offsets, strict=True):
        placed[i] = min(max(start, low), most) + offset
    return placed


def clearest(boxes: Sequence[Box], obstacles: np.ndarray) -> int:
    """The index of the box that covers the fewest obstacles (n x 2, in inches); the first of equals."""
    if not len(obstacles):
        return 0
    x, y = obstacles[:, 0], obstacles[:, 1]
    covered = [int(np.sum((a < x) & (x < c) & (b < y) & (y < d))) for a, b, c, d in boxes]
    return covered.index(min(covered))


def filled(box: Box) -> np.ndarray:
    """Points all over a box (n x 2), which labels should not cover."""
    left, bottom, right, above = box
    across, along = np.meshgrid(np.linspace(left, right, 12), np.linspace(bottom, above, 4))
    return np.column_stack([across.ravel(), along.ravel()])


def boxes_around(spot: Sequence[float], text: str, *, off: float, size: float = TEXT) -> list[Box]:
    """Candidate boxes for a text beside a point: right, left, above, below and the corners."""
    (x, y), w, h = spot, text_width(text, size), line_height(text, size)
    middle, centre = y - h / 2, x - w / 2
    up, down, left = y + 0.7 * off, y - h - 0.7 * off, x - w - off
    corners = [(centre, up), (centre, down), (x + off, up), (x + off, down), (left, up), (left, down)]
    places = [(x + off, middle), (left, middle), *corners]
    return [(a, b, a + w, b + h) for a, b in places]
