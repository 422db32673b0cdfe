"""A level looks the same in every chart, and unlike its neighbours."""

import pytest

from seqlab.charts.marks import KNOWN, Mark, marks


def test_a_known_level_keeps_its_mark_in_any_company() -> None:
    alone = marks(["LSTM"])["LSTM"]
    assert marks(["GRU", "RNN", "LSTM", "anything", "Transformer"])["LSTM"] == alone
    assert marks(["seasonal-naive"])["seasonal-naive"] == marks(["Seasonal naive"])["Seasonal naive"]


def test_an_unknown_level_keeps_its_mark_across_charts_and_processes() -> None:
    here = marks(["some new model"])["some new model"]
    assert marks(["some new model", "LSTM"])["some new model"].marker == here.marker
    assert here == Mark("#CC79A7", "^")  # pinned: Python's own hash differs by process


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
    given = marks(levels)
    assert list(given) == levels
    for cue in ("colour", "marker", "dash"):
        assert len({getattr(mark, cue) for mark in given.values()}) == len(levels), cue


def test_a_family_shares_its_colour() -> None:
    assert marks(["ViT"])["ViT"].colour == marks(["Transformer"])["Transformer"].colour
    assert marks(["LSTM, bias 3"])["LSTM, bias 3"].colour == marks(["LSTM"])["LSTM"].colour


def test_order_of_levels_changes_no_mark() -> None:
    names = ["ViT", "Transformer", "zebra", "LSTM 2", "yak"]
    assert marks(names) == marks(names[::-1])


@pytest.mark.parametrize("name", KNOWN)
def test_text_in_a_level_s_colour_is_legible_on_white(name: str) -> None:
    ink = KNOWN[name].ink
    channels = [int(ink[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.45  # 4.5, less the rounding to whole bytes
