"""Are numbers formatted with the digits, units and signs that a reader expects?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.document.numbers import (
    duration,
    effect,
    interval,
    number,
    p_value,
    ratio,
    significant,
    threshold,
    two_digits,
)
from seqlab.document.templates import sentence
from seqlab.notebook.claims import Difference, Exact, Ratio, Rule, Slope

LEFT, RIGHT = {"model": "a"}, {"model": "b"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"), (-0.0, "0"), (58.0, "58"), (395264.0, "395,264"), (0.34, "0.34"), (0.03141, "0.0314"),
        (-1.5, "−1.5"), (12345.6, "12,300"), (3.1e-7, "3.1 × 10⁻⁷"), (1e-5, "1 × 10⁻⁵"),
        (2.53e24, "2.53 × 10²⁴"), (math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "undefined"),
    ],
)  # fmt: skip
def test_three_significant_digits(value: float, shown: str) -> None:
    assert significant(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0123, "s", "12.3 ms"), (4e-8, "s", "40 ns"), (90.0, "s", "90 s"), (7.27e8, "B", "727 MB"),
        (1.23e9, "FLOP", "1.23 GFLOP"), (2.37e11, "FLOP/s", "237 GFLOP/s"),
        (1.234, "nat", "1.23 nat"), (5.0, "", "5"),
    ],
)  # fmt: skip
def test_units_get_prefixes(value: float, unit: str, shown: str) -> None:
    assert number(value, unit) == shown


@pytest.mark.parametrize(
    ("parts", "unit", "shown"),
    [
        ((0.34, 0.31, 0.38), "", "0.34 [0.31, 0.38]"),
        ((-0.02, -0.1, 0.06), "", "−0.02 [−0.10, 0.06]"),
        ((0.0123, 0.0119, 0.0128), "s", "12.3 [11.9, 12.8] ms"),
        ((58.0, 58.0, 58.0), "", "58"),
        ((58.0, 40.0, 71.0), "", "58 [40, 71]"),
        ((3.1e-7, 1e-8, 4.4e-7), "", "(3.1 [0.1, 4.4]) × 10⁻⁷"),
        ((1.0, -math.inf, math.inf), "", "1.00 [−∞, ∞]"),
        ((0.0, 0.0, 0.0), "s", "0 s"),
        ((41.6, 1.32, 1240.0), "", "42 [1.3, 1,240]"),
        ((0.5, 0.001, 2.0), "s", "0.5 [0.001, 2] s"),
    ],
)
def test_the_width_of_an_interval_sets_its_decimals(
    parts: tuple[float, float, float], unit: str, shown: str
) -> None:
    assert interval(*parts, unit) == shown


@given(st.floats(-1e9, 1e9), st.floats(0, 1e6), st.sampled_from(["", "s", "B", "nat"]))
def test_any_interval_can_be_formatted(estimate: float, half: float, unit: str) -> None:
    shown = interval(estimate, estimate - half, estimate + half, unit)
    assert "e" not in shown
    assert "-" not in shown


def test_ratios_have_a_multiplication_sign() -> None:
    assert ratio(1.69, 1.65, 1.72) == "1.69× [1.65, 1.72]"
    assert ratio(2.0, 2.0, 2.0) == "2×"


@pytest.mark.parametrize(
    ("rule", "shown", "side"),
    [
        (Exact(metric="max_abs_error", below=1e-5), "0.50 [0.30, 0.70]", "below 1 × 10⁻⁵"),
        (
            Difference(metric="loss", left=LEFT, right=RIGHT, below=-0.02),
            "0.50 [0.30, 0.70] nat",
            "below −0.02 nat",
        ),
        (Ratio(metric="step_time", left=LEFT, right=RIGHT, above=1.5), "0.50× [0.30, 0.70]", "above 1.5×"),
        (
            Slope(metric="sequential_operations", x="length", x_scale="log2", above=1.0),
            "0.50 [0.30, 0.70] per doubling of length",
            "above 1 per doubling of length",
        ),
        (
            Slope(metric="gradient_norm", x="step", y_scale="log10", above=-0.02),
            "0.50 [0.30, 0.70] decades per distance",
            "above −0.02 decades per distance",
        ),
    ],
)
def test_effects_and_thresholds_have_the_unit_of_the_rule(rule: Rule, shown: str, side: str) -> None:
    assert effect(rule, 0.5, 0.3, 0.7) == shown
    assert threshold(rule) == side


def test_durations_and_probabilities() -> None:
    assert [duration(seconds) for seconds in (0.0123, 8.04, 43.4, 252.0, 7500.0)] == [
        "12.3 ms",
        "8 s",
        "43 s",
        "4 min 12 s",
        "2 h 5 min",
    ]
    assert [p_value(p) for p in (None, 0.0004, 0.0123)] == ["–", "< 0.001", "0.012"]


@pytest.mark.parametrize("text", ["It ends.", "(It ends.)", "“It ends.”", "Does it?"])
def test_a_sentence_gets_one_full_stop(text: str) -> None:
    assert sentence(text) == text
    assert sentence("It ends") == "It ends."
    assert sentence("It ends (here)") == "It ends (here)."


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.998, "1.00"), (1.04, "1.04"), (1.0, "1.00"), (0.96, "0.96"), (0.68, "0.68"), (2.0, "2.0"),
     (9.96, "10"), (0.0996, "0.10"), (99.6, "100"), (13.2, "13")],
)  # fmt: skip
def test_ratios_have_two_digits_and_near_one_two_decimals(value: float, shown: str) -> None:
    assert two_digits(value) == shown
