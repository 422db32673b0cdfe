"""Do the small pictures show what they are given: on one scale, within their frame, told on hovering?"""

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.charts.chain import draw_chain
from seqlab.charts.drawing import TONES
from seqlab.charts.forest import LETTER, ROW, TOP, ForestRow, draw_forest
from seqlab.charts.scales import Scale
from seqlab.charts.strip import WIDTH, Strip, draw_strips

SVG = "{http://www.w3.org/2000/svg}"


def drawn(path: Path) -> ET.Element:
    """The picture; every mark has its colour as an attribute and as a class, and nothing has an id."""
    root = ET.parse(path).getroot()
    assert "id=" not in path.read_text()
    for mark in root.iter():
        role, _, tone = mark.get("class", "").partition("-")
        if tone in TONES:
            assert mark.get({"s": "stroke", "f": "fill"}[role]) == TONES[tone]
    return root


def strip(estimate: float, scale: Scale, **more: object) -> Strip:
    given = {"others": (), "threshold": 0.5, "above": False, "tone": "red", "title": "told"}
    return Strip(bar=(estimate, estimate / 2, estimate * 2), scale=scale, **(given | more))  # type: ignore[arg-type]


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=9), st.booleans())
def test_every_value_has_its_place_on_the_scale_and_order_is_kept(values: list[float], log: bool) -> None:
    scale = Scale.of(values, log=log)
    places = [scale.at(value) for value in sorted(values)]
    assert places == sorted(places)
    if not log or (max(values) <= 64 and min(values) >= 1 / 64):
        assert all(0 < place < 1 for place in places)


def test_a_scale_of_ratios_treats_halves_and_doubles_alike() -> None:
    scale = Scale.of([0.25, 4.0], log=True)
    assert scale.at(2.0) - scale.at(1.0) == pytest.approx(scale.at(1.0) - scale.at(0.5))
    assert scale.at(0.0) < 0
    assert scale.ends[0] * scale.ends[1] == pytest.approx(1.0)


def test_equal_effects_stand_at_the_same_place_in_every_strip(tmp_path: Path) -> None:
    scale = Scale.of([0.1, 10.0], log=True)
    both = drawn(draw_strips([strip(2.0, scale), strip(2.0, scale)], tmp_path / "both.svg"))
    first, second = (float(dot.get("cx", "")) for dot in both.iter(f"{SVG}circle"))
    assert first == second
    assert [title.text for title in both.iter(f"{SVG}title")] == ["told", "told"]


def test_what_lies_beyond_the_scale_ends_in_an_arrow_within_the_frame(tmp_path: Path) -> None:
    root = drawn(draw_strips([strip(1e6, Scale.of([0.1, 10.0], log=True))], tmp_path / "far.svg"))
    assert len(list(root.iter(f"{SVG}polygon"))) == 2
    assert all(0 <= float(dot.get("cx", "")) <= WIDTH for dot in root.iter(f"{SVG}circle"))


def row(name: str, effect: float, **more: object) -> ForestRow:
    given = {"low": effect - 0.5, "high": effect + 0.5, "text": f"{effect:g} pts vs CNN", "tone": "blue"}
    return ForestRow(name, effect, **(given | more))  # type: ignore[arg-type]


def test_a_forest_has_a_row_for_each_domain_from_better_to_worse(tmp_path: Path) -> None:
    rows = [row("Music", 2.0), row("A <name>", -40.0, others=(-90.0, math.inf))]
    path = draw_forest(rows, tmp_path / "forest.svg", left="worse", right="better")
    root = drawn(path)
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert words.index("Music") < words.index("A <name>")
    dots = [float(dot.get("cx", "")) for dot in root.iter(f"{SVG}circle") if not dot.get("opacity")]
    assert dots[0] > dots[1]
    numbers = sorted(
        (float(text.get("x", "")), float(text.get("y", "")))
        for text in root.iter(f"{SVG}text")
        if re.fullmatch("−?[0-9]+", text.text or "")
    )
    assert all(b[0] - a[0] >= 18 for a, b in pairwise(numbers))  # none overlap


def test_no_mark_of_a_forest_touches_the_words_of_its_row(tmp_path: Path) -> None:
    texts = ("+40 pts vs CNN", "+8 pts vs 8-gram + cache", "−0.0068 bit vs minGRU")
    rows = [
        row("Longer sequences", effect, text=text, others=(0.9 * effect, -effect))
        for effect, text in zip((40.0, 8.0, -40.0), texts, strict=True)
    ]
    root = drawn(draw_forest(rows, tmp_path / "forest.svg", left="worse", right="better"))
    words = {
        text.text: float(text.get("x", "")) for text in root.iter(f"{SVG}text") if text.get("x") is not None
    }
    for at, text in enumerate(texts):
        middle = TOP + ROW * (at + 0.5)
        places = [
            float(dot.get("cx", ""))
            for dot in root.iter(f"{SVG}circle")
            if float(dot.get("cy", "")) == pytest.approx(middle, abs=0.1)
        ]
        assert len(places) == 3
        assert max(places) < words[text] - LETTER * len(text)
        assert min(places) > LETTER * len("Longer sequences")


def test_a_chain_names_every_line_without_overlap(tmp_path: Path) -> None:
    lines = {
        name: [(8.0, 10.0 + i), (64.0, 20.0 + i)] for i, name in enumerate(("Transformer", "LSTM", "GRU"))
    }
    root = drawn(draw_chain(lines, tmp_path / "chain.svg", x_title="length"))
    heights = sorted(float(text.get("y", "")) for text in root.iter(f"{SVG}text") if text.text in lines)
    assert len(heights) == 3
    assert all(b - a >= 12 for a, b in pairwise(heights))
    assert "LSTM, 64: 21" in [title.text for title in root.iter(f"{SVG}title")]
