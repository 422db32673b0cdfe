"""The fast forms of attention, its rotation and the loss equal MLX's own."""

import mlx.core as mx
import numpy as np
import pytest

from seqlab import forms
from seqlab.models import transformer
from seqlab.models.parts.activations import LOWEST, polynomial_exp
from seqlab.models.parts.attention import BLOCK, LEAST_SCORES, softmax_attention
from seqlab.models.parts.losses import cross_entropy
from seqlab.models.parts.positions import rotated

POLYNOMIAL = forms.Forms(exp="polynomial")
LENGTHS = (BLOCK, BLOCK + 1, 2 * BLOCK + 37)


def test_the_exponential_and_its_gradient() -> None:
    x = mx.concatenate([mx.linspace(-87.5, 0, 200_001), mx.linspace(-1e-3, 0, 101)])
    exact = np.exp(np.array(x, np.float64))
    np.testing.assert_allclose(polynomial_exp(x), exact, rtol=2e-7)
    np.testing.assert_allclose(mx.grad(lambda x: polynomial_exp(x).sum())(x), exact, rtol=2e-7)


def test_what_is_far_below_is_nothing_at_all() -> None:
    np.testing.assert_array_equal(polynomial_exp(mx.array([LOWEST, -1e3, -1e9, -3e38])), np.zeros(4))


def masks(length: int) -> dict[str, object]:
    allowed = mx.random.uniform(shape=(3, 1, length, length)) < 0.5
    itself = mx.arange(length)[:, None] == mx.arange(length)
    return {
        "none": None,
        "causal": "causal",
        "boolean": allowed | itself,
        "shared": allowed[0, 0] | itself,
        "keys": (mx.arange(length) < length - 5)[None, None, None],
        "added": mx.where(itself, 0.0, -mx.random.uniform(shape=(4, length, length))),
        "hiding": mx.where(allowed | itself, 0.0, -mx.inf),
    }


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", masks(1))
def test_blocks_equal_the_whole(kind: str, length: int) -> None:
    q, k, v, weights = mx.random.normal((4, 3, 4, length, 8))
    mask = masks(length)[kind]
    weights = weights.swapaxes(1, 2).flatten(-2, -1)

    def loss(q: mx.array, k: mx.array, v: mx.array) -> tuple[mx.array, mx.array]:
        y = softmax_attention(q, k, v, mask)
        return mx.sum(weights * y), y

    both = mx.value_and_grad(loss, argnums=(0, 1, 2))
    (_, expected), slopes = both(q, k, v)
    with forms.using(POLYNOMIAL):
        assert 12 * length * length >= LEAST_SCORES
        (_, found), gradients = both(q, k, v)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
    for gradient, slope in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("positions", ["rope", "alibi"])
def test_the_future_weighs_exactly_nothing(positions: str) -> None:
    model = transformer.Model(transformer.Config(16, depth=1, heads=2, positions=positions))
    x = mx.random.normal((4, 3 * BLOCK, 16))
    with forms.using(POLYNOMIAL):
        gradient = np.array(mx.grad(lambda x: mx.sum(mx.square(model(x)[:, 70])))(x))
    assert np.abs(gradient[:, :71]).max(axis=2).min() > 0
    np.testing.assert_array_equal(gradient[:, 71:], 0)


@pytest.mark.parametrize("length", [1, 9])
def test_the_written_rotation_is_the_native_one(length: int) -> None:
    x, weights = mx.random.normal((2, 2, 3, length, 6))

    def loss(x: mx.array) -> tuple[mx.array, mx.array]:
        y = rotated(x, mx.array(7))
        return mx.sum(weights * y), y

    both = mx.value_and_grad(loss)
    (_, expected), slope = both(x)
    with forms.using(forms.Forms(rope="written")):
        (_, found), gradient = both(x)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(gradient, slope, atol=1e-5)


def test_the_cross_entropy_is_mlx_s_own() -> None:
    logits, targets = 30 * mx.random.normal((3, 5, 11)), mx.random.randint(0, 11, (3, 5))
    both = mx.value_and_grad(lambda logits: cross_entropy(logits, targets))
    expected, slope = both(logits)
    with forms.using(POLYNOMIAL):
        found, gradient = both(logits)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)
