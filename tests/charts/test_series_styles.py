"""Does a level look the same in every chart, and unlike its neighbours?"""

import re

import pytest

from seqlab.charts.colours import HUES, NAMED, RAMP, TEXT_NAMED, TONES, Hue, text
from seqlab.charts.series_styles import series_styles
from seqlab.charts.words import levels_of
from seqlab.notebook.figures import Heatmap
from tests.charts.pages import ROOT, charts


def test_a_known_level_keeps_its_style_among_any_others() -> None:
    alone = series_styles(["LSTM"])["LSTM"]
    assert series_styles(["GRU", "RNN", "LSTM", "anything", "Transformer"])["LSTM"] == alone
    assert (
        series_styles(["seasonal-naive"])["seasonal-naive"]
        == series_styles(["Seasonal naive"])["Seasonal naive"]
    )


def test_an_unknown_level_keeps_its_style_across_charts_and_processes() -> None:
    here = series_styles(["some new idea"])["some new idea"]
    assert series_styles(["some new idea", "another"])["some new idea"].hue == here.hue
    assert (here.hue.name, here.marker) == ("wine", "X")  # pinned: Python's own hash differs by process


@pytest.mark.parametrize(
    "levels",
    [
        ["RNN", "LSTM", "GRU", "minGRU", "Transformer"],
        ["ViT", "CNN", "LSTM", "logistic regression", "ViT, convolutional stem"],
        ["LSTM, bias 0", "LSTM, bias 1", "LSTM, bias 3", "LSTM"],
        ["a", "b", "c", "d", "e", "f"],
        [32, 64, 128, 256],
        [True, False],
    ],
)
def test_markers_tell_the_levels_of_a_chart_apart_and_colours_the_families(levels: list[str]) -> None:
    styles = series_styles(levels)
    assert list(styles) == levels
    assert len({style.marker for style in styles.values()}) == len(levels)
    families = {str(level).partition(",")[0] for level in levels}
    assert len({style.hue for style in styles.values()}) == len(families)


def test_a_family_shares_its_hue() -> None:
    assert series_styles(["ViT"])["ViT"].hue == series_styles(["Transformer"])["Transformer"].hue
    assert series_styles(["LSTM, bias 3"])["LSTM, bias 3"].hue == series_styles(["LSTM"])["LSTM"].hue


def test_a_model_looks_the_same_in_every_chart_of_every_page() -> None:
    looks: dict[str, set[tuple[str, str, str]]] = {}
    for budget in ("quick", "full"):
        for name, figure, data in charts(budget):  # type: ignore[arg-type]
            factor = getattr(figure, "hue", "") or getattr(figure, "y", "")
            if factor not in data.summary or isinstance(figure, Heatmap):
                continue
            styles = series_styles(levels_of(data.summary, factor))
            assert len({(style.hue, style.tone, style.marker) for style in styles.values()}) == len(styles), (
                name
            )
            for level, style in styles.items():
                if factor == "model":
                    looks.setdefault(str(level), set()).add((style.hue.name, style.tone, style.marker))
    assert {model: found for model, found in looks.items() if len(found) > 1} == {}
    assert (
        len(
            {
                looks[name].copy().pop()
                for name in ("Transformer", "LSTM", "GRU", "RNN", "minGRU", "LRU", "TCN")
            }
        )
        == 7
    )


def test_the_order_of_levels_changes_no_style() -> None:
    names = ["ViT", "Transformer", "zebra", "LSTM 2", "yak"]
    assert series_styles(names) == series_styles(names[::-1])


@pytest.mark.parametrize("hue", HUES)
def test_text_in_a_level_s_colour_is_legible_on_white(hue: Hue) -> None:
    for tone in TONES:
        channels = [int(text(hue, tone)[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) >= 4.5


def test_a_page_s_style_knows_every_colour_of_a_drawing_and_has_the_same_for_white_paper() -> None:
    css = (ROOT / "report" / "theme" / "charts.css").read_text()
    for hue in (*HUES, *RAMP):
        [(light, of_text)] = re.findall(
            rf"\.drawing\) \.{hue.name} .*?light-dark\((#\w+),.*?light-dark\((#\w+),", css
        )
        assert (light, of_text) == (hue.mark, text(hue))
    names = {word for name in (*NAMED.values(), *TEXT_NAMED.values()) for word in name.split()}
    assert {name for name in names if f".drawing) .{name} " not in css} == set()
