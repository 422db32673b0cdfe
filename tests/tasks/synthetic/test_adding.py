"""Does adding pose the question that its docstring draws, and is the score of guessing what it says?"""

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.adding import Task


@pytest.mark.parametrize("length", [2, 5, 50])
def test_one_marker_a_half_and_the_target_is_their_sum(length):
    inputs, targets = Task(length).batch(np.random.default_rng(0), 300)
    values, markers = inputs[..., 0], inputs[..., 1]
    assert inputs.shape == (300, length, 2)
    assert inputs.dtype == targets.dtype == np.float32
    assert 0 <= values.min() < values.max() < 1
    for half in (markers[:, : length // 2], markers[:, length // 2 :]):
        np.testing.assert_array_equal(half.sum(axis=1), 1)
        assert half.any(axis=0).all()  # every place of the half is marked in some sequence
    np.testing.assert_allclose((values * markers).sum(axis=1), targets, rtol=1e-6)


def test_always_answering_one_scores_the_guess():
    task = Task(10)
    targets = task.batch(np.random.default_rng(0), 100_000)[1]
    assert np.mean((targets - 1) ** 2) == pytest.approx(task.guess, rel=0.02)


def test_the_generator_alone_decides():
    first, again, other = (Task(20).batch(np.random.default_rng(seed), 4)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("length", [1, 0, -3])
def test_a_length_without_two_halves_is_refused(length):
    with pytest.raises(UsageError, match=rf"length of 2 or more.*found {length}\.") as caught:
        Task(length)
    assert "\n" not in str(caught.value)
