"""Does a limited time begin with the command, and end with its report?"""

import math

import pytest

from seqlab.errors import UsageError
from seqlab.running.limit import Limit
from tests.running.limited import Clock


def test_time_passes_and_the_report_has_its_share() -> None:
    clock = Clock()
    limit = Limit(60.0, clock).reserving(10.0)
    assert limit.left() == 50.0
    clock.now += 50.0
    assert limit.left() == 0.0
    assert limit.spent() == 50.0
    assert not limit.overdue()
    clock.now += 1.7
    assert not limit.overdue()  # three hundredths of the time are tolerated
    clock.now += 0.2
    assert limit.overdue()


def test_a_long_report_leaves_half_of_the_time_to_trials() -> None:
    assert Limit(6.0, Clock()).reserving(100.0).left() == 3.0


def test_minutes_and_hours_may_be_fractions() -> None:
    def seconds(minutes: float | None, hours: float | None) -> float | None:
        limit = Limit.of(minutes, hours, budget="quick", force=False)
        return limit and limit.seconds

    assert seconds(0.5, None) == 30.0
    assert seconds(None, 1.5) == 5_400.0
    assert seconds(None, None) is None


@pytest.mark.parametrize("given", [0.0, -1.0, math.nan, math.inf, 1e308])
def test_a_time_that_is_none_is_refused(given: float) -> None:
    for minutes, hours in ((given, None), (None, given)):
        with pytest.raises(UsageError, match="must be above 0 and finite"):
            Limit.of(minutes, hours, budget="quick", force=False)


def test_what_goes_with_no_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="found both"):
        Limit.of(1.0, 1.0, budget="quick", force=False)
    with pytest.raises(UsageError, match="found smoke"):
        Limit.of(1.0, None, budget="smoke", force=False)
    with pytest.raises(UsageError, match="--force begins again"):
        Limit.of(None, 1.0, budget="full", force=True)
