"""Is the reach where half of the success is left, and does it say when that lies outside of the distances?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from seqlab.errors import UsageError
from seqlab.measure.reach import Reach, reach

DISTANCES = [4, 8, 16, 32, 64, 128]


@given(middle=some.floats(5, 100), steepness=some.floats(1, 20))
def test_a_logistic_fall_is_found_again(middle, steepness):
    falls = 1 / (1 + np.exp(steepness * (np.log2(DISTANCES) - np.log2(middle))))
    found = reach(DISTANCES, falls.tolist())
    # A steep fall between two distances may lie anywhere between them.
    between = 0.1 if steepness < 4 else 0.55
    assert abs(np.log2(found.distance / middle)) < between
    assert found.bound == ""


def test_noise_moves_it_little():
    rng = np.random.default_rng(0)
    falls = 1 / (1 + np.exp(2 * (np.log2(DISTANCES) - np.log2(20))))
    for _ in range(50):
        found = reach(DISTANCES, (falls + rng.normal(0, 0.05, len(falls))).tolist())
        assert 15 < found.distance < 27


@pytest.mark.parametrize(
    ("successes", "expected"),
    [
        ([1.0] * 6, Reach(128.0, "at least")),
        ([0.9, 0.8, 0.9, 0.7, 0.6, 0.5], Reach(128.0, "at least")),
        ([0.4, 0.1, 0.0, 0.0, 0.0, 0.0], Reach(4.0, "at most")),
        ([-3.0, -2.0, -1.0, 0.0, 0.0, 0.0], Reach(4.0, "at most")),  # worse than the chance level is clipped
    ],
)
def test_ends_are_bounds(successes, expected):
    assert reach(DISTANCES, successes) == expected


def test_a_step_lies_between_its_two_distances():
    found = reach(DISTANCES, [1.0] * 3 + [0.0] * 3)
    assert 16 < found.distance < 32


@pytest.mark.parametrize(
    ("distances", "successes"), [([4], [1.0]), ([4, 4], [1.0, 0.0]), ([8, 4], [1.0, 0.0]), ([4, 8], [1.0])]
)
def test_what_is_no_curve_is_refused(distances, successes):
    with pytest.raises(UsageError, match="2 rising distances or more"):
        reach(distances, successes)
