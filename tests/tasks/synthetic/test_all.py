"""Do the synthetic tasks match their docstrings and their chance levels?"""

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.synthetic import (
    adding,
    copy_memory,
    counter_language,
    counting,
    delayed_recall,
    induction,
    parity,
    permutations,
    recall,
    selective_copy,
    string_copy,
)

LABELLING = [
    delayed_recall.Task(6),
    copy_memory.Task(9, word=3),
    selective_copy.Task(9, word=4, symbols=5),
    string_copy.Task(12, letters=5),
    counting.Task(11),
    permutations.Task(7, cups=3),
    permutations.Task(7, cups=5),
    counter_language.Task(16),
]
EVERY = [
    *LABELLING,
    adding.Task(20),
    parity.Task(20),
    induction.Task(length=33, vocabulary=16),
    recall.Task(pairs=8, vocabulary=18),
]


def drawn(task, size=400, seed=0):
    return task.batch(np.random.default_rng(seed), size)


def names(task):
    return type(task).__module__.rsplit(".", 1)[-1]


@pytest.mark.parametrize("task", LABELLING, ids=names)
def test_ids_lie_in_the_vocabulary_and_every_sequence_is_scored(task):
    inputs, targets, scored = drawn(task)
    assert inputs.shape == targets.shape == scored.shape
    assert inputs.dtype == targets.dtype == np.int32
    assert set(np.unique(inputs)) == set(range(task.vocabulary)) or task.vocabulary > inputs.max() >= 0
    assert 0 <= targets.min() <= targets.max() < task.vocabulary
    assert scored.any(axis=1).all()
    assert not targets[~scored].any()


@pytest.mark.parametrize("task", EVERY, ids=names)
def test_the_generator_alone_decides(task):
    for one, again in zip(drawn(task, 8), drawn(task, 8), strict=True):
        np.testing.assert_array_equal(one, again)
    assert not np.array_equal(drawn(task, 8)[0], drawn(task, 8, seed=1)[0])


@pytest.mark.parametrize(
    "task", [task for task in LABELLING if not isinstance(task, counting.Task)], ids=names
)
def test_the_most_frequent_answer_scores_about_the_chance_level(task):
    """Of permutations, at the last position only: at the first ones the ball is near its start."""
    _, targets, scored = drawn(task, 6_000)
    if isinstance(task, permutations.Task):
        scored[:, :-1] = False
    answers = targets[scored]
    assert np.bincount(answers).max() / len(answers) == pytest.approx(task.chance_level, abs=0.05)


def test_a_symbol_is_the_target_after_its_delay_and_noise_has_other_ids():
    task = delayed_recall.Task(6, symbols=3)
    inputs, targets, scored = drawn(task)
    assert inputs.shape[1] == 7
    np.testing.assert_array_equal(scored.sum(axis=1), 1)
    np.testing.assert_array_equal(targets[:, 6], inputs[:, 0])
    assert set(np.unique(inputs[:, 0])) == {1, 2, 3}
    assert set(np.unique(inputs[:, 1:6])) == {4, 5, 6}
    assert not inputs[:, 6].any()


def test_a_string_is_repeated_after_its_delay():
    inputs, targets, scored = drawn(copy_memory.Task(9, word=3, symbols=4))
    np.testing.assert_array_equal(targets[:, 9:], inputs[:, :3])
    assert (inputs[:, 9] == 1).all()
    assert not inputs[:, 3:9].any()
    assert not inputs[:, 10:].any()
    assert scored[:, 9:].all()
    assert not scored[:, :9].any()


def test_scattered_symbols_are_repeated_in_order():
    task = selective_copy.Task(9, word=4, symbols=5)
    inputs, targets, scored = drawn(task)
    for row, answer in zip(inputs, targets, strict=True):
        shown = row[:9]
        np.testing.assert_array_equal(shown[shown > 0], answer[9:])
        assert (row[9:] == 1).all()
    places = (inputs[:, :9] > 0).mean(axis=0)
    np.testing.assert_allclose(places, 4 / 9, atol=0.1)  # no place is favoured
    np.testing.assert_array_equal(scored.sum(axis=1), 4)


def test_a_string_is_copied_letter_by_letter_under_teacher_forcing():
    inputs, targets, scored = drawn(string_copy.Task(12))
    assert not inputs[:, 6].any()
    np.testing.assert_array_equal(targets[:, 6:], inputs[:, :6])
    np.testing.assert_array_equal(inputs[:, 7:], targets[:, 6:-1])
    assert scored[:, 6:].all()


def test_walks_end_where_their_steps_lead():
    inputs, targets, _ = drawn(counting.Task(11, places=5))
    for row, places in zip(inputs.tolist(), targets.tolist(), strict=True):
        place = 0
        for step, expected in zip(row, places, strict=True):
            place = (place + {0: 0, 1: 1, 2: 4}[step]) % 5
            assert place == expected


def test_a_long_walk_ends_anywhere_with_equal_probability():
    _, targets, _ = drawn(counting.Task(60), 4_000)
    shares = np.bincount(targets[:, -1], minlength=5) / 4_000
    np.testing.assert_allclose(shares, 0.2, atol=0.04)


@pytest.mark.parametrize("cups", [3, 5])
def test_the_ball_is_where_swapping_whole_rows_of_cups_puts_it(cups):
    task = permutations.Task(7, cups=cups)
    inputs, targets, _ = drawn(task)
    assert len(task.swaps) == cups * (cups - 1) // 2
    for word, places in zip(inputs, targets, strict=True):
        row = list(range(cups))  # which ball lies under each cup; ours is 0
        for swap, place in zip(word, places, strict=True):
            one, other = task.swaps[swap]
            row[one], row[other] = row[other], row[one]
            assert row.index(0) == place


@pytest.mark.parametrize("length", [4, 6, 16, 32])
def test_counts_match_and_both_answers_are_equally_frequent(length):
    inputs, targets, scored = drawn(counter_language.Task(length))
    for row, answer, asked in zip(inputs, targets, scored, strict=True):
        n = int((row == 1).sum())
        np.testing.assert_array_equal(row, [1] * n + [2] * n + [0] * (length - 2 * n))
        assert length // 4 < n <= length // 2
        assert sorted(answer[asked]) == [0, 1]
        assert answer[2 * n - 1] == 1
        assert (row[asked] == 2).all()


def test_words_of_twice_the_length_have_other_counts():
    short, long = ((drawn(counter_language.Task(length))[0] == 1).sum(axis=1) for length in (16, 32))
    assert short.max() < long.min()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: delayed_recall.Task(0), "delay must be 1 or more, found 0"),
        (lambda: delayed_recall.Task(3, symbols=1), "delayed recall: symbols must be 2 or more, found 1"),
        (lambda: copy_memory.Task(3, word=4), "a word of 4 and a delay of 3"),
        (lambda: copy_memory.Task(30, symbols=1), "symbols must be 2 or more, found 1"),
        (lambda: selective_copy.Task(8, word=9), "a word of 9 and a length of 8"),
        (lambda: selective_copy.Task(80, symbols=1), "symbols must be 2 or more, found 1"),
        (lambda: string_copy.Task(7), "length must be even, found 7"),
        (lambda: counting.Task(0), "length must be 1 or more, found 0"),
        (lambda: permutations.Task(4, cups=1), "cups must be 2 or more, found 1"),
        (lambda: counter_language.Task(3), "length must be 4 or more, found 3"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
