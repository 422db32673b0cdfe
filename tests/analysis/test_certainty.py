"""Do the intervals of verdicts hold what they promise, and is a sample without spread no certainty?"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.analysis import kinds, trimmed
from seqlab.analysis.certainty import estimate, p_value
from seqlab.analysis.looks import last_look, next_look, spent
from seqlab.analysis.power import likely_look


def test_the_looks_together_spend_five_per_cent() -> None:
    looks = [5 * 2**power for power in range(30)]
    assert sum(map(spent, looks)) == pytest.approx(0.05, abs=1e-9)
    assert [last_look(seeds) for seeds in (1, 4, 5, 9, 10, 19, 20, 79)] == [1, 4, 5, 5, 10, 10, 20, 40]
    assert [next_look(seeds) for seeds in (2, 5, 7, 10, 39)] == [5, 10, 10, 20, 40]


def test_five_values_are_not_trimmed_and_have_students_interval() -> None:
    # Mean 3, standard deviation sqrt(2.5), t(4, 0.975) = 2.776445 from any table.
    found = estimate(np.arange(1.0, 6.0), alpha=0.05)
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5)
    assert (found.estimate, found.n) == (3.0, 5)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), rel=1e-6)


def test_ten_values_lose_their_ends() -> None:
    values = np.array([-1e6, 1, 2, 3, 4, 5, 6, 7, 8, 1e6])
    found = trimmed.trimmed(values)
    # Winsorised: 1, 1, 2, …, 8, 8; Yuen's standard error by hand.
    deviation = np.std([1, 1, 2, 3, 4, 5, 6, 7, 8, 8], ddof=1)
    assert (found.centre, found.freedom) == (4.5, 7)
    assert found.error == pytest.approx(deviation * math.sqrt(9 / (8 * 7)))


@pytest.mark.parametrize(("t", "p"), [(2.776445, 0.05), (4.604095, 0.01)])  # any table, 4 degrees of freedom
def test_p_value_against_a_table_and_from_both_sides(t: float, p: float) -> None:
    values = np.arange(1.0, 6.0)
    distance = t * math.sqrt(2.5) / math.sqrt(5)
    assert p_value(values, 3 - distance) == pytest.approx(p, rel=1e-5)
    assert p_value(values, 3 + distance) == pytest.approx(p, rel=1e-5)
    assert p_value(values[:1], 0.0) == 1.0


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20), st.floats(-100, 100))
def test_values_that_scatter_exclude_a_threshold_just_where_p_is_small_enough(
    values: list[float], threshold: float
) -> None:
    given = np.array(values)
    if kinds.kinds(given, near=0.0, scale=math.nan) is None:
        found, p = estimate(given, alpha=0.05), p_value(given, threshold)
        if abs(p - 0.05) > 1e-6 and found.high - found.low > 1e-6:
            assert (p < 0.05) == (not found.low <= threshold <= found.high)


def test_a_ratio_without_a_logarithm_has_no_interval() -> None:
    found = estimate(np.array([math.nan, 0.1, 0.2]), alpha=0.05, log=True)
    assert math.isnan(found.low)
    assert p_value(np.array([math.nan, 0.1, 0.2]), 0.0) == 1.0


@pytest.mark.parametrize("n", [3, 5, 10, 20, 59])
def test_equal_values_leave_the_share_that_so_many_seeds_can_hide(n: int) -> None:
    found = estimate(np.full(n, 0.5), alpha=0.05)
    hidden = 1 - 0.05 ** (1 / n)  # seen in none of n with a probability of 5 %: the rule of three is 3/n
    assert (found.low, found.high) == pytest.approx((0.5 * (1 - hidden), 0.5 * (1 + hidden)))
    assert p_value(np.full(n, 0.5), 0.5 * (1 - hidden)) == pytest.approx(0.05, abs=1e-6)


def test_equal_values_of_zero_need_a_scale() -> None:
    assert estimate(np.zeros(5), alpha=0.05).low == -math.inf
    assert p_value(np.zeros(5), 0.1) == 1.0
    assert estimate(np.zeros(5), alpha=0.05, scale=1.0).low == pytest.approx(-(1 - 0.05**0.2))


def test_two_kinds_are_bounded_by_their_shares() -> None:
    # Two of ten fail: the 95 % bound of their share is 0.5069 (Clopper-Pearson, any table).
    found = estimate(np.array([0.5] * 8 + [0.0] * 2), alpha=0.05)
    assert found.estimate == pytest.approx(0.4)
    assert found.low == pytest.approx(0.5 - 0.50690 * 0.5, abs=1e-5)
    mirrored = estimate(-np.array([0.5] * 8 + [0.0] * 2), alpha=0.05)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_lucky_seeds_clear_the_truth_in_at_most_one_case_of_twenty() -> None:
    for share in np.arange(0.3, 1.0, 0.05):
        for n in (5, 10, 20):
            wrong = 0.0
            for solved in range(n + 1):
                values = np.array([0.5] * solved + [0.0] * (n - solved))
                if kinds.kinds(values, near=0.02, scale=1.0) and solved > n / 2:
                    chance = math.comb(n, solved) * share**solved * (1 - share) ** (n - solved)
                    wrong += chance * (estimate(values, alpha=0.01, near=0.02).low > 0.5 * share)
            assert wrong <= 0.05


@given(st.lists(st.integers(-2, 2), min_size=2, max_size=12), st.floats(-3, 3))
def test_kinds_agree_with_their_p_value_and_mirror(values: list[int], threshold: float) -> None:
    given = np.array(values, dtype=float)
    found = kinds.kinds(given, near=0.0, scale=2.0)
    if found is None:
        return
    low, high = kinds.bounds(found)
    assert low <= np.median(given) <= high or (low <= np.mean(given) <= high)
    p = kinds.p_value(found, threshold)
    if abs(p - kinds.SIDE) > 1e-6:
        assert (p < kinds.SIDE) == (not low <= threshold <= high)
    assert kinds.p_value(found.mirrored(), -threshold) == pytest.approx(p, abs=1e-9)


def test_scattered_values_are_of_no_kind() -> None:
    rng = np.random.default_rng(0)
    assert all(kinds.kinds(rng.normal(1.5, 1, n), near=0.02, scale=9.0) is None for n in (5, 10, 20))


def test_the_middle_of_one_kind_is_not_a_kind() -> None:
    scattered = np.array([0.50, 0.51, 0.52, 0.53, 0.54])
    assert kinds.kinds(scattered, near=0.02, scale=0.9) is None
    assert kinds.kinds(np.array([0.49, 0.49, 0.48, 0.04, 0.49]), near=0.02, scale=1.0) is not None


def test_a_likely_look_has_its_reasons() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert likely_look(values, 0.0, cells=1, holm=0.05) == 10
    assert likely_look(values, 3.0, cells=1, holm=0.05) is None  # on the threshold
    assert likely_look(values[:1], 0.0, cells=1, holm=0.05) is None
    assert likely_look(np.ones(5), 0.0, cells=1, holm=0.05) is None  # the spread is unknown
