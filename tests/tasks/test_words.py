"""Are words and their neighbours counted as one counts them by hand?"""

from collections import Counter

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks import characters, words


def test_words_are_in_lower_case_and_keep_their_apostrophes() -> None:
    assert words.split("MACBETH.\nO'er the king's [Exit] 'tis--done'") == [
        "macbeth", "o'er", "the", "king's", "exit", "tis", "done",
    ]  # fmt: skip


def test_known_words_are_those_that_come_often_enough() -> None:
    found = words.known("a b a c a b", least=2)
    assert (found.words, found.counts) == (("a", "b"), (3, 2))
    assert found.encode("b c a x").tolist() == [1, 0]
    with pytest.raises(UsageError, match="comes 9 times, found none"):
        words.known("a b", least=9)


def test_neighbours_are_the_pairs_within_the_window() -> None:
    known = words.known("a b c d", least=1)
    pairs = Counter(map(tuple, known.neighbours("a b c d", window=2).tolist()))
    near = {(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)}
    assert pairs == Counter(near | {(b, a) for a, b in near})
    with pytest.raises(UsageError, match="two known words or more, found 1"):
        known.neighbours("a x", window=2)


def test_shares_are_weighted_counts_of_neighbours() -> None:
    """Spelt out pair by pair."""
    text = "the king and the queen and the king of the night"
    known = words.known(text, least=1)
    ids, total = known.encode(text).tolist(), sum(known.counts)
    weight = [min(1, (words.KEPT_SHARE * total / count) ** 0.5) for count in known.counts]
    expected = np.zeros((len(weight), len(weight)))
    for i, word in enumerate(ids):
        for j in range(max(0, i - 3), min(len(ids), i + 4)):
            if i != j:
                expected[word, ids[j]] += weight[ids[j]]
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(known.shares(text, window=3), expected, rtol=1e-6)


def test_a_word_without_neighbours_has_none() -> None:
    known = words.known("a b c", least=1)
    shares = known.shares("a b", window=1)
    assert shares.sum(axis=1).tolist() == [1, 1, 0]


def test_words_of_anywhere_are_drawn_by_flattened_counts() -> None:
    anywhere = words.known("a " * 16 + "b", least=1).anywhere()
    np.testing.assert_allclose(anywhere, np.array([8, 1]) / 9, rtol=1e-6)


def test_the_plays_have_words_enough() -> None:
    text = characters.load()
    known = words.known(text.decode(text.train), least=10)
    assert 1_000 < len(known.words) < 2_000
    assert {"king", "thou", "love"} <= set(known.words)
