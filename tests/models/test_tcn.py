"""Temporal convolutional network: its equations, receptive field and impossible configs."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.models import tcn

WIDTH = 5


def network(**sizes) -> tcn.Model:
    return tcn.Model(tcn.Config(WIDTH, **sizes))


def doubles(array: mx.array) -> np.ndarray:
    return np.array(array, np.float64)


def convolve(layer: tcn.Convolution, x: np.ndarray) -> np.ndarray:
    weight, bias = doubles(layer.weight), doubles(layer.bias)
    taps = len(weight)
    y = np.tile(bias, (len(x), 1))
    for t in range(len(x)):
        for j in range(taps):
            source = t - (taps - 1 - j) * layer.dilation
            if source >= 0:
                y[t] += x[source] @ weight[j]
    return y


def normalised(norm: nn.LayerNorm, x: np.ndarray) -> np.ndarray:
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + norm.eps)
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / deviation * doubles(norm.weight) + doubles(norm.bias)


@pytest.mark.parametrize("kernel", [2, 3])
def test_it_follows_its_equations(kernel: int, randomised) -> None:
    model = randomised(network(depth=3, kernel=kernel, hidden=7))
    x = mx.random.normal((2, 11, WIDTH))
    expected = []
    for row in doubles(x):
        for layer, block in enumerate(model.blocks):
            assert block.first.dilation == block.second.dilation == 2**layer
            hidden = np.maximum(convolve(block.first, normalised(block.norm, row)), 0)
            row = row + np.maximum(convolve(block.second, hidden), 0)
        expected.append(row)
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("length", "kernel", "dilation"), [(1, 3, 4), (13, 3, 4), (9, 2, 1), (5, 4, 8)])
def test_a_convolution_and_its_gradient_equal_mlx_own(length: int, kernel: int, dilation: int) -> None:
    layer = tcn.Convolution(inputs=3, outputs=4, kernel=kernel, dilation=dilation)
    x, slope = mx.random.normal((2, length, 3)), mx.random.normal((2, length, 4))

    def own(weight: mx.array, x: mx.array) -> mx.array:
        padded = mx.pad(x, [(0, 0), ((kernel - 1) * dilation, 0), (0, 0)])
        return mx.conv1d(padded, weight.transpose(2, 0, 1), dilation=dilation)

    def ours(weight: mx.array, x: mx.array) -> mx.array:
        layer.weight = weight
        return layer.extend(x, None)[0]

    weight = layer.weight
    np.testing.assert_allclose(ours(weight, x), own(weight, x), rtol=1e-4, atol=1e-5)
    found, expected = (
        mx.grad(lambda *a, f=f: mx.sum(slope * f(*a)), argnums=(0, 1))(weight, x) for f in (ours, own)
    )
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("depth", "kernel"), [(1, 2), (2, 3), (3, 2)])
def test_an_output_depends_on_exactly_its_receptive_field(depth: int, kernel: int, randomised) -> None:
    model = randomised(network(depth=depth, kernel=kernel))
    for block in model.blocks:  # open every ReLU, so that only the taps decide
        block.first.bias = mx.full((WIDTH,), 100.0)
        block.second.weight, block.second.bias = mx.abs(block.second.weight), mx.abs(block.second.bias)
    field = model.config.receptive_field
    length = field + 5
    x = mx.random.normal((1, length, WIDTH))
    slopes = mx.grad(lambda x: mx.sum(model(x)[:, -1]))(x)
    reached = np.array(mx.abs(slopes).max(axis=(0, 2))) > 0
    assert field == 1 + 2 * (kernel - 1) * sum(2**n for n in range(depth))
    np.testing.assert_array_equal(reached, np.arange(length) >= length - field)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"kernel": 1}, "kernel must be 2 or more"),
        ({"depth": 0}, "depth must be 1 or more"),
        ({"width": 0}, "width must be 1 or more"),
        ({"hidden": 0}, "hidden must be 1 or more"),
    ],
)
def test_an_impossible_config_is_an_error(sizes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tcn.Config(**{"width": 4, **sizes})
