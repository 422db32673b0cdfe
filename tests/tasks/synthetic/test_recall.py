"""Does associative recall match its docstring, without shortcuts?"""

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.recall import Task

TASKS = [Task(pairs=1, vocabulary=4), Task(pairs=8, vocabulary=18), Task(pairs=8, vocabulary=65, length=101)]


@pytest.mark.parametrize("task", TASKS)
def test_every_key_is_queried_once_and_the_target_is_its_value(task):
    shown = 2 * task.pairs
    for row, targets, scored in zip(*task.batch(np.random.default_rng(0), 100), strict=True):
        assert len(row) == task.steps
        pairs = dict(zip(row[:shown:2].tolist(), row[1:shown:2].tolist(), strict=True))
        assert len(pairs) == len(set(pairs.values())) == task.pairs
        assert not scored[:shown].any()
        assert sorted(row[scored]) == sorted(pairs)
        assert [pairs[key] for key in row[scored].tolist()] == targets[scored].tolist()
        assert not row[shown:][~scored[shown:]].any()  # blanks: the answer is not shown again
        assert not targets[~scored].any()


@pytest.mark.parametrize("task", TASKS)
def test_blank_keys_and_values_share_no_id(task):
    inputs = task.batch(np.random.default_rng(0), 2_000)[0]
    keys, values = inputs[:, : 2 * task.pairs : 2], inputs[:, 1 : 2 * task.pairs : 2]
    assert set(keys.ravel().tolist()) == set(range(1, task.keys + 1))
    assert set(values.ravel().tolist()) == set(range(task.keys + 1, task.vocabulary))
    assert task.keys + task.values + 1 == task.vocabulary
    assert task.chance_level == 1 / task.values


def test_the_order_of_queries_is_independent_of_the_pairs():
    inputs, _, scored = Task(pairs=4, vocabulary=20).batch(np.random.default_rng(0), 4_000)
    first_queried = inputs[scored].reshape(-1, 4)[:, 0]
    shares = (inputs[:, :8:2] == first_queried[:, None]).mean(axis=0)
    np.testing.assert_allclose(shares, 1 / 4, atol=0.03)


def test_queries_close_to_the_pairs_are_more_likely():
    """The probabilities of positions 1, 2, 3, … are as 1 : 2^-0.99 : 3^-0.99 : …"""
    task = Task(pairs=1, vocabulary=4, length=22)
    places = task.batch(np.random.default_rng(0), 20_000)[2].mean(axis=0)
    expected = np.arange(1, 11) ** -0.99
    np.testing.assert_allclose(places[2::2], expected / expected.sum(), atol=0.01)
    assert not places[3::2].any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pairs": 0, "vocabulary": 10}, "pairs must be 1 or more, found 0"),
        ({"pairs": 8, "vocabulary": 17}, "vocabulary of 18 or more, found 17"),
        ({"pairs": 8, "vocabulary": 18, "length": 31}, "length of 32 or more, found 31"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UsageError, match=message) as caught:
        Task(**settings)
    assert "\n" not in str(caught.value)
