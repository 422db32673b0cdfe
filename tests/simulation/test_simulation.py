"""Are verdicts right as often as docs/verdicts.md says? In short: bounds that a sound judge cannot miss.

With 150 ledgers, a share of 5 % has a standard error of 1.8 points, and one of 90 % of 2.4; the bounds leave
three of them. The seeds are fixed, so that a test fails only where the code has changed.
"""

import pytest

from seqlab.notebook.claims import Outcome
from tests.simulation.agreeing import Shelf, alarms
from tests.simulation.ledgers import Condition, Share, kept_promises, simulate
from tests.simulation.noise import NOISES
from tests.simulation.tables import DECIDED, LOOKS, QUESTIONS, _table

LEDGERS = 150


@pytest.mark.parametrize("noise", NOISES)
def test_with_the_truth_at_the_threshold_verdicts_are_seldom(noise: str) -> None:
    assert simulate(Condition(noise=noise, seeds=10), LEDGERS).of(*DECIDED) <= 0.1
    looked = simulate(Condition(noise=noise, seeds=LOOKS[-1], looks=LOOKS), LEDGERS).of(*DECIDED)
    assert looked <= 0.1 + 0.05 * (noise == "log-normal")  # whose skew costs three points more


@pytest.mark.parametrize("noise", NOISES)
def test_a_model_is_seldom_better_than_itself(noise: str) -> None:
    assert simulate(Condition(noise=noise, equal=True), LEDGERS).of(Outcome.SUPPORTED) <= 0.03


@pytest.mark.parametrize("noise", NOISES)
def test_clear_effects_are_found_with_ten_seeds(noise: str) -> None:
    found = simulate(Condition(noise=noise, beyond=1.5), LEDGERS)
    assert found.of(Outcome.SUPPORTED) >= 0.82
    assert found.of(Outcome.NOT_SUPPORTED) == 0


def test_one_of_four_opponents_that_validation_picks_is_not_too_weak_too_often() -> None:
    assert simulate(Condition(noise="normal", opponents=4), LEDGERS).of(*DECIDED) <= 0.1


def test_promised_seeds_decide_in_at_least_half_of_the_cases() -> None:
    promised, kept = kept_promises(Condition(noise="normal", seeds=160, beyond=0.8), LEDGERS)
    assert promised >= LEDGERS / 3
    assert kept >= promised / 2


def test_a_table_has_a_row_for_each_noise_and_number_of_seeds() -> None:
    lines = _table(QUESTIONS[0], iter([Share(4, {Outcome.SUPPORTED: 1})] * 999)).splitlines()
    assert len(lines) == 4 + len(NOISES) * 3
    assert lines[4] == "| normal | 5 |" + " 25.0 |" * 6


@pytest.mark.parametrize("noise", NOISES)
def test_alike_devices_are_seldom_told_apart(noise: str) -> None:
    assert alarms(Shelf(noise, 3), 5, LEDGERS)[1] <= 0.1


def test_a_device_that_is_off_is_found_and_only_dealing_bears_seeds_that_solve_a_task_or_not() -> None:
    assert alarms(Shelf("normal", 3), 10, LEDGERS)[2] >= 0.8
    assert alarms(Shelf("solved or not", 3), 5, LEDGERS)[0] >= 0.3  # Cochran's Q
