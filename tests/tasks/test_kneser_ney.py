"""Are the n-gram model's answers honest probabilities, and the ones that its formula gives?"""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks import characters, files, kneser_ney
from seqlab.tasks.characters import Characters
from seqlab.tasks.kneser_ney import KneserNey, ngram

SEVEN = (
    "Macbeth", "Othello", "Julius Caesar", "The Merchant of Venice", "As You Like It", "Twelfth Night",
    "The Tempest",
)  # fmt: skip


@pytest.fixture(scope="module")
def task():
    return characters.load()


@pytest.fixture
def made():
    """Three letters and little text: small enough to count by hand."""
    ids = np.array([0, 1, 0, 1, 1, 0, 2, 0, 1, 0, 0, 1, 2, 1, 0], np.int32)
    return Characters("abc", ids, ids[:5], ids[:7])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_ngram_probabilities_sum_to_one(task, order):
    """After a common, a rare and an unseen context, over the whole alphabet."""
    for context in ("the ", "OSPE", "zqx."):
        head = [task.alphabet.index(character) for character in context]
        every = np.array([[*head, last] for last in range(task.vocabulary)], np.int32)
        given = ngram(task, order).probabilities(every.ravel())[3::5]
        assert len(given) == task.vocabulary
        assert math.fsum(given) == pytest.approx(1)
        assert given.min() > 0


def test_the_unigram_is_discounted_frequencies(made):
    """Counts 7, 6, 2 of 15: half a count each goes to the uniform distribution over three letters."""
    counts = Counter(made.train.tolist())
    expected = [(counts[c] - 0.5) / 15 + 1.5 / 15 / 3 for c in made.train[1:]]
    np.testing.assert_allclose(ngram(made, 1).probabilities(made.train), expected)


def test_the_bigram_is_what_its_formula_says(made):
    """Written out with dictionaries, for absolute discounts of a half (no count of three, so no estimate)."""
    train = made.train.tolist()
    pairs = Counter(pairwise(train))
    discount = kneser_ney._discounts(np.array(list(pairs.values())))
    before = Counter(c for _, c in pairs)  # different characters before c
    low_discount = kneser_ney._discounts(np.array(list(before.values())))

    def low(c):
        freed = sum(low_discount[min(n, 3)] for n in before.values())
        return (before[c] - low_discount[min(before[c], 3)] + freed / 3) / before.total()

    def high(h, c):
        after = {pair: n for pair, n in pairs.items() if pair[0] == h}
        freed = sum(discount[min(n, 3)] for n in after.values())
        n = after.get((h, c), 0)
        return (n - discount[min(n, 3)] + freed * low(c)) / sum(after.values())

    expected = [high(h, c) for h, c in pairwise(train)]
    np.testing.assert_allclose(ngram(made, 2).probabilities(made.train), expected)


def test_longer_contexts_say_more(task):
    bits = [ngram(task, order).bits(task.test[:20_000]) for order in (1, 2, 3, 5)]
    assert bits == sorted(bits, reverse=True)
    assert bits[0] < math.log2(task.vocabulary)


def test_the_baseline_stays_what_the_docstring_says(task):
    assert [round(ngram(task, order).bits(task.test), 2) for order in (1, 2, 3, 5)] == [
        4.86,
        3.62,
        3.06,
        2.41,
    ]


@pytest.mark.parametrize("order", [0, 11])
def test_an_order_that_does_not_fit_is_refused(task, order):
    with pytest.raises(UsageError, match="expected an order"):
        ngram(task, order)


def test_infilling_from_the_left_alone_is_next_character_prediction(task):
    ids = task.test[:40]
    positions = np.array([4, 17, 39])
    found = ngram(task, 5).infill(ids, positions)
    given = ngram(task, 5).probabilities(ids)
    np.testing.assert_allclose(found[np.arange(3), ids[positions]], given[positions - 1])
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_infilling_from_both_sides_is_bayes_rule(made):
    """Written out: each letter in the gap, and how probable the whole is with it."""
    ids, position = made.train, 6
    found = ngram(made, 2).infill(ids, np.array([position]), after=1)[0]
    whole = []
    for letter in range(3):
        tried = ids.copy()
        tried[position] = letter
        whole.append(ngram(made, 2).probabilities(tried).prod())
    np.testing.assert_allclose(found, np.array(whole) / sum(whole))


def test_context_on_the_right_helps(task):
    positions = np.arange(10, 400, 7)
    bits = [
        -np.log2(ngram(task, 4).infill(task.test, positions, after=after))[
            np.arange(len(positions)), task.test[positions]
        ].mean()
        for after in (0, 3)
    ]
    assert bits[1] < bits[0] - 0.5


def test_infilling_needs_the_neighbours(made):
    for positions in ([0], [14]):
        with pytest.raises(UsageError, match="expected positions from 1 to 13"):
            ngram(made, 2).infill(made.train, np.array(positions), after=1)


@pytest.mark.slow
def test_published_figures_lie_within_the_range_over_test_plays():
    """Each play in turn is tested and the other six train: what the docstring says of it."""
    plays = {title: files.texts("shakespeare_plays.json.xz")[title] for title in SEVEN}
    alphabet = "".join(sorted(set("".join(plays.values()))))

    ids = {character: i for i, character in enumerate(alphabet)}

    def encode(titles):
        return np.array([ids[c] for c in "\n\n".join(plays[title] for title in titles)], np.int32)

    found = {}
    for title in plays:
        test = encode([title])
        task = Characters(alphabet, encode([other for other in plays if other != title]), test, test)
        found[title] = [ngram(task, order).bits(task.test) for order in (1, 2, 3, 5)]
    low, high = np.min(list(found.values()), axis=0), np.max(list(found.values()), axis=0)
    assert low.round(2).tolist() == [4.77, 3.62, 2.98, 2.35]  # as the docstring says
    assert high.round(2).tolist() == [4.86, 3.74, 3.15, 2.52]
    elsewhere = np.array([4.87, 3.68, 3.03, 2.48])
    assert (elsewhere > low).all()
    assert (elsewhere < high + 0.01).all()


def test_a_text_is_counted_once():
    text = characters.load()
    assert ngram(text, 1) is ngram(text, 1)
    assert ngram(text, 2).bits(text.test[:500]) == KneserNey(text.train, 65, order=2).bits(text.test[:500])
