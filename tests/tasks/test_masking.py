"""Can a text be restored from its masked and unmasked parts, and does nothing else give it away?"""

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
def test_single_masks_replace_the_share_of_characters_and_change_no_other(length: int, seed: int) -> None:
    masking, text, rng = texts(length, seed)
    inputs, positions = masking.single(rng, text)
    assert positions.shape == (4, max(1, round(0.15 * length)))
    assert all(len(set(row)) == len(row) for row in positions.tolist())
    masked = np.zeros(text.shape, bool)
    np.put_along_axis(masked, positions, True, axis=1)
    assert (inputs[masked] == masking.mask).all()
    np.testing.assert_array_equal(inputs[~masked], text[~masked])


@given(st.integers(6, 80), st.integers(0, 99))
def test_a_text_is_its_source_with_the_target_in_the_gaps(length: int, seed: int) -> None:
    """After each sentinel of the target come the characters that the same sentinel replaces in the source."""
    masking, text, rng = texts(length, seed)
    sources, targets, scored, positions = masking.corrupt(rng, text)
    assert sources.shape[1] == length - masking.masked + masking.spans
    for source, target, counts, masked, whole in zip(sources, targets, scored, positions, text, strict=True):
        spans: dict[int, list[int]] = {}
        for token in target.tolist()[:-1]:
            if token >= masking.sentinel:
                spans[token] = []
            else:
                spans[next(reversed(spans))].append(token)
        assert target[-1] == masking.end
        assert list(spans) == [masking.sentinel + k for k in range(masking.spans)]
        restored = [c for token in source.tolist() for c in spans.get(token, [token])]
        assert restored == whole.tolist()
        assert target[counts].tolist() == [c for span in spans.values() for c in span]
        assert whole[masked].tolist() == target[counts].tolist()
        assert (source < VOCABULARY)[[0, -1]].all()  # no span at an end


def test_spans_are_three_long_on_average_and_everywhere() -> None:
    masking = Masking(64, VOCABULARY)
    assert masking.masked / masking.spans == pytest.approx(3, abs=0.5)
    text = np.zeros((2_000, 64), np.int32)
    positions = masking.corrupt(np.random.default_rng(0), text)[-1]
    often = np.bincount(positions.ravel(), minlength=64) / len(text)
    assert often[1:-1].min() > 0.05
    assert often[16:48] == pytest.approx(0.16, abs=0.05)


def test_a_decoder_reads_no_token_that_it_must_predict() -> None:
    masking, text, rng = texts(40, 1)
    _, target, _, _ = masking.corrupt(rng, text)
    given_tokens = masking.decoder_inputs(target)
    assert (given_tokens[:, 0] == masking.end).all()
    np.testing.assert_array_equal(given_tokens[:, 1:], target[:, :-1])


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="6 characters or more, found 5"):
        Masking(5, VOCABULARY)
    for mask in (Masking(8, VOCABULARY).single, Masking(8, VOCABULARY).corrupt):
        with pytest.raises(UsageError, match="texts of 8 characters, found 9"):
            mask(np.random.default_rng(0), np.zeros((1, 9), np.int32))
