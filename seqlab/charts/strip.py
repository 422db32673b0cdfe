"""How is a verdict drawn in a table row? As a strip: effect, interval, threshold and the claimed side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.charts.drawing import Drawing
from seqlab.charts.scales import Scale

WIDTH, HEIGHT = 150.0, 20.0  # of one strip

Bar = tuple[float, float, float]  # estimate, lower and upper bound


@dataclass(frozen=True)
class Strip:
    """One effect: `others` are the other cells of its rule, `title` what hovering tells."""

    bar: Bar
    others: tuple[float, ...]
    threshold: float
    above: bool  # whether the claimed side is above the threshold
    scale: Scale
    tone: str
    title: str = ""
    zero: float | None = None  # the value of no effect, where there is one


def draw_strips(strips: Sequence[Strip], path: Path) -> Path:
    """Write the strips, one below the other, as one SVG; returns its path."""
    drawing = Drawing(WIDTH, HEIGHT * max(len(strips), 1))
    for row, strip in enumerate(strips):
        _draw(drawing, strip, HEIGHT * row)
    return drawing.write(path)


def _draw(drawing: Drawing, strip: Strip, top: float) -> None:
    middle, edge = top + HEIGHT / 2, 5.0
    inner = WIDTH - 2 * edge

    def x(value: float) -> float:
        return edge + inner * min(max(strip.scale.at(value), 0.0), 1.0)

    limit = x(strip.threshold)
    left, right = (limit, WIDTH) if strip.above else (0.0, limit)
    drawing.box(left, top + 2, right - left, HEIGHT - 4, "wash")
    drawing.line((0, middle), (WIDTH, middle), "rule")
    if strip.zero is not None and 0 <= strip.scale.at(strip.zero) <= 1:
        drawing.line((x(strip.zero), top + 4), (x(strip.zero), top + HEIGHT - 4), "soft", dash="1.5 1.5")
    drawing.line((limit, top + 1), (limit, top + HEIGHT - 1), "ink", width=1.2)
    for other in strip.others:
        drawing.dot(x(other), middle, 2, strip.tone, faint=True)
    estimate, low, high = strip.bar
    if low < high:
        drawing.line((x(low), middle), (x(high), middle), strip.tone, width=2.4)
        for bound, is_right in ((low, False), (high, True)):
            if not 0 <= strip.scale.at(bound) <= 1:
                drawing.arrow(WIDTH if is_right else 0.0, middle, strip.tone, right=is_right)
    drawing.dot(x(estimate), middle, 3.6, strip.tone, title=strip.title)
