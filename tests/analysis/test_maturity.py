"""Is a comparison of networks that were still learning blocked, and one of finished networks passed?"""

import math
from dataclasses import replace

import pytest

from seqlab.notebook.claims import Difference, Outcome, Ratio
from tests.analysis.planted import FAIR, Done, verdict

NOISE = (-0.002, -0.001, 0.0, 0.001, 0.002)
STEPS = 8  # with a constant rate; the last quarter are steps 7 and 8
ATTENTION = Difference(metric="accuracy", split="test", left={"model": "A"}, right={"model": "B"}, above=0.01)
OF_TWO = replace(ATTENTION, right=({"model": "B"}, {"model": "C"}))


def curve(end: float, gain: float) -> list[float]:
    """Validation values of the steps 0 to 10: the last quarter before the fall brings `gain`."""
    before = end - gain
    rising = [before * step / 6 for step in range(7)]
    return [*rising, before, end, end, end + 0.3]  # the fall may bring what it likes


def side(
    model: str, end: float, gain: float | None, metric: str = "accuracy", **factors: float
) -> list[Done]:
    trained = {} if gain is None else {f"{metric}@valid": curve(end, gain), "constant_steps": STEPS}
    return [
        Done({"model": model, **factors}, seed, FAIR | trained | {f"{metric}@test": end + noise})
        for seed, noise in enumerate(NOISE)
    ]


@pytest.mark.parametrize(
    ("left", "right", "outcome"),
    [
        (0.0, 0.0, Outcome.SUPPORTED),
        (0.0, 0.009, Outcome.SUPPORTED),  # the room is 0.04: the effect may move by 0.01
        (0.0, 0.011, Outcome.INCONCLUSIVE),
        (0.011, 0.0, Outcome.SUPPORTED),  # away from the threshold
        (0.03, 0.03, Outcome.SUPPORTED),  # both alike: the effect stays
        (0.05, 0.05, Outcome.INCONCLUSIVE),  # but not while each learns more than the room
        (None, None, Outcome.SUPPORTED),  # nothing here trains
        (0.02, None, Outcome.SUPPORTED),
        (None, 0.02, Outcome.INCONCLUSIVE),
    ],
)
def test_a_comparison_of_unfinished_networks_is_blocked(
    left: float | None, right: float | None, outcome: Outcome
) -> None:
    found = verdict(ATTENTION, [*side("A", 0.85, left), *side("B", 0.80, right)])
    assert found.outcome is outcome


def test_the_reason_says_who_was_still_learning_and_what_would_mend_it() -> None:
    found = verdict(ATTENTION, [*side("A", 0.80, 0.0), *side("B", 0.85, 0.07)])
    assert found.reason == (
        "Unfinished: B still gained 0.07 in accuracy in the last quarter of its training (0.06 allowed). "
        "Longer training would tell."
    )
    assert found.seeds_needed is None  # no seed would help
    (record,) = [one for one in found.fairness if one.quantity == "late_gain"]
    assert (record.left, record.right, record.ok) == (pytest.approx(0.0), pytest.approx(0.07), False)
    assert found.cells[0].decision == "open"


def test_the_reason_says_that_the_effect_was_still_moving() -> None:
    found = verdict(ATTENTION, [*side("A", 0.80, 0.04), *side("B", 0.85, 0.01)])
    assert found.reason == (
        "Unfinished: the last quarter of the trainings still improved accuracy (A by 0.04, B by 0.01), which "
        "moved the effect by 0.03 towards the threshold (0.015 allowed). Longer training would tell."
    )


def test_a_finished_comparison_has_its_record() -> None:
    found = verdict(ATTENTION, [*side("A", 0.85, 0.001), *side("B", 0.80, 0.002)])
    (record,) = [one for one in found.fairness if one.quantity == "late_gain"]
    assert (record.left, record.right) == (pytest.approx(0.001), pytest.approx(0.002))
    assert record.ok
    assert record.tolerance == pytest.approx(0.04)


def test_an_opponent_that_lost_may_have_been_the_best() -> None:
    done = [*side("A", 0.85, 0.0), *side("B", 0.80, 0.0), *side("C", 0.78, 0.03)]
    found = verdict(OF_TWO, done)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "C by 0.03" in found.reason


def test_an_opponent_that_lost_does_not_matter_where_the_claim_fails_against_the_best() -> None:
    # Against C alone the effect lies at the threshold, where any gain would count.
    done = [*side("A", 0.80, 0.0), *side("B", 0.85, 0.0), *side("C", 0.79, 0.03)]
    assert verdict(OF_TWO, done).outcome is Outcome.NOT_SUPPORTED


def test_ratios_gain_in_their_logarithm() -> None:
    rule = Ratio(metric="mse", split="test", left={"model": "A"}, right={"model": "B"}, below=0.98)

    def losses(model: str, end: float, before: float) -> list[Done]:
        curve = [2.0, *[before] * 6, before, end, end, end / 2]
        measured = FAIR | {"mse@valid": curve, "constant_steps": STEPS}
        return [
            Done({"model": model}, seed, measured | {"mse@test": end * math.exp(noise)})
            for seed, noise in enumerate(NOISE)
        ]

    room = math.log(0.98 / 0.5)
    barely, hardly = math.exp(0.24 * room), math.exp(0.26 * room)
    own = losses("A", 0.5, 0.5)
    assert verdict(rule, [*own, *losses("B", 1.0, barely)]).outcome is Outcome.SUPPORTED
    assert verdict(rule, [*own, *losses("B", 1.0, hardly)]).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("last", "outcome"), [(0.02, Outcome.SUPPORTED), (0.2, Outcome.INCONCLUSIVE)])
def test_a_metric_without_a_curve_goes_by_the_one_that_chose_the_weights(
    last: float, outcome: Outcome
) -> None:
    rule = Ratio(metric="reach", split="test", left={"model": "A"}, right={"model": "B"}, above=2.0)

    def side(model: str, reach: float) -> list[Done]:
        trained = {"mean_success@valid": curve(0.9, 0.9 * last), "constant_steps": STEPS}
        return [
            Done({"model": model}, seed, FAIR | trained | {"reach@test": reach * math.exp(noise)})
            for seed, noise in enumerate(NOISE)
        ]

    found = verdict(rule, [*side("A", 40.0), *side("B", 10.0)])
    assert found.outcome is outcome
    if outcome is Outcome.INCONCLUSIVE:
        assert "20% of its progress in mean normalised success" in found.reason


def test_a_training_that_was_never_measured_tells_nothing() -> None:
    blind = [
        Done({"model": "B"}, seed, FAIR | {"constant_steps": STEPS, "accuracy@test": 0.8 + noise})
        for seed, noise in enumerate(NOISE)
    ]
    found = verdict(ATTENTION, [*side("A", 0.85, 0.0), *blind])
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "B was not measured while it trained" in found.reason


def test_the_amount_of_training_may_be_the_question() -> None:
    rule = replace(ATTENTION, finished=False)
    found = verdict(rule, [*side("A", 0.85, 0.0), *side("B", 0.80, 0.03)])
    assert found.outcome is Outcome.SUPPORTED
    assert "late_gain" not in {one.quantity for one in found.fairness}
    assert rule.digest() != ATTENTION.digest()


def test_a_verdict_may_rest_on_the_cells_that_are_finished() -> None:
    """Five of six cells pass, which is enough; with four it would not be."""
    rule = Difference(
        metric="accuracy",
        split="test",
        left={"model": "A"},
        right={"model": "B"},
        above=0.01,
        per=("length",),
    )

    def cells(unfinished: int) -> list[Done]:
        return [
            done
            for length in range(6)
            for done in (
                *side("A", 0.85, 0.0, length=length),
                *side("B", 0.80, 0.03 if length < unfinished else 0.0, length=length),
            )
        ]

    assert verdict(rule, cells(1)).outcome is Outcome.SUPPORTED
    found = verdict(rule, cells(2))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.reason.startswith("Unfinished: length=0: the last quarter of the trainings still improved")
