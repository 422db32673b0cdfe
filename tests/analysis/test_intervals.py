"""Do the intervals hold what they promise, on data whose truth is known?"""

import math

import numpy as np
import pytest

from seqlab.analysis.intervals import exact, holm, interval, theil_sen


def test_students_t_against_a_value_worked_by_hand():
    # Mean 3, standard deviation sqrt(2.5), t(4, 0.975) = 2.776445 from any table.
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5)
    assert (found.estimate, found.n) == (3.0, 5)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), rel=1e-6)


def test_the_logarithmic_interval_is_the_interval_of_the_logarithms():
    values = np.array([1.0, 2.0, 4.0])
    found, logs = interval(values, log=True), interval(np.log(values))
    assert found.estimate == pytest.approx(2.0)
    assert (found.low, found.high) == pytest.approx((math.exp(logs.low), math.exp(logs.high)))


@pytest.mark.parametrize("values", [[], [0.7]])
def test_fewer_than_two_values_have_no_interval(values):
    found = interval(values)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.n == len(values)


@pytest.mark.parametrize("n", [5, 12])
def test_identical_values_have_an_interval_of_no_width(n):
    found = interval([0.1] * n)
    assert (found.low, found.high) == pytest.approx((0.1, 0.1), abs=1e-15)


def test_a_value_without_a_logarithm_has_no_interval():
    found = interval([0.0, 1.0, 2.0], log=True)
    assert found.estimate == 0.0
    assert math.isnan(found.low)


@pytest.mark.parametrize("n", [5, 10, 12, 30])
def test_intervals_of_normal_values_cover_the_mean_about_95_times_in_100(n):
    rng = np.random.default_rng(7)
    found = [interval(rng.normal(3.0, 2.0, n)) for _ in range(600)]
    # Three standard errors of a share of 0.95 in 600 draws are 0.027.
    assert np.mean([one.low <= 3.0 <= one.high for one in found]) == pytest.approx(0.95, abs=0.027)


def test_the_bootstrap_follows_the_skew_of_the_values():
    values = np.random.default_rng(0).lognormal(0.0, 1.0, 12)
    found = interval(values)
    assert found.high - found.estimate > found.estimate - found.low


def test_the_same_values_always_give_the_same_interval():
    values = np.random.default_rng(1).normal(size=15)
    assert interval(values) == interval(values.copy())


def test_exact_values_have_their_range():
    found = exact([3.0, 1.0, 2.0])
    assert (found.estimate, found.low, found.high, found.n) == (2.0, 1.0, 3.0, 3)


def test_holm_against_a_case_worked_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_theil_sen_is_exact_on_a_line_and_unmoved_by_one_bad_point():
    x = np.arange(8.0)
    assert theil_sen(x, 3 * x + 1) == 3.0
    assert theil_sen(x, np.where(x == 7, 1000.0, 3 * x + 1)) == 3.0
    assert math.isnan(theil_sen(np.ones(3), np.arange(3.0)))
