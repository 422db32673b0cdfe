"""Does recall pose the question that its docstring draws, and does it leave no short cut?"""

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.recall import Task

TASKS = [Task(pairs=1, vocabulary=4), Task(pairs=8, vocabulary=18), Task(pairs=8, vocabulary=65, length=101)]


@pytest.mark.parametrize("task", TASKS)
def test_every_key_is_asked_once_and_the_target_is_its_value(task):
    told = 2 * task.pairs
    for row, targets, scored in zip(*task.batch(np.random.default_rng(0), 100), strict=True):
        assert len(row) == task.steps
        pairs = dict(zip(row[:told:2].tolist(), row[1:told:2].tolist(), strict=True))
        assert len(pairs) == len(set(pairs.values())) == task.pairs
        assert not scored[:told].any()
        assert sorted(row[scored]) == sorted(pairs)
        assert [pairs[key] for key in row[scored].tolist()] == targets[scored].tolist()
        assert not row[told:][~scored[told:]].any()  # blanks: the answer is never shown again
        assert not targets[~scored].any()


@pytest.mark.parametrize("task", TASKS)
def test_blank_keys_and_values_share_no_id(task):
    inputs = task.batch(np.random.default_rng(0), 2_000)[0]
    keys, values = inputs[:, : 2 * task.pairs : 2], inputs[:, 1 : 2 * task.pairs : 2]
    assert set(keys.ravel().tolist()) == set(range(1, task.keys + 1))
    assert set(values.ravel().tolist()) == set(range(task.keys + 1, task.vocabulary))
    assert task.keys + task.values + 1 == task.vocabulary
    assert task.guess == 1 / task.values


def test_queries_come_in_no_order_of_their_pairs():
    inputs, _, scored = Task(pairs=4, vocabulary=20).batch(np.random.default_rng(0), 4_000)
    first_asked = inputs[scored].reshape(-1, 4)[:, 0]
    shares = (inputs[:, :8:2] == first_asked[:, None]).mean(axis=0)
    np.testing.assert_allclose(shares, 1 / 4, atol=0.03)


def test_queries_crowd_towards_the_pairs():
    """One query among places 1, 2, … falls on them as 1 : 2^-0.99 : 3^-0.99 : …"""
    task = Task(pairs=1, vocabulary=4, length=22)
    places = task.batch(np.random.default_rng(0), 20_000)[2].mean(axis=0)
    expected = np.arange(1, 11) ** -0.99
    np.testing.assert_allclose(places[2::2], expected / expected.sum(), atol=0.01)
    assert not places[3::2].any()


def test_the_generator_alone_decides():
    task = TASKS[1]
    first, again, other = (task.batch(np.random.default_rng(seed), 4)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pairs": 0, "vocabulary": 10}, "1 pair or more, found 0"),
        ({"pairs": 8, "vocabulary": 17}, "vocabulary of 18 or more, found 17"),
        ({"pairs": 8, "vocabulary": 18, "length": 31}, "length of 32 or more, found 31"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UsageError, match=message) as caught:
        Task(**settings)
    assert "\n" not in str(caught.value)
