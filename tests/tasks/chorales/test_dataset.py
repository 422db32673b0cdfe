"""Is each melody in one split, and are batches and windows cut from the chorales as they should be?"""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.chorales import dataset
from seqlab.tasks.chorales.chorale import START, Chorale

SPLITS = ("train", "valid", "test")


def first_steps(chorale, steps):
    """The soprano's first steps, computed anew from every pair of consecutive notes."""
    line = [int(p) for p, s in zip(chorale.pitch[:, 0], chorale.onset[:, 0], strict=True) if s and p]
    return [after - before for before, after in pairwise(line)][:steps]


def test_every_chorale_is_in_one_split(music):
    names = [chorale.name for split in SPLITS for chorale in music.split(split)]
    assert len(names) == len(set(names)) == 359
    assert [len(music.split(split)) for split in SPLITS] == [246, 39, 74]


def test_no_melody_is_in_two_splits_in_any_key(music):
    melodies = [{tuple(first_steps(chorale, 20)) for chorale in music.split(split)} for split in SPLITS]
    assert all(len(melody) == 20 for split in melodies for melody in split)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not melodies[one] & melodies[other]


def test_as_many_chorales_share_a_melody_as_the_docstring_says(music):
    times = Counter(tuple(first_steps(chorale, 20)) for split in SPLITS for chorale in music.split(split))
    assert sum(count for count in times.values() if count > 1) == 89


def test_a_transposed_setting_stays_with_its_melody(bar):
    line = np.arange(60, 82)
    tune = Chorale("tune", np.repeat(line[:, None], 4, 1).astype(np.uint8), np.ones((22, 4), bool))
    others = [
        Chorale(f"{n}", np.roll(tune.pitch, n, axis=0), tune.onset) for n in range(1, 20)
    ]  # other melodies
    for seed in range(5):
        split = dataset.split_by_melody([tune, *others, tune.transposed(-5)], seed=seed)
        assert sum("tune" in {chorale.name for chorale in split.split(name)} for name in SPLITS) == 1


def test_the_split_depends_on_its_seed_alone(music):
    everything = [chorale for split in SPLITS for chorale in music.split(split)]
    names = [
        [chorale.name for chorale in dataset.split_by_melody(everything, seed=seed).test]
        for seed in (3, 3, 4)
    ]
    assert names[0] == names[1] != names[2]


def test_batches_are_windows_of_training_chorales_in_some_key(music):
    few = replace(music, train=music.train[:3])
    inputs, targets = next(few.batches(np.random.default_rng(0), batch=64, frames=16))
    assert inputs.shape == targets.shape == (64, 64)
    windows = set()
    for chorale in few.train:
        for moved in (chorale.transposed(shift) for shift in range(-5, 7)):
            before = np.r_[START, moved.inputs().ravel()[:-1]].reshape(-1, 4)
            for start in range(0, chorale.frames - 15, 4):
                some = slice(start, start + 16)
                windows.add((*before[some].ravel(), *moved.tokens()[some].ravel()))
    found = {(*seen, *row) for seen, row in zip(inputs, targets, strict=True)}
    assert found <= windows
    assert len(found) > 32
    np.testing.assert_array_equal(
        targets, next(few.batches(np.random.default_rng(0), batch=64, frames=16))[1]
    )  # the generator alone decides


def test_no_key_takes_a_voice_out_of_its_range(music):
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
def test_windows_score_every_token_once_after_half_a_window(music, frames):
    inputs, targets, scored = music.windows("test", frames=frames, chorales=5)
    expected = np.concatenate([chorale.tokens().ravel() for chorale in music.test[:5]])
    np.testing.assert_array_equal(targets[scored], expected)
    first = np.argmax(scored, axis=1)
    assert set(first) <= {0, frames * 2}
    assert (first == 0).sum() == 5  # only where a chorale begins
    # The input before a token is that of the token before it; nothing of its own.
    before = np.concatenate([np.r_[START, chorale.inputs().ravel()[:-1]] for chorale in music.test[:5]])
    np.testing.assert_array_equal(inputs[scored], before)


@pytest.mark.parametrize("frames", [0, 6, -4])
def test_windows_off_the_beat_are_refused(music, frames):
    with pytest.raises(UsageError, match="expected a multiple of"):
        next(music.batches(np.random.default_rng(0), batch=1, frames=frames))
    with pytest.raises(UsageError, match="expected a multiple of 8"):
        music.windows("valid", frames=12)


def test_windows_longer_than_any_chorale_are_refused(music):
    with pytest.raises(UsageError, match="expected at most"):
        next(music.batches(np.random.default_rng(0), batch=1, frames=4_000))
