"""The fast kernel variants of attention, rotary positions and the loss equal those of MLX."""

from collections.abc import Callable

import mlx.core as mx
import numpy as np
import pytest

from seqlab.machine import kernels
from seqlab.measure.graph import primitives
from seqlab.models import transformer
from seqlab.models.parts.activations import LOWEST, power_of_two, rational_sigmoid, rational_tanh
from seqlab.models.parts.attention import BLOCK, MIN_SCORES, softmax_attention
from seqlab.models.parts.losses import cross_entropy
from seqlab.models.parts.positions import rope

POLYNOMIAL = kernels.Kernels(exp="polynomial")
LENGTHS = (BLOCK, BLOCK + 1, 2 * BLOCK + 37)


def test_the_power_of_two_and_its_gradient() -> None:
    x = mx.concatenate([mx.linspace(-126, 0, 200_001), mx.linspace(-1e-3, 0, 101)])
    exact = np.exp2(np.array(x, np.float64))
    np.testing.assert_allclose(power_of_two(x), exact, rtol=3e-7)
    slope = mx.grad(lambda x: power_of_two(x).sum())(x)
    np.testing.assert_allclose(slope, exact * np.log(2), rtol=4e-7, atol=1e-38)


def test_the_powers_of_whole_numbers_are_exact() -> None:
    x = mx.arange(-126, 1).astype(mx.float32)
    np.testing.assert_array_equal(power_of_two(x), np.exp2(np.array(x)))


def test_the_power_of_very_small_exponents_is_zero_and_nan_stays_nan() -> None:
    np.testing.assert_array_equal(power_of_two(mx.array([LOWEST, -1e3, -1e9, -3e38, -mx.inf])), np.zeros(5))
    assert np.isnan(power_of_two(mx.array([mx.nan]))).all()


@pytest.mark.parametrize("function", [power_of_two, rational_tanh, rational_sigmoid])
def test_a_fast_variant_maps_over_any_axis_and_compiles(function: Callable[[mx.array], mx.array]) -> None:
    x = -mx.random.uniform(0, 9, (3, 5))
    gradient = mx.grad(lambda x: function(x).sum())
    np.testing.assert_array_equal(mx.vmap(function, in_axes=1, out_axes=1)(x), function(x))
    np.testing.assert_array_equal(mx.vmap(gradient)(x), gradient(x))
    np.testing.assert_allclose(mx.compile(gradient)(x), gradient(x), rtol=1e-6)


@pytest.mark.parametrize("function", [power_of_two, rational_tanh, rational_sigmoid])
def test_a_fast_variant_is_exported_with_its_gradient(function: Callable[[mx.array], mx.array]) -> None:
    x = -mx.random.uniform(0, 9, (3, 5))
    gradient = mx.grad(lambda x: function(x).sum())
    assert len(list(primitives(gradient, x, form=POLYNOMIAL))) > 5
    with kernels.exporting():
        exported = gradient(x)
    np.testing.assert_allclose(exported, gradient(x), rtol=1e-6)


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
        "masked": mx.where(allowed | itself, 0.0, -mx.inf),
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
    with kernels.using(POLYNOMIAL):
        assert 12 * length * length >= MIN_SCORES
        (_, found), gradients = both(q, k, v)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
    for gradient, slope in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("positions", ["rope", "alibi"])
def test_the_future_has_weight_zero(positions: str) -> None:
    model = transformer.Model(transformer.Config(16, depth=1, heads=2, positions=positions))
    x = mx.random.normal((4, 3 * BLOCK, 16))
    with kernels.using(POLYNOMIAL):
        gradient = np.array(mx.grad(lambda x: mx.sum(mx.square(model(x)[:, 70])))(x))
    assert np.abs(gradient[:, :71]).max(axis=2).min() > 0
    np.testing.assert_array_equal(gradient[:, 71:], 0)


@pytest.mark.parametrize("length", [1, 9])
def test_the_elementwise_rotation_equals_the_native_one(length: int) -> None:
    x, weights = mx.random.normal((2, 2, 3, length, 6))

    def loss(x: mx.array) -> tuple[mx.array, mx.array]:
        y = rope(x, mx.array(7))
        return mx.sum(weights * y), y

    both = mx.value_and_grad(loss)
    (_, expected), slope = both(x)
    with kernels.using(kernels.Kernels(rope="elementwise")):
        (_, found), gradient = both(x)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(gradient, slope, atol=1e-5)


@pytest.mark.parametrize("variant", [kernels.Kernels(), POLYNOMIAL], ids=["native", "polynomial"])
def test_the_mean_is_over_counted_positions(variant: kernels.Kernels) -> None:
    logits, targets = mx.random.normal((3, 5, 7)), mx.random.randint(0, 7, (3, 5))
    counted = mx.arange(5) < mx.array([5, 2, 1])[:, None]
    with kernels.using(variant):
        several = mx.concatenate([logits[0], logits[1, :2], logits[2, :1]])
        expected = cross_entropy(several, mx.concatenate([targets[0], targets[1, :2], targets[2, :1]]))
        value, slope = mx.value_and_grad(cross_entropy)(logits, targets, counted)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert not mx.any(slope[1, 2:]).item()
    assert mx.any(slope[1, :2]).item()


def test_the_cross_entropy_equals_that_of_mlx() -> None:
    logits, targets = 30 * mx.random.normal((3, 5, 11)), mx.random.randint(0, 11, (3, 5))
    both = mx.value_and_grad(lambda logits: cross_entropy(logits, targets))
    expected, slope = both(logits)
    with kernels.using(POLYNOMIAL):
        found, gradient = both(logits)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)


def test_a_logit_of_minus_infinity_excludes_its_class() -> None:
    """As in MLX's own loss, value and gradient, whether or not the class is the target."""
    logits = 3 * mx.random.normal((4, 7))
    excluded = mx.array([[1, 2], [0, 6], [3, 4], [5, 5]])
    logits = mx.put_along_axis(logits, excluded, mx.array(-mx.inf), axis=1)
    for targets in (mx.array([0, 3, 6, 6]), mx.array([1, 3, 6, 6])):
        value, slope = mx.value_and_grad(cross_entropy)(logits, targets)
        with kernels.using(POLYNOMIAL):
            found, gradient = mx.value_and_grad(cross_entropy)(logits, targets)
        np.testing.assert_allclose(found, value, rtol=1e-6)
        np.testing.assert_allclose(gradient, slope, atol=1e-6)
        assert mx.isfinite(gradient).all().item()
