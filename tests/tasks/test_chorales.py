"""Are chorales split by melody, told and read without loss, and are the n-grams what was published?"""

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.errors import UsageError
from seqlab.tasks import chorales
from seqlab.tasks.chorales import HOLD, READ, REST, START, VOCABULARY, VOICES, Chorale

SPLITS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def music():
    return chorales.load()


@pytest.fixture
def bar():
    """Two voices move, one rests, one holds."""
    pitch = [[72, 67, 0, 48], [72, 67, 0, 48], [74, 67, 55, 48], [74, 65, 55, 48]]
    struck = [[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]]
    return Chorale("bar", np.array(pitch, np.uint8), np.array(struck, bool))


def opened(chorale, steps):
    """The soprano's first steps, found anew: every pair of neighbours among the notes that it strikes."""
    line = [int(p) for p, s in zip(chorale.pitch[:, 0], chorale.struck[:, 0], strict=True) if s and p]
    return [after - before for before, after in pairwise(line)][:steps]


def test_every_chorale_is_in_one_split(music):
    names = [chorale.name for split in SPLITS for chorale in music.split(split)]
    assert len(names) == len(set(names)) == 359
    assert [len(music.split(split)) for split in SPLITS] == [246, 39, 74]


def test_no_melody_is_in_two_splits_in_any_key(music):
    melodies = [{tuple(opened(chorale, 20)) for chorale in music.split(split)} for split in SPLITS]
    assert all(len(melody) == 20 for split in melodies for melody in split)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not melodies[one] & melodies[other]


def test_chorales_of_one_melody_are_counted_as_the_docstring_says(music):
    times = Counter(tuple(opened(chorale, 20)) for split in SPLITS for chorale in music.split(split))
    assert sum(count for count in times.values() if count > 1) == 89


def test_a_transposed_setting_stays_with_its_melody(bar):
    line = np.arange(60, 82)
    tune = Chorale("tune", np.repeat(line[:, None], 4, 1).astype(np.uint8), np.ones((22, 4), bool))
    others = [
        Chorale(f"{n}", np.roll(tune.pitch, n, axis=0), tune.struck) for n in range(1, 20)
    ]  # other melodies
    for seed in range(5):
        split = chorales.split_by_melody([tune, *others, tune.transposed(-5)], seed=seed)
        assert sum("tune" in {chorale.name for chorale in split.split(name)} for name in SPLITS) == 1


def test_the_split_depends_on_its_seed_alone(music):
    everything = [chorale for split in SPLITS for chorale in music.split(split)]
    names = [
        [chorale.name for chorale in chorales.split_by_melody(everything, seed=seed).test]
        for seed in (3, 3, 4)
    ]
    assert names[0] == names[1] != names[2]


def test_tokens_say_what_a_bar_does(bar):
    c5, g4, c3, d5, g3, f4 = (pitch - 34 for pitch in (72, 67, 48, 74, 55, 65))  # C2, 36, is token 2
    assert bar.told().tolist() == [
        [c5, g4, REST, c3],
        [HOLD] * 4,
        [d5, HOLD, g3, HOLD],
        [HOLD, f4, HOLD, c3],
    ]


def test_what_is_written_is_what_was_told(music, bar):
    for chorale in (bar, music.test[0], music.train[5]):
        again = chorales.written(chorale.told().ravel(), chorale.name)
        np.testing.assert_array_equal(again.pitch, chorale.pitch)
        np.testing.assert_array_equal(again.struck, chorale.struck)


def test_reading_follows_from_telling(music):
    """Token by token, from what was read of the same voice before."""
    for chorale in (music.test[1], music.valid[2]):
        before = [START] * 4
        for told, read in zip(chorale.told().tolist(), chorale.read().tolist(), strict=True):
            before = [chorales.reads_as(token, last) for token, last in zip(told, before, strict=True)]
            assert before == read


def test_all_ids_are_in_their_alphabets(music):
    for split in SPLITS:
        told = np.concatenate([chorale.told() for chorale in music.split(split)])
        read = np.concatenate([chorale.read() for chorale in music.split(split)])
        assert 0 <= told.min() <= told.max() < VOCABULARY == 48
        assert START < read.min() <= read.max() < READ == 95


@given(st.lists(st.integers(0, VOCABULARY - 1), min_size=4, max_size=40))
def test_any_tokens_can_be_written(tokens):
    """A model may hold what it never struck; that is a rest, and still a chorale."""
    whole = np.array(tokens[: len(tokens) // 4 * 4], np.int32)
    chorale = chorales.written(whole, "any")
    np.testing.assert_array_equal(chorale.told().ravel(), whole)
    assert chorale.read().max() < READ


def test_batches_are_windows_of_training_chorales_in_some_key(music):
    few = replace(music, train=music.train[:3])
    read, told = next(few.batches(np.random.default_rng(0), batch=64, frames=16))
    assert read.shape == told.shape == (64, 64)
    windows = set()
    for chorale in few.train:
        for moved in (chorale.transposed(shift) for shift in range(-5, 7)):
            before = np.r_[START, moved.read().ravel()[:-1]].reshape(-1, 4)
            for start in range(0, chorale.frames - 15, 4):
                some = slice(start, start + 16)
                windows.add((*before[some].ravel(), *moved.told()[some].ravel()))
    found = {(*seen, *row) for seen, row in zip(read, told, strict=True)}
    assert found <= windows
    assert len(found) > 32
    np.testing.assert_array_equal(
        told, next(few.batches(np.random.default_rng(0), batch=64, frames=16))[1]
    )  # the generator alone decides


def test_no_key_takes_a_voice_where_none_sang(music):
    pitch = np.concatenate([chorale.pitch for chorale in music.train]).astype(int)
    lowest, highest = np.where(pitch == 0, 127, pitch).min(axis=0), pitch.max(axis=0)
    keys = music._keys()
    assert all(0 in found and len(found) <= 12 for found in keys)
    assert np.mean([len(found) for found in keys]) > 3
    for chorale, found in zip(music.train, keys, strict=True):
        for shift in (min(found), max(found)):
            moved = chorale.transposed(shift).pitch.astype(int)
            assert ((moved == 0) | ((moved >= lowest) & (moved <= highest))).all()
            np.testing.assert_array_equal(moved == 0, chorale.pitch == 0)


@pytest.mark.parametrize("frames", [8, 16, 64])
def test_windows_count_every_token_once_after_half_a_window(music, frames):
    read, told, counted = music.windows("test", frames=frames, chorales=5)
    expected = np.concatenate([chorale.told().ravel() for chorale in music.test[:5]])
    np.testing.assert_array_equal(told[counted], expected)
    first = np.argmax(counted, axis=1)
    assert set(first) <= {0, frames * 2}
    assert (first == 0).sum() == 5  # only where a chorale begins
    # What is read before a token is the token before it; nothing of its own.
    before = np.concatenate([np.r_[START, chorale.read().ravel()[:-1]] for chorale in music.test[:5]])
    np.testing.assert_array_equal(read[counted], before)


@pytest.mark.parametrize("frames", [0, 6, -4])
def test_windows_that_leave_the_beat_are_refused(music, frames):
    with pytest.raises(UsageError, match="expected a multiple of"):
        next(music.batches(np.random.default_rng(0), batch=1, frames=frames))
    with pytest.raises(UsageError, match="expected a multiple of 8"):
        music.windows("valid", frames=12)


def test_windows_longer_than_any_chorale_are_refused(music):
    with pytest.raises(UsageError, match="expected at most"):
        next(music.batches(np.random.default_rng(0), batch=1, frames=4_000))


@pytest.mark.parametrize(("order", "published"), [(1, 2.11), (2, 1.55), (3, 1.41), (5, 1.33)])
def test_interleaved_ngrams_come_within_one_per_cent_of_what_was_published(music, order, published):
    assert chorales.bits_interleaved(music, order=order).mean() == pytest.approx(published, rel=0.01)


def test_ngrams_of_each_voice_come_within_one_per_cent_of_what_was_published(music):
    assert chorales.bits_alone(music, tokens=5).mean() == pytest.approx(1.16, rel=0.01)


def test_voices_together_say_more_than_alone(music):
    together = chorales.bits_together(music, "valid")
    assert together.shape == (sum(chorale.frames for chorale in music.valid), len(VOICES))
    assert together.mean() == pytest.approx(0.854, abs=0.001)  # as the comment says
    assert together.mean() < chorales.bits_alone(music, "valid", tokens=5).mean() - 0.1


def test_witten_bell_is_what_its_formula_says():
    """Contexts a a b: after a came 0, 0, 1; nothing is known after c."""
    contexts, seen = np.array([[0, 0, 0, 0], [1, 1, 1, 2]]), np.array([0, 0, 1, 5])
    asked, tokens = np.array([[0, 0, 0], [1, 1, 3]]), np.array([0, 7, 5])
    wide = {token: (count + 3 / VOCABULARY) / (4 + 3) for token, count in {0: 2, 5: 1, 7: 0}.items()}
    expected = [(2 + 2 * wide[0]) / 5, 2 * wide[7] / 5, wide[5]]
    found = chorales.witten_bell(contexts, seen, asked=asked, tokens=tokens)
    np.testing.assert_allclose(found, expected)


def test_probabilities_sum_to_one():
    rng = np.random.default_rng(0)
    contexts, seen = np.sort(rng.integers(0, 3, (2, 50)), axis=0), rng.integers(0, VOCABULARY, 50)
    for context in ([0, 0], [1, 2], [2, 9]):
        asked = np.repeat(np.array(context)[:, None], VOCABULARY, axis=1)
        found = chorales.witten_bell(contexts, seen, asked=asked, tokens=np.arange(VOCABULARY))
        assert math.fsum(found) == pytest.approx(1)
        assert found.min() > 0


@pytest.mark.parametrize("context", chorales.TOGETHER)
def test_no_fact_knows_the_token_or_what_comes_after(music, context):
    """Change the chorale from one token on: no fact of that token or of one before it changes."""
    chorale = music.valid[0]
    for at in (7, 62, 93, 118):
        changed_pitch, changed_struck = chorale.pitch.ravel().copy(), chorale.struck.ravel().copy()
        changed_pitch[at:] = 60 + np.arange(len(changed_pitch) - at) % 7
        changed_struck[at:] = ~changed_struck[at:]
        other = Chorale("other", changed_pitch.reshape(-1, 4), changed_struck.reshape(-1, 4))
        for fact in context:
            np.testing.assert_array_equal(fact(chorale).ravel()[: at + 1], fact(other).ravel()[: at + 1])


def test_facts_are_what_they_say(bar):
    untold = chorales.UNTOLD
    assert chorales.sounding(bar)[:, 0].tolist() == [untold, 72, 72, 74]
    assert chorales.note_before(bar)[:, 0].tolist() == [untold, untold, untold, 72]
    assert chorales.time_held(bar)[:, 0].tolist() == [0, 1, 2, 1]
    assert chorales.struck_above(bar).tolist() == [[0, 1, 3, 7], [0, 0, 0, 0], [0, 1, 1, 5], [0, 0, 2, 2]]
    assert chorales.pitch_above(bar)[2].tolist() == [untold, 74, 67, 55]
    assert chorales.token_above(bar, voices=2)[0].tolist() == [untold, untold, 72 - 34, 67 - 34]
    assert chorales.bass_before(bar)[1].tolist() == [48] * 4
    assert chorales.token_before(bar, tokens=5)[1].tolist() == [untold, *bar.told()[0, :3].tolist()]


def test_contexts_that_cannot_be_packed_are_refused(music):
    with pytest.raises(UsageError, match="at most 7 facts"):
        chorales.bits_alone(music, tokens=8)
    with pytest.raises(UsageError, match="an order of 1 or more"):
        chorales.bits_interleaved(music, order=0)
