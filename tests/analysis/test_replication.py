"""Does an honest machine replicate in 95 of 100 claims, and is one caught that computes something else?"""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from seqlab.analysis.exchangeability import PredictionInterval, smallest_p_value
from seqlab.analysis.replication import Replicates, Replication, replication, trials_needed
from seqlab.notebook.claims import Difference, Exact, Ratio, Rule, Slope
from tests.analysis.planted import Done, evidence
from tests.simulation.noise import NOISES
from tests.simulation.replicating import refused

RULE = Difference(metric="accuracy", split="test", left={"model": "A"}, right={"model": "B"}, above=0.0)
CLAIMS = 600


def runs(
    values: Mapping[str, Sequence[float]], metric: str = "accuracy@test", *, first: int = 0
) -> list[Done]:
    return [
        Done({"model": model}, seed, {metric: value})
        for model, found in values.items()
        for seed, value in enumerate(found, start=first)
    ]


def found(
    reference: Mapping[str, Sequence[float]],
    here: Mapping[str, Sequence[float]],
    rule: Rule = RULE,
    metric: str = "accuracy@test",
) -> Replication:
    return replication(rule, evidence(runs(reference, metric)), evidence(runs(here, metric, first=7)))


SEEDS = [0.70, 0.72, 0.69, 0.71, 0.73]


def test_trials_like_the_reference_replicate() -> None:
    got = found({"A": SEEDS, "B": SEEDS}, {"A": [0.705, 0.74], "B": [0.66, 0.715]})
    assert got.outcome is Replicates.YES
    assert got.reason == "4 of 4 trials run here lie within the prediction interval of the reference"
    first = got.sides[0].trials[0]
    assert (first.seed, first.low, first.high) == (7, pytest.approx(0.65), pytest.approx(0.77))


def test_a_changed_model_is_named_with_its_figures() -> None:
    got = found({"A": SEEDS, "B": SEEDS}, {"A": [0.3, 0.31], "B": [0.7, 0.71]})
    assert got.outcome is Replicates.NO == "does not replicate here"
    assert got.reason == (
        "2 of 2 trials of A lie outside what 5 reference seeds allow, such as accuracy 0.3 for 0.65 to 0.77 "
        "(chance does that in 0.03 of cases)"
    )


def test_a_small_shift_of_several_trials_is_told_by_their_order() -> None:
    reference = np.linspace(0.6, 0.8, 10)
    got = found({"A": reference, "B": reference}, {"A": [0.55] * 3})
    assert got.outcome is Replicates.NO
    assert got.reason.startswith("the 3 trials of A lie on one side of 10 reference seeds")


@pytest.mark.parametrize(
    ("here", "reason"),
    [
        ({"A": [0.3]}, "0 of 1 trials run here lie within .* but with so few of A"),
        ({"B": [0.7, 0.7]}, "2 of 2 .* but with none of A"),
        ({}, "No trial of the reference was run here"),
        ({"C": [0.1, 0.1, 0.1]}, "No trial"),
    ],
)
def test_too_few_trials_say_so(here: Mapping[str, Sequence[float]], reason: str) -> None:
    got = found({"A": SEEDS, "B": SEEDS}, here)
    assert got.outcome is Replicates.UNKNOWN
    assert re.search(reason, got.reason), got.reason


def test_four_reference_seeds_are_no_reference() -> None:
    assert found({"A": SEEDS[:4]}, {"A": [0.1] * 5}).outcome is Replicates.UNKNOWN


def test_the_trials_that_are_needed_are_enough() -> None:
    assert [trials_needed(n) for n in (5, 10, 20)] == [2, 2, 1]
    assert trials_needed(5, points=3) == 1
    for seeds in (5, 10, 20):
        reference = {"A": np.linspace(0.6, 0.7, seeds), "B": np.linspace(0.6, 0.7, seeds)}
        for less, outcome in ((0, Replicates.NO), (1, Replicates.UNKNOWN)):
            trials = trials_needed(seeds) - less
            assert found(reference, {"A": [0.1] * trials, "B": [0.65] * 2}).outcome is outcome


def test_a_run_that_diverged_here_is_outside_and_one_that_failed_says_nothing() -> None:
    reference = evidence(runs({"A": SEEDS, "B": SEEDS}))
    for status, outcome in (("diverged", Replicates.NO), ("timed out", Replicates.UNKNOWN)):
        here = evidence(Done({"model": "A"}, seed, {}, status) for seed in (7, 8))
        got = replication(RULE, reference, here)
        assert got.outcome is outcome
    assert replication(RULE, reference, evidence(runs({"A": [0.7, 0.7]}))).outcome is Replicates.YES


def test_ratios_are_compared_as_logarithms() -> None:
    rule = Ratio(metric="training_time", left={"model": "A"}, right={"model": "B"}, below=0.5)
    got = found({"A": [1, 2, 4, 2, 1]}, {"A": [15, 0.3]}, rule, "training_time")
    trials = got.sides[0].trials
    assert [trial.inside for trial in trials] == [True, True]
    assert (trials[0].low, trials[0].high) == (pytest.approx(0.25), pytest.approx(16))


def test_a_slope_over_the_metrics_own_index_is_one_value_a_run() -> None:
    rule = Slope(metric="gradient_norm", x="step", y_scale="log10", below=-0.02, per=("model",))

    def curves(slopes: Sequence[float], first: int) -> list[Done]:
        return [
            Done({"model": "A"}, seed, {"gradient_norm": [10 ** (slope * step) for step in range(5)]})
            for seed, slope in enumerate(slopes, start=first)
        ]

    reference = evidence(curves([-0.1, -0.11, -0.12, -0.1, -0.09], 0))
    assert replication(rule, reference, evidence(curves([-0.1, -0.12], 7))).outcome is Replicates.YES
    assert replication(rule, reference, evidence(curves([0.1, 0.12], 7))).outcome is Replicates.NO


def test_only_the_cells_asked_for_count() -> None:
    rule = Exact(metric="accuracy", split="test", per=("length",), above=0.0)
    done = [
        Done({"length": length}, seed, {"accuracy@test": 0.5 + seed / 100})
        for length in (1, 2)
        for seed in range(5)
    ]
    here = [Done({"length": 1}, seed, {"accuracy@test": 0.0}) for seed in (7, 8)]
    assert replication(rule, evidence(done), evidence(here)).outcome is Replicates.NO
    got = replication(rule, evidence(done), evidence(here), cells=[{"length": 2}])
    assert got.outcome is Replicates.UNKNOWN


# By simulation, on the p-values themselves


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("shape", [(5, 2, 1), (5, 3, 1), (5, 2, 3), (10, 3, 1)])
def test_an_honest_machine_passes_95_times_in_100(noise: str, shape: tuple[int, int, int]) -> None:
    """With a margin of three standard errors of the simulation, 2.7 %."""
    assert refused(noise, shape, "honest", CLAIMS) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / CLAIMS)


@pytest.mark.parametrize("noise", NOISES)
def test_a_model_that_has_learnt_nothing_is_always_caught(noise: str) -> None:
    assert refused(noise, (5, 2, 1), "nothing learnt", CLAIMS) > 0.99


@pytest.mark.parametrize("noise", ["normal", "t3", "log-normal"])
def test_three_deviations_are_caught_by_three_trials_of_ten_seeds(noise: str) -> None:
    assert refused(noise, (10, 3, 1), "3 deviations lower", CLAIMS) > 0.86


def test_one_failing_seed_in_five_is_rarely_caught_by_two_trials() -> None:
    """It would need many more: the limit is stated in docs/verdicts.md."""
    assert refused("normal", (5, 2, 1), "one seed in five fails", CLAIMS) < 0.15


def test_the_bound_is_the_largest_chance_of_a_kind_that_the_reference_has_not_shown() -> None:
    for n, k in ((5, 1), (5, 2), (10, 3), (20, 1)):
        shares = np.linspace(0, 1, 10_001)
        assert smallest_p_value(n, k) == pytest.approx(np.max(shares**n * (1 - shares) ** k), rel=1e-6)


def test_equal_reference_seeds_allow_two_per_cent() -> None:
    interval = PredictionInterval.of(np.full(5, 0.5))
    assert (interval.low, interval.high) == (pytest.approx(0.49), pytest.approx(0.51))
