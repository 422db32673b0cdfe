"""Does adding match its docstring, and is its chance level right?"""

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.adding import Task


@pytest.mark.parametrize("length", [2, 5, 50])
def test_each_half_has_one_marker_and_the_target_is_the_sum(length):
    inputs, targets = Task(length).batch(np.random.default_rng(0), 300)
    values, markers = inputs[..., 0], inputs[..., 1]
    assert inputs.shape == (300, length, 2)
    assert inputs.dtype == targets.dtype == np.float32
    assert 0 <= values.min() < values.max() < 1
    for half in (markers[:, : length // 2], markers[:, length // 2 :]):
        np.testing.assert_array_equal(half.sum(axis=1), 1)
        assert half.any(axis=0).all()  # every position of the half is marked in some sequence
    np.testing.assert_allclose((values * markers).sum(axis=1), targets, rtol=1e-6)


def test_always_answering_one_scores_the_chance_level():
    task = Task(10)
    targets = task.batch(np.random.default_rng(0), 100_000)[1]
    assert np.mean((targets - 1) ** 2) == pytest.approx(task.chance_level, rel=0.02)


@pytest.mark.parametrize("length", [1, 0, -3])
def test_a_length_without_two_halves_is_refused(length):
    with pytest.raises(UsageError, match=rf"length must be 2 or more, found {length}\.") as caught:
        Task(length)
    assert "\n" not in str(caught.value)
