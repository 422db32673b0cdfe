"""Do the n-gram models count what a slow loop counts, and never look ahead?"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.errors import UsageError
from seqlab.tasks.ngrams import CANDIDATES, Ngrams


@dataclass(frozen=True)
class Made:
    tokens: np.ndarray
    starts: np.ndarray


def text(files):
    return Made(
        np.array([token for file in files for token in file], np.int32),
        np.cumsum([0, *map(len, files)]),
    )


# No more tokens than candidates: then the candidates are all the tokens that were ever seen.
TOKENS = st.integers(0, CANDIDATES - 1)
FILES = st.lists(st.lists(TOKENS, min_size=1, max_size=12), min_size=1, max_size=4)


def counters(files, order):
    """What followed each context, in plain dictionaries."""
    found = {}
    for file in files:
        for i, token in enumerate(file):
            for length in range(min(i + 1, order)):
                found.setdefault(tuple(file[i - length : i]), Counter())[token] += 1
    return found


@given(FILES, FILES, st.integers(1, 4), st.integers(1, 3))
def test_back_off_is_that_of_a_plain_loop(train, asked, order, min_count):
    counts = counters(train, order)
    expected = []
    for file in asked:
        for i in range(len(file)):
            answer = -1
            for length in range(min(i + 1, order)):
                followed = counts.get(tuple(file[i - length : i]), Counter())
                if followed.total() >= min_count:
                    answer = min(followed, key=lambda token: (-followed[token], token))
            expected.append(answer)
    assert (
        Ngrams(text(train), text(asked), order=4).backed_off(order=order, min_count=min_count).tolist()
        == expected
    )


@given(FILES, FILES, st.integers(1, 4), st.sampled_from([0.5, 1.0, 30.0]))
def test_the_cache_finds_the_most_probable_token(train, asked, order, weight):
    trained = counters(train, order)
    answers = iter(
        Ngrams(text(train), text(asked), order=order)
        .with_cache(np.ones(sum(map(len, asked)), bool), weight=weight)
        .tolist()
    )
    size = max(token for file in (*train, *asked) for token in file) + 1
    for file in asked:
        for i in range(len(file)):
            cached = counters([file[:i]], order)
            probability = np.full(size, 1 / size)
            for length in range(min(i + 1, order)):
                context = tuple(file[i - length : i])
                here, there = cached.get(context, Counter()), trained.get(context, Counter())
                if not here and not there:
                    continue
                counts = np.array([there[token] + weight * here[token] for token in range(size)])
                different = len(here) + len(there)
                probability = (counts + different * probability) / (counts.sum() + different)
            assert probability.sum() == pytest.approx(1)
            assert probability[next(answers)] == pytest.approx(probability.max())


def test_what_comes_later_changes_no_answer():
    rng = np.random.default_rng(0)
    train, file = rng.integers(20, size=(3, 60)).tolist(), rng.integers(20, size=60).tolist()
    other = file[:30] + rng.integers(20, size=30).tolist()
    everywhere = np.ones(60, bool)
    for answers in (
        lambda made: Ngrams(text(train), made, order=3).backed_off(order=3),
        lambda made: Ngrams(text(train), made, order=3).with_cache(everywhere, weight=5.0),
    ):
        np.testing.assert_array_equal(answers(text([file]))[:31], answers(text([other]))[:31])


def test_the_cache_knows_a_name_that_training_never_had():
    counts = Ngrams(text([[0, 1, 0, 1, 0, 1]]), text([[0, 7, 0, 7, 0, 7]]), order=2)
    assert counts.with_cache(np.ones(6, bool), weight=100.0).tolist()[3::2] == [7, 7]
    assert 7 not in counts.backed_off(order=2)


def test_a_cache_ends_with_its_file():
    counts = Ngrams(text([[0, 1, 0, 1]]), text([[0, 7, 0, 7], [0, 1]]), order=2)
    assert counts.with_cache(np.ones(6, bool), weight=100.0)[-1] == 1


def test_only_the_requested_positions_are_predicted():
    at = np.array([False, True, False, False])
    answers = Ngrams(text([[0, 1, 0, 1]]), text([[0, 1, 0, 1]]), order=2).with_cache(at, weight=1.0)
    assert (answers >= 0).tolist() == at.tolist()


@pytest.mark.parametrize("order", [0, 5])
def test_an_order_that_was_not_counted_is_refused(order):
    with pytest.raises(UsageError, match=f"1 to 4, found {order}"):
        Ngrams(text([[0]]), text([[0]]), order=4).backed_off(order=order)
