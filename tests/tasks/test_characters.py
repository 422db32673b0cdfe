"""Is the text split by play, covered by its alphabet, and are the n-grams honest probabilities?"""

import math
from collections import Counter
from itertools import pairwise

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
    assert len(titles) == len(set(titles)) == 7
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
        assert not any(
            word in text.lower() for word in ("gutenberg", "copyright", "etext", "personae", "the end\n")
        )


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


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_ngram_probabilities_sum_to_one(task, order):
    """After a common, a rare and an unseen context, over the whole alphabet."""
    for context in ("the ", "OSPE", "zqx."):
        head = [task.alphabet.index(character) for character in context]
        every = np.array([[*head, last] for last in range(task.vocabulary)], np.int32)
        given = characters.ngram_probabilities(task, every.ravel(), order=order)[3::5]
        assert len(given) == task.vocabulary
        assert math.fsum(given) == pytest.approx(1)
        assert given.min() > 0


def test_the_unigram_is_discounted_frequencies(made):
    """Counts 7, 6, 2 of 15: half a count each goes to the uniform distribution over three letters."""
    counts = Counter(made.train.tolist())
    expected = [(counts[c] - 0.5) / 15 + 1.5 / 15 / 3 for c in made.train[1:]]
    np.testing.assert_allclose(characters.ngram_probabilities(made, made.train, order=1), expected)


def test_the_bigram_is_what_its_formula_says(made):
    """Spelt out with dictionaries, for absolute discounts of a half (no count of three, so no estimate)."""
    train = made.train.tolist()
    pairs = Counter(pairwise(train))
    discount = characters._discounts(np.array(list(pairs.values())))
    before = Counter(c for _, c in pairs)  # different characters before c
    low_discount = characters._discounts(np.array(list(before.values())))

    def low(c):
        freed = sum(low_discount[min(n, 3)] for n in before.values())
        return (before[c] - low_discount[min(before[c], 3)] + freed / 3) / before.total()

    def high(h, c):
        after = {pair: n for pair, n in pairs.items() if pair[0] == h}
        freed = sum(discount[min(n, 3)] for n in after.values())
        n = after.get((h, c), 0)
        return (n - discount[min(n, 3)] + freed * low(c)) / sum(after.values())

    expected = [high(h, c) for h, c in pairwise(train)]
    np.testing.assert_allclose(characters.ngram_probabilities(made, made.train, order=2), expected)


def test_longer_contexts_say_more(task):
    bits = [characters.ngram(task, order=order, characters=20_000) for order in (1, 2, 3, 5)]
    assert bits == sorted(bits, reverse=True)
    assert bits[0] < math.log2(task.vocabulary)


def test_the_baseline_stays_what_the_docstring_says(task):
    assert [round(characters.ngram(task, order=order), 2) for order in (1, 2, 3, 5)] == [
        4.86,
        3.67,
        3.14,
        2.54,
    ]


@pytest.mark.parametrize("order", [0, 11])
def test_an_order_that_does_not_fit_is_refused(task, order):
    with pytest.raises(UsageError, match="expected an order"):
        characters.ngram(task, order=order, characters=100)


def test_a_choice_without_what_is_behind_is_the_ngrams(task):
    ids = task.test[:40]
    places = np.array([4, 17, 39])
    told = characters.ngram_choices(task, ids, places, order=5)
    given = characters.ngram_probabilities(task, ids, order=5)
    np.testing.assert_allclose(told[np.arange(3), ids[places]], given[places - 1])
    np.testing.assert_allclose(told.sum(axis=1), 1)


def test_a_choice_with_what_is_behind_is_bayes_rule(made):
    """Spelt out: each letter in the gap, and how probable the whole is with it."""
    ids, place = made.train, 6
    told = characters.ngram_choices(made, ids, np.array([place]), order=2, after=1)[0]
    whole = []
    for letter in range(3):
        tried = ids.copy()
        tried[place] = letter
        whole.append(characters.ngram_probabilities(made, tried, order=2).prod())
    np.testing.assert_allclose(told, np.array(whole) / sum(whole))


def test_what_is_behind_helps(task):
    places = np.arange(10, 400, 7)
    bits = [
        -np.log2(characters.ngram_choices(task, task.test, places, order=4, after=after))[
            np.arange(len(places)), task.test[places]
        ].mean()
        for after in (0, 3)
    ]
    assert bits[1] < bits[0] - 0.5


def test_a_choice_needs_its_neighbours(made):
    for places in ([0], [14]):
        with pytest.raises(UsageError, match="expected places from 1 to 13"):
            characters.ngram_choices(made, made.train, np.array(places), order=2, after=1)


@pytest.mark.slow
def test_figures_from_elsewhere_lie_among_those_of_our_plays():
    """Each play in turn is tested and the other six train: what the docstring says of the tested play."""
    plays = files.texts("shakespeare_plays.json.xz")
    alphabet = "".join(sorted(set("".join(plays.values()))))

    ids = {character: i for i, character in enumerate(alphabet)}

    def encode(titles):
        return np.array([ids[c] for c in "\n\n".join(plays[title] for title in titles)], np.int32)

    found = {}
    for title in plays:
        test = encode([title])
        task = Characters(alphabet, encode([other for other in plays if other != title]), test, test)
        found[title] = [characters.ngram(task, order=order) for order in (1, 2, 3, 5)]
    low, high = np.min(list(found.values()), axis=0), np.max(list(found.values()), axis=0)
    assert low.round(2).tolist() == [4.77, 3.62, 2.98, 2.35]  # as the docstring says
    assert high.round(2).tolist() == [4.86, 3.74, 3.15, 2.52]
    elsewhere = np.array([4.87, 3.68, 3.03, 2.48])
    assert (elsewhere > low).all()
    assert (elsewhere < high + 0.01).all()
