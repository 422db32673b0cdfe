"""Can a text be put together again from what is hidden and what is not, and is nothing else given away?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.errors import UsageError
from seqlab.tasks.masking import Masking

VOCABULARY = 9


def texts(length: int, seed: int) -> tuple[Masking, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    text = rng.integers(VOCABULARY, size=(4, length)).astype(np.int32)
    return Masking(length, VOCABULARY), text, rng


@given(st.integers(6, 80), st.integers(0, 99))
def test_single_gaps_hide_what_they_should_and_nothing_else(length: int, seed: int) -> None:
    hiding, text, rng = texts(length, seed)
    inputs, places = hiding.single(rng, text)
    assert places.shape == (4, max(1, round(0.15 * length)))
    assert all(len(set(row)) == len(row) for row in places.tolist())
    masked = np.zeros(text.shape, bool)
    np.put_along_axis(masked, places, True, axis=1)
    assert (inputs[masked] == hiding.mask).all()
    np.testing.assert_array_equal(inputs[~masked], text[~masked])


@given(st.integers(6, 80), st.integers(0, 99))
def test_a_text_is_its_source_with_the_target_in_the_gaps(length: int, seed: int) -> None:
    """Behind each sentinel of the target stands what the same sentinel of the source hides."""
    hiding, text, rng = texts(length, seed)
    sources, targets, scored, places = hiding.corrupt(rng, text)
    assert sources.shape[1] == length - hiding.hidden + hiding.spans
    for source, target, counts, hidden, whole in zip(sources, targets, scored, places, text, strict=True):
        spans: dict[int, list[int]] = {}
        for token in target.tolist()[:-1]:
            if token >= hiding.sentinel:
                spans[token] = []
            else:
                spans[next(reversed(spans))].append(token)
        assert target[-1] == hiding.end
        assert list(spans) == [hiding.sentinel + k for k in range(hiding.spans)]
        restored = [c for token in source.tolist() for c in spans.get(token, [token])]
        assert restored == whole.tolist()
        assert target[counts].tolist() == [c for span in spans.values() for c in span]
        assert whole[hidden].tolist() == target[counts].tolist()
        assert (source < VOCABULARY)[[0, -1]].all()  # no span at an end


def test_spans_are_three_long_on_average_and_everywhere() -> None:
    hiding = Masking(64, VOCABULARY)
    assert hiding.hidden / hiding.spans == pytest.approx(3, abs=0.5)
    text = np.zeros((2_000, 64), np.int32)
    places = hiding.corrupt(np.random.default_rng(0), text)[-1]
    often = np.bincount(places.ravel(), minlength=64) / len(text)
    assert often[1:-1].min() > 0.05
    assert often[16:48] == pytest.approx(0.16, abs=0.05)


def test_a_reader_is_given_no_token_before_it_is_told() -> None:
    hiding, text, rng = texts(40, 1)
    _, target, _, _ = hiding.corrupt(rng, text)
    given_tokens = hiding.shifted(target)
    assert (given_tokens[:, 0] == hiding.end).all()
    np.testing.assert_array_equal(given_tokens[:, 1:], target[:, :-1])


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="6 characters or more, found 5"):
        Masking(5, VOCABULARY)
    for hide in (Masking(8, VOCABULARY).single, Masking(8, VOCABULARY).corrupt):
        with pytest.raises(UsageError, match="texts of 8 characters, found 9"):
            hide(np.random.default_rng(0), np.zeros((1, 9), np.int32))
