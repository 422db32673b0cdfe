"""Does a level look the same in every chart, and unlike its neighbours?"""

import pytest

from seqlab.charts.series_styles import KNOWN, SeriesStyle, series_styles


def test_a_known_level_keeps_its_style_among_any_others() -> None:
    alone = series_styles(["LSTM"])["LSTM"]
    assert series_styles(["GRU", "RNN", "LSTM", "anything", "Transformer"])["LSTM"] == alone
    assert (
        series_styles(["seasonal-naive"])["seasonal-naive"]
        == series_styles(["Seasonal naive"])["Seasonal naive"]
    )


def test_an_unknown_level_keeps_its_style_across_charts_and_processes() -> None:
    here = series_styles(["some new model"])["some new model"]
    assert series_styles(["some new model", "LSTM"])["some new model"].marker == here.marker
    assert here == SeriesStyle("#CC79A7", "^")  # pinned: Python's own hash differs by process


@pytest.mark.parametrize(
    "levels",
    [
        ["RNN", "LSTM", "GRU", "minGRU", "Transformer"],
        ["ViT", "Transformer", "patch Transformer", "CNN", "TCN"],
        ["LSTM, bias 0", "LSTM, bias 1", "LSTM, bias 3", "LSTM"],
        ["a", "b", "c", "d", "e", "f", "g"],
        [32, 64, 128, 256],
        [True, False],
    ],
)
def test_colour_marker_and_dash_each_tell_the_levels_of_a_chart_apart(levels: list[str]) -> None:
    styles = series_styles(levels)
    assert list(styles) == levels
    for cue in ("colour", "marker", "dash"):
        assert len({getattr(mark, cue) for mark in styles.values()}) == len(levels), cue


def test_a_family_shares_its_colour() -> None:
    assert series_styles(["ViT"])["ViT"].colour == series_styles(["Transformer"])["Transformer"].colour
    assert series_styles(["LSTM, bias 3"])["LSTM, bias 3"].colour == series_styles(["LSTM"])["LSTM"].colour


def test_the_order_of_levels_changes_no_style() -> None:
    names = ["ViT", "Transformer", "zebra", "LSTM 2", "yak"]
    assert series_styles(names) == series_styles(names[::-1])


@pytest.mark.parametrize("name", KNOWN)
def test_text_in_a_level_s_colour_is_legible_on_white(name: str) -> None:
    ink = KNOWN[name].ink
    channels = [int(ink[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.45  # 4.5, less the rounding to whole bytes
