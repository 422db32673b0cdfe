"""Is the whole sequence still to be computed when the clock starts, and is the time that of one addition?"""

from collections.abc import Callable

import mlx.core as mx
import pytest

from seqlab.errors import UsageError
from seqlab.measure import latency
from seqlab.measure.timing import pending_operations


def test_every_addition_is_still_to_be_computed_when_the_clock_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[int] = []

    def count(step: Callable[[], mx.array]) -> float:
        found.append(pending_operations([step()]))
        return 50.0

    monkeypatch.setattr(latency, "seconds", count)
    assert latency.operation_latency(repeats=3, additions=50) == 1.0
    assert found == [50] * 4  # the first prepares


def test_a_latency_is_above_nothing() -> None:
    assert latency.operation_latency(repeats=1, additions=10) > 0


@pytest.mark.parametrize("wrong", [{"repeats": 0}, {"additions": 0}])
def test_nothing_to_time_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="one repeat and one addition"):
        latency.operation_latency(**wrong)
