"""Does parity match its docstring?"""

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.parity import Task


def test_targets_are_the_parities_of_the_prefixes():
    inputs, targets, scored = Task(9).batch(np.random.default_rng(0), 200)
    assert inputs.shape == targets.shape == scored.shape == (200, 9)
    assert set(inputs.ravel().tolist()) == {0, 1} == set(range(Task(9).vocabulary))
    for row, labels in zip(inputs.tolist(), targets.tolist(), strict=True):
        assert labels == [sum(row[: end + 1]) % 2 for end in range(9)]
    assert scored.all()


def test_only_the_last_position_may_be_scored():
    every, last = (Task(9, every_step=choice).batch(np.random.default_rng(0), 5) for choice in (True, False))
    np.testing.assert_array_equal(every[1], last[1])
    np.testing.assert_array_equal(last[2], [[False] * 8 + [True]] * 5)


def test_a_constant_answer_scores_the_chance_level():
    task = Task(30)
    targets = task.batch(np.random.default_rng(0), 5_000)[1]
    np.testing.assert_allclose(targets.mean(axis=0), task.chance_level, atol=0.03)  # at every position


def test_an_empty_sequence_is_refused():
    with pytest.raises(UsageError, match="length must be 1 or more, found 0"):
        Task(0)
