"""Temporal convolutional network: its equations, how far it sees, streaming, and learning."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map

from seqlab.errors import UsageError
from seqlab.models import heads, tcn

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
def test_an_output_sees_its_receptive_field_and_no_more(depth: int, kernel: int, randomised) -> None:
    model = randomised(network(depth=depth, kernel=kernel))
    for block in model.blocks:  # every ReLU open, so that only the taps decide what is seen
        block.first.bias = mx.full((WIDTH,), 100.0)
        block.second.weight, block.second.bias = mx.abs(block.second.weight), mx.abs(block.second.bias)
    field = model.config.receptive_field
    length = field + 5
    x = mx.random.normal((1, length, WIDTH))
    slopes = mx.grad(lambda x: mx.sum(model(x)[:, -1]))(x)
    reached = np.array(mx.abs(slopes).max(axis=(0, 2))) > 0
    assert field == 1 + 2 * (kernel - 1) * sum(2**n for n in range(depth))
    np.testing.assert_array_equal(reached, np.arange(length) >= length - field)


def test_the_future_has_no_influence(randomised) -> None:
    model, x = randomised(network(depth=3)), mx.random.normal((2, 13, WIDTH))
    changed = mx.concatenate([x[:, :8], mx.random.normal((2, 5, WIDTH))], axis=1)
    before, after = np.array(model(x)), np.array(model(changed))
    np.testing.assert_array_equal(before[:, :8], after[:, :8])
    assert (np.abs(before[:, 8:] - after[:, 8:]).max(axis=(0, 2)) > 1e-4).all()


@pytest.mark.parametrize("pieces", [(13,), (1, 12), (4, 1, 8), (1,) * 13])
def test_reading_in_pieces_equals_reading_whole(pieces: tuple[int, ...]) -> None:
    model, x = network(depth=3, hidden=7), mx.random.normal((3, 13, WIDTH))
    state, outputs, start = model.initial_state(3, 13), [], 0
    shapes = tree_map(lambda array: array.shape, state.memory)
    for length in pieces:
        y, state = model.extend(x[:, start : start + length], state)
        outputs.append(y)
        start += length
        assert tree_map(lambda array: array.shape, state.memory) == shapes
    assert state.position == 13
    np.testing.assert_allclose(mx.concatenate(outputs, axis=1), model(x), atol=1e-5)


def test_single_steps_continue_what_was_read_at_once() -> None:
    model, x = network(depth=3, kernel=4), mx.random.normal((2, 15, WIDTH))
    y, state = model.extend(x[:, :6], model.initial_state(2, 15))
    outputs = [y]
    for t in range(6, 15):
        y, state = model.step(x[:, t], state)
        outputs.append(y[:, None])
    np.testing.assert_allclose(mx.concatenate(outputs, axis=1), model(x), atol=1e-5)


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (3, 7)])
def test_shapes_and_a_gradient_for_every_parameter(batch: int, length: int) -> None:
    model, x = network(depth=2, hidden=3), mx.random.normal((batch, length, WIDTH))
    assert model(x).shape == (batch, length, WIDTH)
    slope = mx.random.normal(x.shape)
    _, gradients = nn.value_and_grad(model, lambda x: mx.sum(slope * model(x)))(x)
    for name, gradient in tree_flatten(gradients):
        assert mx.isfinite(gradient).all().item(), name
        assert mx.abs(gradient).max().item() > 0, name


def test_it_overfits_a_batch() -> None:
    model = heads.RowClassifier(tcn.Model(tcn.Config(16, depth=3)), channels=8, classes=4)
    rows, labels = mx.random.normal((8, 9, 8)), mx.arange(8) % 4
    optimiser = optim.Adam(learning_rate=1e-2)
    step = nn.value_and_grad(
        model, lambda rows: nn.losses.cross_entropy(model(rows), labels, reduction="mean")
    )
    for _ in range(40):
        value, gradients = step(rows)
        optimiser.update(model, gradients)
        mx.eval(value, model.parameters(), optimiser.state)
    assert value.item() < 0.1  # guessing: 1.39


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"kernel": 1}, "kernel must be 2 or more"),
        ({"depth": 0}, "depth must be 1 or more"),
        ({"width": 0}, "width must be 1 or more"),
        ({"hidden": 0}, "hidden must be 1 or more"),
    ],
)
def test_a_network_that_cannot_be(sizes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tcn.Config(**{"width": 4, **sizes})


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("shape", [(2, 0, WIDTH), (2, 3, WIDTH + 1), (3, WIDTH)])
def test_a_wrong_input_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"empty|expected an input of shape"):
        network()(mx.zeros(shape))
