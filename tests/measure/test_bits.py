"""Are bits those of the probabilities that a model gave, token by token and position by position?"""

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.measure import bits
from seqlab.measure.bits import bits_by_position, bits_per_token, target_bits, token_bits


def test_the_bits_of_a_target_are_those_of_its_probability() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]], np.float32)
    found = target_bits(mx.log(mx.array(probabilities)) + 3, mx.array([1, 0]))
    np.testing.assert_allclose(found, [2, 3], rtol=1e-5)


class Favours(nn.Module):
    """Gives its own input token odds of 3 to 1 against each of three others."""

    def __call__(self, tokens: mx.array) -> mx.array:
        return mx.log(3.0) * (tokens[..., None] == mx.arange(4))


def test_every_window_is_scored_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bits, "AT_ONCE", 2)
    inputs = np.random.default_rng(0).integers(4, size=(5, 6)).astype(np.int32)
    targets = np.random.default_rng(1).integers(4, size=(5, 6)).astype(np.int32)
    expected = np.where(inputs == targets, 1.0, np.log2(6))
    np.testing.assert_allclose(token_bits(Favours(), inputs, targets), expected, rtol=1e-5)
    np.testing.assert_allclose(token_bits(Favours(), inputs, targets, last=2), expected[:, -2:], rtol=1e-5)


def test_bits_per_token_are_those_of_all_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    def loss(model: nn.Module, inputs: mx.array, targets: mx.array) -> mx.array:
        return nn.losses.cross_entropy(model(inputs), targets, reduction="mean")

    monkeypatch.setattr(bits, "AT_ONCE", 2)  # the last evaluation has one window
    inputs, targets = np.random.default_rng(0).integers(4, size=(2, 5, 6)).astype(np.int32)
    expected = token_bits(Favours(), inputs, targets).mean()
    assert bits_per_token(Favours(), loss, inputs, targets) == pytest.approx(expected, rel=1e-5)


def test_positions_are_averaged_between_edges() -> None:
    made = np.stack([np.arange(6.0), np.arange(6.0)])
    found = {one.step: one.value for one in bits_by_position(made, (1, 3, 10), split="test")}
    assert found == {1: 0.0, 3: 1.5, 6: 4.0}
