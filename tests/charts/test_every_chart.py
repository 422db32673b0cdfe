"""Is every chart of every page readable: no text over another or off the drawing, none too small?"""

import re
from pathlib import Path

import pytest

from seqlab.charts.draw import draw
from seqlab.charts.style import SMALL
from tests.charts.boxes import outside, overlaps
from tests.charts.pages import charts

PAPER = 162 / 25.4 * 72 / (6.8 * 72)  # the share of its size at which paper shows a drawing
LEAST = 7.0  # points on paper


@pytest.mark.parametrize("budget", ["quick", "full"])
def test_no_text_of_any_chart_covers_another_or_leaves_the_drawing(budget: str, tmp_path: Path) -> None:
    wrong = {}
    for name, figure, data in charts(budget):  # type: ignore[arg-type]
        draw(figure, data, path := tmp_path / f"{name}.svg")
        svg = path.read_text()
        if found := [*overlaps(svg), *outside(svg)]:
            wrong[name] = found
        assert min(map(float, re.findall(r'font-size="([\d.]+)"', svg))) >= SMALL
    assert not wrong


def test_the_smallest_text_prints_large_enough() -> None:
    assert SMALL * PAPER >= LEAST
