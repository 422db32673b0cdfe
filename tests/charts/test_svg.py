"""Is a drawing's text text, are its colours named, and does it tell its values?"""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from seqlab.charts import kept
from seqlab.charts.draw import FigureData, draw
from seqlab.charts.style import WIDTH
from tests.charts import planted
from tests.charts.boxes import SVG, outside, overlaps, texts_of


def drawn(kind: str, folder: Path) -> str:
    draw(*planted.KINDS[kind](), folder / "chart.svg")
    return (folder / "chart.svg").read_text()


@pytest.mark.parametrize("kind", planted.KINDS)
def test_shapes_and_letters_have_colours_that_a_page_s_style_knows(kind: str, tmp_path: Path) -> None:
    root = ET.fromstring(drawn(kind, tmp_path))
    for element in root.iter():
        coloured = "text" if element.tag == f"{SVG}text" else element.get("stroke") or element.get("fill")
        if coloured not in (None, "none") and not kind.startswith(("heatmap", "maps")):
            assert element.get("class"), ET.tostring(element)


def test_words_are_text_anchored_where_they_are_aligned(tmp_path: Path) -> None:
    root = ET.fromstring(drawn("interval", tmp_path))
    anchors = {text.text: text.get("text-anchor") for text in root.iter(f"{SVG}text")}
    assert anchors["LSTM"] == "end"
    assert anchors["guessing"] == "middle"
    assert anchors["0.900"] is None


def test_marks_tell_name_value_interval_and_seeds(tmp_path: Path) -> None:
    told = re.findall("<title>(.*?)</title>", drawn("curve", tmp_path))
    assert len(told) == 9
    assert "Transformer at 64: 64 ms (62.7 to 65.3), n = 5" in told
    assert "<title>" not in drawn("heatmap", tmp_path)


def test_nothing_leaves_a_panel_or_the_drawing(tmp_path: Path) -> None:
    figure, data = planted.curve()
    wide = data.summary.assign(low=-1e9, high=1e9)
    draw(figure, FigureData(wide, data.samples), tmp_path / "chart.svg")
    svg = (tmp_path / "chart.svg").read_text()
    numbers = [abs(float(n)) for d in re.findall(r' d="([^"]*)"', svg) for n in re.findall(r"-?[\d.]+", d)]
    assert max(numbers) <= 72 * WIDTH + 1
    assert not overlaps(svg)
    assert not outside(svg)


def test_the_boxes_find_what_they_are_for() -> None:
    body = '<text x="1" y="20" font-size="9">one</text><text x="9" y="22" font-size="9">two</text>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 30">{body}</svg>'
    assert overlaps(svg) == [("one", "two")]
    assert outside(svg.replace('x="9"', 'x="25"')) == ["two"]
    assert [words for words, *_ in texts_of(svg)] == ["one", "two"]


def test_a_drawing_is_kept_while_it_is_whole_and_made_from_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure, data = planted.curve()
    path = tmp_path / "chart.svg"
    alt, before = draw(figure, data, path), path.stat().st_mtime_ns
    assert draw(figure, data, path) == alt
    assert path.stat().st_mtime_ns == before
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert draw(figure, data, path) == alt
    assert path.read_bytes() == whole
    draw(replace(figure, guides={"half": 0.5}), data, path)
    assert path.read_bytes() != whole
    draw(figure, data, path)
    monkeypatch.setattr(kept, "_made_by", lambda: "other code")
    draw(figure, data, path)
    assert path.read_bytes() != whole  # at least its first line


def test_numbers_in_cells_keep_the_colour_that_suits_their_cell(tmp_path: Path) -> None:
    root = ET.fromstring(drawn("heatmap", tmp_path))
    classes = {text.text: text.get("class") for text in root.iter(f"{SVG}text")}
    assert classes["20.5"] is None
    assert classes["Length"] == "t muted"


def test_two_hundred_seeds_make_no_heavy_drawing(tmp_path: Path) -> None:
    figure, data = planted.curve(seeds=200)
    draw(figure, data, tmp_path / "chart.svg")
    assert (tmp_path / "chart.svg").stat().st_size < 60_000
    assert "seeds" in (tmp_path / "chart.svg").read_text()
