"""Has every published figure its source, do its sums come out, and does a verdict rest on two statements?"""

import math
import re
from pathlib import Path
from typing import get_args

import pytest

from seqlab.errors import UsageError
from seqlab.tasks import published

KNOWN = published.load()
BIBLIOGRAPHY = (Path(__file__).parents[2] / "report" / "references.bib").read_text(encoding="utf-8")
DAY = 24 * 60 * 60
WIDTH, LAYERS, HEADS = 18_432, 118, 48 * 256  # PaLM's
# What the file calls computed, done again from the numbers that its `place` names.
SUMS = {
    ("GNMT", "days to train", "vaswani2017attention"): 1.4e20 / (96 * 2.8e12) / DAY,
    ("LSTM with experts", "days to train", "vaswani2017attention"): 1.2e20 / (64 * 3.7e12) / DAY,
    ("GPT-3", "days to train", "patterson2021carbon"): 3.14e23 / (10_000 * 24.6e12) / DAY,
    ("GPT-3 on A100", "days to train", "narayanan2021efficient"): (
        8 * 300e9 * 175e9 / (1_024 * 140e12) / DAY
    ),
    # Three matrices of width × 4 widths, queries and their way out, one shared head of keys and of values.
    ("PaLM", "parameters", "chowdhery2022palm"): (
        LAYERS * (12 * WIDTH**2 + 2 * WIDTH * HEADS + 2 * WIDTH * 256) + 256_000 * WIDTH
    ),
    ("PaLM", "tokens", "chowdhery2022palm"): (
        2_048 * (50_000 * 512 + 65_000 * 1_024 + 140_000 * 2_048)
    ),
    ("PaLM", "chips", "chowdhery2022palm"): 238_300 * 6 * 540e9 / (0.457 * 275e12),
}  # fmt: skip


def test_every_source_is_in_the_bibliography_and_used() -> None:
    keys = set(re.findall(r"^@\w+\{([^,]+),", BIBLIOGRAPHY, re.MULTILINE))
    assert set(KNOWN.sources) <= keys
    assert {figure.source.key for figure in KNOWN.figures} == set(KNOWN.sources)


def test_every_figure_says_where_it_stands_and_how_it_was_read() -> None:
    for figure in KNOWN.figures:
        assert figure.place
        assert figure.how in get_args(published.How)
        assert figure.value > 0


def test_no_figure_is_stated_twice_alike() -> None:
    stated = [(figure.model, figure.what, figure.source.key, figure.how) for figure in KNOWN.figures]
    assert len(set(stated)) == len(stated)


def test_what_is_computed_comes_out_again() -> None:
    computed = {
        (figure.model, figure.what, figure.source.key): figure.value
        for figure in KNOWN.figures
        if figure.how == "computed"
    }
    assert computed == pytest.approx(SUMS, rel=0.005)


def test_days_before_the_transformer_are_those_of_the_dates() -> None:
    attention = KNOWN.sources["vaswani2017attention"].date
    dated = [figure for figure in KNOWN.figures if figure.what == "days before the Transformer"]
    assert [figure.value for figure in dated] == [(attention - figure.source.date).days for figure in dated]
    assert len(dated) == 2


def test_two_statements_that_agree_are_a_figure() -> None:
    assert KNOWN.agreed("GPT-3", "tokens") == 300e9
    assert KNOWN.agreed("GNMT", "days to train") == 6


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ("T5", "operations"),  # a fifth apart
        ("LSTM of 2014", "days to train"),  # one statement
    ],
)
def test_one_statement_or_two_that_differ_are_none(model: str, what: str) -> None:
    with pytest.raises(UsageError, match="expected two statements within 5 %"):
        KNOWN.agreed(model, what)


def test_what_is_only_quoted_never_counts() -> None:
    assert any(figure.how == "quoted" for figure in KNOWN.figures)
    assert {figure.source.key for figure in KNOWN.named("GNMT", "days to train")} == {
        "shazeer2017outrageously",
        "vaswani2017attention",
    }


def test_an_unknown_figure_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'GPT-3: tokens'"):
        KNOWN.named("GPT-3", "token")


@pytest.mark.parametrize(
    ("allowed", "figure", "expected"),
    [
        ((2.0, 4.0), 3.0, 0),
        ((2.0, 4.0), 1.0, 1 / 2),
        ((2.0, 4.0), 5.0, 1 / 5),
        ((2.0, math.inf), 5.0, 0),
        ((0.0, 0.0), 5.0, 1),
        ((0.0, 0.0), 0.0, 0),
    ],
)
def test_the_distance_is_to_the_nearest_allowed_number(
    allowed: tuple[float, float], figure: float, expected: float
) -> None:
    assert published.relative_difference(allowed, figure) == expected


def test_updates_are_stated_or_tokens_over_the_batch() -> None:
    assert KNOWN.updates("PaLM") == KNOWN.value("PaLM", "steps")
    assert KNOWN.updates("GPT-3") == 300e9 / 3.2e6
