"""Is an unequal comparison seen, and an unrecorded one never trusted?"""

import pytest

from seqlab.analysis.fairness import explain, fairness, worst
from tests.analysis.planted import FAIR, Done, evidence


def compare(left, right, *, matched=("parameters", "flops", "steps", "examples", "tuning")):
    sides = (("A", left), ("B", right))
    runs = [Done({"model": name}, seed, own) for name, side in sides for seed, own in enumerate(side)]
    numbers = range(len(runs))
    return fairness(evidence(runs), numbers[: len(left)], numbers[len(left) :], matched=matched)


def blocked(records):
    return {record.quantity for record in records if not record.ok}


def test_equal_sides_are_fair():
    records = compare([FAIR, FAIR], [FAIR, FAIR])
    assert blocked(records) == set()
    assert explain(records) == ""
    assert [record.quantity for record in records] == list(FAIR)


@pytest.mark.parametrize(
    ("quantity", "within", "beyond"),
    [
        ("parameters", 1.02, 1.03),
        ("step_flops", 1.05, 1.06),
        ("step_limit", 1.0, 1.001),
        ("tuning_trials", 1.0, 2.0),
    ],
)
def test_each_quantity_has_its_tolerance(quantity, within, beyond):
    for factor, expected in ((within, set()), (beyond, {quantity})):
        other = FAIR | {quantity: FAIR[quantity] * factor}
        assert blocked(compare([FAIR], [other])) == expected
        assert blocked(compare([other], [FAIR])) == expected


def test_one_seed_that_was_given_more_is_enough():
    records = compare([FAIR, FAIR | {"step_limit": 900}], [FAIR, FAIR])
    assert blocked(records) == {"step_limit"}
    assert "900 against 300" in explain(records)


def test_what_a_rule_does_not_match_is_reported_but_never_blocks():
    records = {
        record.quantity: record for record in compare([FAIR], [FAIR | {"step_flops": 1.0}], matched=["steps"])
    }
    assert records["step_flops"].ok
    assert not records["step_flops"].required
    assert (records["step_flops"].left, records["step_flops"].right) == (1e9, 1.0)


def test_unrecorded_or_partly_recorded_blocks():
    silent = {name: value for name, value in FAIR.items() if name != "tuning_trials"}
    for left, right in (
        ([FAIR], [silent]),
        ([silent], [FAIR]),
        ([silent], [silent]),
        ([FAIR, silent], [FAIR]),
    ):
        records = compare(left, right)
        assert blocked(records) == {"tuning_trials"}
        assert "tuning_trials not recorded" in explain(records)


def test_the_least_fair_cell_counts_for_the_verdict():
    fair, unfair = compare([FAIR], [FAIR]), compare([FAIR], [FAIR | {"parameters": 2e5}])
    assert blocked(worst([fair, unfair])) == blocked(worst([unfair, fair])) == {"parameters"}
