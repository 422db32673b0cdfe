"""Growth of memory: known terms come back, none is negative, and the interval covers what it should."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.errors import UsageError
from seqlab.measure.growth import (
    REPEAT,
    MemoryGrowth,
    climb,
    exponent,
    filled_length,
    fit,
    lengths_to,
    probe,
    safe_length,
)

LENGTHS = (128, 192, 256, 384, 512, 768, 1024)
terms = st.just(0.0) | st.floats(1e-6, 1e6)  # bytes: less than a millionth of one is nothing


def peaks(growth: MemoryGrowth, *, off: float = 0.0) -> dict[int, int]:
    """Peaks at all lengths, every other one too high by a share, the rest too low."""
    return {
        length: round(growth.memory(length) * (1 + off * (-1) ** index))
        for index, length in enumerate(LENGTHS)
    }


@pytest.mark.parametrize(
    "parts",
    [(5e6, 0.0, 0.0), (0.0, 40e3, 0.0), (0.0, 0.0, 130.0), (2e6, 15e3, 130.0), (2e6, 0.0, 130.0)],
)
def test_exact_peaks_give_their_terms_back(parts: tuple[float, float, float]) -> None:
    growth = MemoryGrowth(*parts)
    found = fit(peaks(growth))
    for length in (*LENGTHS, 16 * 1024):
        assert found.growth.memory(length) == pytest.approx(growth.memory(length), rel=1e-4)
        expected = found.memory(length)  # as sure as two measurements of the same
        assert expected.high / expected.estimate == pytest.approx(REPEAT, rel=1e-3)
        assert expected.estimate / expected.low == pytest.approx(REPEAT, rel=1e-3)


@given(terms, terms, terms, st.floats(1, 1e6))
def test_a_length_is_that_which_takes_the_memory(a: float, b: float, c: float, length: float) -> None:
    growth = MemoryGrowth(a, b, c)
    memory = growth.memory(length)
    if memory <= a * (1 + 1e-6):  # the length adds less than a sum can show
        return
    assert growth.memory(growth.length(memory)) == pytest.approx(memory, rel=1e-6)


def test_a_memory_below_the_constant_fits_no_length_and_one_that_does_not_grow_fits_all() -> None:
    assert MemoryGrowth(10.0, 1.0, 1.0).length(5.0) == 0
    assert MemoryGrowth(10.0, 0.0, 0.0).length(20.0) == math.inf


@given(st.floats(0, 1e7), st.floats(1, 1e5), st.floats(0, 1e3), st.floats(0, 0.1))
def test_no_term_is_negative_and_the_interval_covers_the_truth(
    a: float, b: float, c: float, off: float
) -> None:
    truth = MemoryGrowth(a, b, c)
    found = fit(peaks(truth, off=off))
    assert min(found.growth.constant, found.growth.each, found.growth.pair) >= 0
    inside = found.memory(700)  # between the measured lengths
    assert 0.999 * inside.low <= truth.memory(700) <= 1.001 * inside.high
    assert all(missed >= REPEAT for _, missed in found.without)


def test_noise_widens_the_interval() -> None:
    truth = MemoryGrowth(2e6, 15e3, 130.0)
    calm, noisy = (fit(peaks(truth, off=off)).length(16e9) for off in (0.001, 0.05))
    assert calm.low < math.sqrt(16e9 / 130) < 1.1 * calm.high
    assert noisy.high - noisy.low > 2 * (calm.high - calm.low)
    assert noisy.low < noisy.estimate < noisy.high


def test_exponents_of_pure_powers() -> None:
    for power in (0, 1, 2):
        assert exponent({length: length**power for length in LENGTHS}) == pytest.approx(power)
    disturbed = {length: length for length in LENGTHS} | {256: 9_999}
    assert exponent(disturbed) == pytest.approx(1)  # one disturbed value does not tilt it


@pytest.mark.parametrize("given_peaks", [{}, {1: 1, 2: 2, 3: 3}, {1: 1, 2: 2, 3: 3, 4: 0}])
def test_too_few_lengths_or_nothing_measured(given_peaks: dict[int, int]) -> None:
    with pytest.raises(UsageError, match="expected peaks above 0 at 4 lengths"):
        fit(given_peaks)


@pytest.mark.parametrize(("room", "tried"), [(1e12, 7), (1e8, 6), (1e6, 1), (0, 1)])
def test_a_machine_with_little_memory_measures_fewer_lengths(room: float, tried: int) -> None:
    truth = MemoryGrowth(2e6, 15e3, 130.0)
    asked: list[int] = []

    def peak(length: int) -> int:
        asked.append(length)
        return round(truth.memory(length))

    found = climb(peak, LENGTHS, allowed=lambda: int(room))
    assert list(found) == asked == list(LENGTHS[:tried])
    assert tried == 1 or max(found.values()) <= room


def test_a_probe_stays_within_what_is_allowed_and_goes_beyond_what_was_measured() -> None:
    fitted = fit(peaks(MemoryGrowth(2e6, 15e3, 130.0), off=0.02))
    assert safe_length(fitted, longest=1024, most=2048, allowed=10**10) == 2048
    shorter = safe_length(fitted, longest=1024, most=2048, allowed=300_000_000)
    assert 1024 < shorter < 2048
    assert fitted.memory(shorter).high <= 300_000_000 < fitted.memory(shorter + 64).high
    assert safe_length(fitted, longest=1024, most=2048, allowed=100_000_000) == 0


def test_lengths_cover_three_doublings() -> None:
    assert lengths_to(1024) == (128, 256, 512, 768, 1024)


def test_a_probe_compares_a_longer_sequence_with_the_prediction() -> None:
    truth = MemoryGrowth(2e6, 15e3, 130.0)

    def probed(factor: float) -> tuple[int, float, bool]:
        found = probe(
            lambda length: round(factor * truth.memory(length)), peaks(truth), times=2, allowed=10**10
        )
        assert found is not None
        return found.length, found.error, found.inside

    assert probed(1.0) == (2048, 0.0, True)
    assert probed(1.5) == (2048, 0.5, False)
    assert probed(0.9) == (2048, -0.1, False)


def test_without_room_nothing_is_probed() -> None:
    def refuse(length: int) -> int:
        raise AssertionError

    assert probe(refuse, peaks(MemoryGrowth(2e6, 15e3, 130.0)), times=2, allowed=10**6) is None


def test_no_length_is_extrapolated_beyond_the_reach_of_the_fit() -> None:
    """The reach of lengths 128 to 1,024 is 8,192."""
    measured = peaks(MemoryGrowth(0.0, 1e6, 0.0))
    near, across, beyond = (filled_length(measured, int(memory)) for memory in (4e9, 8.1e9, 20e9))
    assert near == fit(measured).length(4e9)
    assert near.estimate == pytest.approx(4_000)
    assert across.estimate == pytest.approx(8_100)
    assert (beyond.low, beyond.estimate) == (8_192, math.inf)
    assert across.high == beyond.high == math.inf
