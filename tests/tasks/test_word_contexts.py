"""Are words and their contexts counted as one counts them by hand?"""

from collections import Counter

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks import characters, word_contexts
from seqlab.tasks.word_contexts import Vocabulary


def test_words_are_in_lower_case_and_keep_their_apostrophes() -> None:
    assert word_contexts.tokenize("MACBETH.\nO'er the king's [Exit] 'tis--done'") == [
        "macbeth", "o'er", "the", "king's", "exit", "tis", "done",
    ]  # fmt: skip


def test_the_vocabulary_has_the_words_that_are_frequent_enough() -> None:
    found = Vocabulary.of("a b a c a b", min_count=2)
    assert (found.words, found.counts) == (("a", "b"), (3, 2))
    assert found.encode("b c a x").tolist() == [1, 0]
    with pytest.raises(UsageError, match="has 9 times, found none"):
        Vocabulary.of("a b", min_count=9)


def test_context_pairs_are_those_within_the_window() -> None:
    vocabulary = Vocabulary.of("a b c d", min_count=1)
    pairs = Counter(map(tuple, vocabulary.context_pairs("a b c d", window=2).tolist()))
    near = {(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)}
    assert pairs == Counter(near | {(b, a) for a, b in near})
    with pytest.raises(UsageError, match="two words of the vocabulary or more, found 1"):
        vocabulary.context_pairs("a x", window=2)


def test_context_distributions_are_weighted_counts_of_contexts() -> None:
    """Written out pair by pair."""
    text = "the king and the queen and the king of the night"
    vocabulary = Vocabulary.of(text, min_count=1)
    ids, total = vocabulary.encode(text).tolist(), sum(vocabulary.counts)
    weight = [min(1, (word_contexts.SUBSAMPLING * total / count) ** 0.5) for count in vocabulary.counts]
    expected = np.zeros((len(weight), len(weight)))
    for i, word in enumerate(ids):
        for j in range(max(0, i - 3), min(len(ids), i + 4)):
            if i != j:
                expected[word, ids[j]] += weight[ids[j]]
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(vocabulary.context_distributions(text, window=3), expected, rtol=1e-6)


def test_a_word_without_contexts_has_an_empty_row() -> None:
    vocabulary = Vocabulary.of("a b c", min_count=1)
    shares = vocabulary.context_distributions("a b", window=1)
    assert shares.sum(axis=1).tolist() == [1, 1, 0]


def test_negative_samples_follow_flattened_counts() -> None:
    noise = Vocabulary.of("a " * 16 + "b", min_count=1).noise_distribution()
    np.testing.assert_allclose(noise, np.array([8, 1]) / 9, rtol=1e-6)


def test_the_plays_have_enough_words() -> None:
    text = characters.load()
    vocabulary = Vocabulary.of(text.decode(text.train), min_count=20)
    assert 1_000 < len(vocabulary) < 2_000
    assert {"king", "thou", "love"} <= set(vocabulary.words)
