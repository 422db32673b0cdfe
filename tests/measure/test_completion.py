"""Is a completion the most probable token, and is its score that of the probabilities?"""

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.measure import completion
from seqlab.measure.completion import complete, most_probable, score_windows


class Successor(nn.Module):
    """Gives the token after its own, of `vocabulary`, odds of 3 to 1 against each other one."""

    vocabulary = 5

    def __call__(self, tokens: mx.array) -> mx.array:
        following = (tokens + 1) % self.vocabulary
        return mx.log(3.0) * (following[..., None] == mx.arange(self.vocabulary))


def test_a_completion_is_a_token() -> None:
    logits = mx.array([[9.0, 1.0, 2.0, 0.0]])
    assert most_probable(logits).tolist() == [0]
    assert most_probable(logits, first=1).tolist() == [2]


def test_every_window_is_scored_whatever_is_evaluated_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "LOGITS", 2 * 6 * Successor.vocabulary)  # two of the five windows
    inputs = np.random.default_rng(0).integers(5, size=(5, 6)).astype(np.int32)
    targets = np.random.default_rng(1).integers(5, size=(5, 6)).astype(np.int32)
    scored = np.random.default_rng(2).random((5, 6)) < 0.5
    right, bits = score_windows(Successor(), inputs, targets, scored)
    np.testing.assert_array_equal(right, targets == (inputs + 1) % 5)
    assert bits == pytest.approx(np.where(right, np.log2(7 / 3), np.log2(7))[scored].mean(), rel=1e-5)


def test_a_text_is_continued_a_token_at_a_time() -> None:
    contexts = np.array([[0, 1], [4, 2]], np.int32)
    assert complete(Successor(), contexts, length=3).tolist() == [[2, 3, 4], [3, 4, 0]]
    assert complete(Successor(), contexts, length=3, first=1).tolist() == [[2, 3, 4], [3, 4, 1]]
