"""Is the text split by play, and covered by its alphabet and its windows?"""

import re
from collections import Counter

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks import characters, files
from seqlab.tasks.characters import PLAYS, Characters


@pytest.fixture(scope="module")
def task():
    return characters.load()


@pytest.fixture
def made():
    """Two letters and little text: small enough to count by hand."""
    ids = np.array([0, 1, 0, 1, 1, 0, 2, 0, 1, 0, 0, 1, 2, 1, 0], np.int32)
    return Characters("abc", ids, ids[:5], ids[:7])


def test_no_play_is_in_two_splits():
    titles = [title for split in PLAYS.values() for title in split]
    assert len(titles) == len(set(titles)) == 19
    assert set(titles) == set(files.texts("shakespeare_plays.json.xz"))


def test_no_long_passage_is_in_two_splits(task):
    """Front matter or a play under two names would repeat; 60 characters of Shakespeare do not."""
    train, valid, test = (task.decode(ids) for ids in (task.train, task.valid, task.test))
    for text, others in ((valid, train), (test, train), (test, valid)):
        assert not any(text[i : i + 60] in others for i in range(0, len(text) - 60, 300))


def test_the_alphabet_covers_every_split(task):
    assert task.vocabulary == 65
    for ids in (task.train, task.valid, task.test):
        assert ids.min() >= 0
        assert ids.max() < task.vocabulary
    assert task.decode(task.test) == files.texts("shakespeare_plays.json.xz")["The Tempest"]


def test_nothing_but_the_plays_is_left():
    for text in files.texts("shakespeare_plays.json.xz").values():
        assert text.startswith("ACT I")
        assert not re.search(r"gutenberg|copyright|\betext|personae|the end\n", text.lower())


def test_batches_are_one_character_apart_and_repeat_with_the_generator(task):
    def draw(seed):
        return next(task.batches(np.random.default_rng(seed), batch=4, length=50))

    inputs, targets = draw(1)
    np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])
    np.testing.assert_array_equal(inputs, draw(1)[0])
    assert not np.array_equal(inputs, draw(2)[0])
    text = task.decode(task.train)
    assert all(task.decode(row) in text for row in inputs)


def test_batches_reach_both_ends_of_the_text(made):
    starts = {tuple(row) for row in next(made.batches(np.random.default_rng(0), batch=200, length=13))[0]}
    assert starts == {tuple(made.train[:13]), tuple(made.train[1:14])}


def test_windows_cover_the_text_once(task):
    inputs, targets = task.windows("test", length=64, characters=10_000)
    assert inputs.shape == targets.shape == (156, 64)
    np.testing.assert_array_equal(targets.ravel(), task.test[1 : 156 * 64 + 1])
    np.testing.assert_array_equal(inputs.ravel(), task.test[: 156 * 64])
    assert len(task.windows("test", length=64)[0]) == (len(task.test) - 1) // 64


@pytest.mark.parametrize("length", [0, 15, 100])
def test_a_length_beyond_the_text_is_refused(made, length):
    with pytest.raises(UsageError, match="expected a length"):
        next(made.batches(np.random.default_rng(0), batch=1, length=length))
    with pytest.raises(UsageError, match="expected a length"):
        made.windows("test", length=length)


def test_windows_may_overlap(made):
    inputs, targets = made.windows("train", length=6, characters=13, stride=3)
    np.testing.assert_array_equal(inputs, [made.train[i : i + 6] for i in (0, 3, 6)])
    np.testing.assert_array_equal(targets, [made.train[i + 1 : i + 7] for i in (0, 3, 6)])
    with pytest.raises(UsageError, match="length of 1 to 12, found 13"):
        made.windows("train", length=13, characters=13, stride=3)


def test_encoding_undoes_decoding(task):
    np.testing.assert_array_equal(task.encode(task.decode(task.test[:99])), task.test[:99])


def test_no_window_comes_twice_in_one_pass(task):
    drawn = list(task.batches_once(np.random.default_rng(3), batch=4, length=32, characters=4_200))
    inputs, targets = (np.concatenate(side) for side in zip(*drawn, strict=True))
    assert inputs.shape == targets.shape == (4 * 32, 32)  # the last 104 characters fill no batch
    whole = zip(*task.windows("train", length=32), strict=True)
    there, here = (
        Counter((read.tobytes(), target.tobytes()) for read, target in rows)
        for rows in (whole, zip(inputs, targets, strict=True))
    )
    assert here <= there


@pytest.mark.parametrize("amount", [7, 16])
def test_one_pass_through_more_text_than_there_is_is_refused(made, amount):
    with pytest.raises(UsageError, match="expected 8 to 12 characters to train on"):
        made.batches_once(np.random.default_rng(0), batch=2, length=4, characters=amount)
