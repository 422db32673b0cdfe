"""Does induction match its docstring, with one answer at no fixed distance?"""

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.induction import Task

TASKS = [Task(length=4, vocabulary=2), Task(length=33, vocabulary=16), Task(length=32, vocabulary=50)]


@pytest.mark.parametrize("task", TASKS)
def test_the_target_is_what_followed_the_earlier_occurrence(task):
    for row, targets, scored in zip(*task.batch(np.random.default_rng(0), 100), strict=True):
        np.testing.assert_array_equal(row[1:], targets[:-1])
        for place in range(task.length):
            before = [earlier for earlier in range(place) if row[earlier] == row[place]]
            assert scored[place] == bool(before)
            assert {row[earlier + 1] for earlier in before} <= {targets[place]}


def test_periods_are_a_quarter_to_a_half_of_the_length():
    scored = Task(length=40, vocabulary=20).batch(np.random.default_rng(0), 500)[2]
    assert set(scored.argmax(axis=1).tolist()) == set(range(10, 21))
    assert scored[:, -1].all()


@pytest.mark.parametrize("task", TASKS)
def test_every_id_is_equally_frequent(task):
    _, targets, scored = task.batch(np.random.default_rng(0), 5_000)
    shares = np.bincount(targets[scored], minlength=task.vocabulary) / scored.sum()
    np.testing.assert_allclose(shares, task.chance_level, rtol=0.15)


@pytest.mark.parametrize(
    ("length", "vocabulary", "message"),
    [(3, 10, "length must be 4 or more, found 3"), (32, 15, "up to 16 different ids.*found 15")],
)
def test_impossible_settings_are_refused(length, vocabulary, message):
    with pytest.raises(UsageError, match=message) as caught:
        Task(length, vocabulary)
    assert "\n" not in str(caught.value)
