"""A setting changes only for a gain beyond noise; candidates take turns."""

import numpy as np
import pytest

from seqlab.calibration.choice import MAX_ROUNDS, MIN_ROUNDS, break_even, fastest, rounds

STEADY = [1.0] * MIN_ROUNDS


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ([[0.9] * 7], 1),
        ([[0.96] * 7], 0),  # too little
        ([[1.1] * 7], 0),
        ([[0.5] * 6 + [1.2]], 0),  # not often enough
        ([[0.9] * 7, [0.8] * 7, [0.85] * 7], 2),
        ([[0.5] * 6 + [1.2], [0.9] * 7], 2),
        ([], 0),
    ],
)
def test_another_must_be_faster_by_more_than_noise(others: list[list[float]], chosen: int) -> None:
    assert fastest([STEADY, *others]) == chosen


def test_rounds_are_compared_within_themselves() -> None:
    """A machine that slows down meanwhile affects both equally."""
    disturbed = [1.0, 5.0, 1.0, 9.0, 1.0, 1.0, 3.0]
    assert fastest([disturbed, [0.8 * one for one in disturbed]]) == 1


def test_equally_fast_candidates_rarely_differ() -> None:
    rng = np.random.default_rng(0)
    noise = rng.lognormal(sigma=0.5, size=(2000, 2, MIN_ROUNDS))
    assert np.mean([fastest(times.tolist()) for times in noise]) < 0.02


def test_too_few_rounds_choose_nothing() -> None:
    few = MIN_ROUNDS - 1
    assert fastest([[1.0] * few, [0.1] * few]) == 0


def test_candidates_take_turns_for_as_long_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, clock = "", 0.0

    def timer(name: str, seconds: float) -> float:
        nonlocal calls, clock
        calls, clock = calls + name, clock + seconds
        return seconds

    def taken(*, each: float, seconds: float) -> int:
        times = rounds([lambda: timer("a", each), lambda: timer("b", 2 * each)], seconds=seconds)
        assert times == [[each] * len(times[0]), [2 * each] * len(times[0])]
        return len(times[0])

    monkeypatch.setattr("seqlab.calibration.choice.time.perf_counter", lambda: clock)
    assert taken(each=0.0, seconds=1.0) == MAX_ROUNDS
    assert calls == "ab" * MAX_ROUNDS
    assert taken(each=1.0, seconds=29.0) == 10
    assert taken(each=1.0, seconds=5.0) == MIN_ROUNDS
    assert taken(each=1.0, seconds=0.1) == 2  # a machine too busy to wait for


def test_compilation_pays_off_once_its_time_is_saved() -> None:
    plain, compiled = [0.010] * 7, [0.006] * 7
    assert break_even(4.006, [plain, compiled]) == pytest.approx(1000, abs=1)
    assert break_even(0.001, [plain, compiled]) == 1
    assert break_even(4.0, [plain, plain]) is None
    assert break_even(4.0, [compiled, plain]) is None
