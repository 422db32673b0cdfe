"""Non-causal backbones: equations, receptive field, padding, and errors."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.models import bidirectional, lstm, residual_cnn
from seqlab.models.heads import LanguageModel

WIDTH = 5
BACKBONES = {
    "bi-LSTM": lambda: bidirectional.Model(bidirectional.Config(WIDTH, depth=2, hidden=4)),
    "CNN": lambda: residual_cnn.Model(residual_cnn.Config(WIDTH, depth=2, hidden=7)),
}
each = pytest.mark.parametrize("make", BACKBONES.values(), ids=BACKBONES.keys())


def doubles(array: mx.array) -> np.ndarray:
    return np.array(array, np.float64)


def normalised(norm: nn.LayerNorm, x: np.ndarray) -> np.ndarray:
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + norm.eps)
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / deviation * doubles(norm.weight) + doubles(norm.bias)


def convolve(layer: residual_cnn.Convolution, x: np.ndarray) -> np.ndarray:
    weight = doubles(layer.weight)
    y = np.tile(doubles(layer.bias), (len(x), 1))
    for t in range(len(x)):
        for tap, matrix in enumerate(weight):
            source = t + (tap - len(weight) // 2) * layer.dilation
            if 0 <= source < len(x):
                y[t] += x[source] @ matrix
    return y


@pytest.mark.parametrize("kernel", [3, 5])
def test_the_network_follows_its_equations(kernel: int, randomised) -> None:
    model = randomised(residual_cnn.Model(residual_cnn.Config(WIDTH, depth=3, kernel=kernel, hidden=7)))
    x = mx.random.normal((2, 11, WIDTH))
    expected = []
    for row in doubles(x):
        for layer, block in enumerate(model.blocks):
            assert block.first.dilation == block.second.dilation == 2**layer
            hidden = np.maximum(convolve(block.first, normalised(block.norm, row)), 0)
            row = row + convolve(block.second, hidden)
        expected.append(row)
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("depth", "kernel"), [(1, 3), (3, 3), (2, 5)])
def test_the_receptive_field_is_as_stated(depth: int, kernel: int) -> None:
    config = residual_cnn.Config(WIDTH, depth=depth, kernel=kernel, hidden=16)
    model, side = residual_cnn.Model(config), config.receptive_field // 2
    x = mx.random.normal((1, 2 * side + 9, WIDTH))
    middle = x.shape[1] // 2
    gradient = mx.grad(lambda x: mx.sum(mx.square(model(x)[:, middle])))(x)
    touched = np.flatnonzero(np.abs(np.array(gradient)).sum(axis=(0, 2)))
    assert (touched.min(), touched.max()) == (middle - side, middle + side)


def test_the_backward_direction_is_an_lstm_of_the_reversed_sequence() -> None:
    model = bidirectional.Model(bidirectional.Config(WIDTH, hidden=4))
    (layer,) = model.layers
    x = mx.random.normal((2, 9, WIDTH))
    y = layer.norm(x)
    state = None
    back = []
    for t in reversed(range(9)):  # one step at a time, from the end
        state = state or layer.back.initial_state(2)
        h, state = layer.back.step(y[:, t], state)
        back.insert(0, h)
    both = mx.concatenate([layer.onward(y), mx.stack(back, axis=1)], axis=-1)
    np.testing.assert_allclose(model(x), x + layer.join(both), rtol=1e-5, atol=1e-5)
    assert isinstance(layer.back, lstm.Layer)


@each
def test_padding_changes_nothing_at_real_steps(make) -> None:
    """Outputs and gradients equal those of the sequence alone, whatever the padding contains."""
    model = make()
    x, mask = mx.random.normal((3, 12, WIDTH)), mx.arange(12) < mx.array([12, 7, 1])[:, None]

    def output(x: mx.array, row: int, length: int) -> mx.array:
        return model(x, mask)[row, :length]

    for row, length in enumerate((12, 7, 1)):
        alone = model(x[row : row + 1, :length])[0]
        np.testing.assert_allclose(output(x, row, length), alone, rtol=1e-5, atol=1e-5)
        moved = mx.where(mask[..., None], x, 100 * mx.random.normal(x.shape))
        np.testing.assert_allclose(output(moved, row, length), alone, rtol=1e-5, atol=1e-5)
        gradient = mx.grad(lambda x, row=row, length=length: mx.sum(mx.square(output(x, row, length))))(x)
        assert not mx.any(gradient[row, length:]).item()


@each
def test_outputs_depend_on_both_sides(make) -> None:
    model, x = make(), mx.random.normal((1, 5, WIDTH))
    for t in (1, 3):
        moved = x + mx.eye(5)[t][None, :, None] * mx.arange(WIDTH)  # not constant, which a norm would remove
        changed = mx.abs(model(x) - model(moved)).sum(axis=-1)
        assert (np.array(changed)[0, [t - 1, t + 1]] > 1e-6).all()


@each
def test_steps_are_refused(make) -> None:
    model = LanguageModel(make(), vocabulary=3)
    with pytest.raises(UsageError, match="sees its whole input and has no steps"):
        model.initial_state(1, 4)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("kernel", [1, 4])
def test_an_even_or_short_kernel_is_an_error(kernel: int) -> None:
    with pytest.raises(UsageError, match="kernel must be odd"):
        residual_cnn.Config(WIDTH, kernel=kernel)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("sizes", [{"depth": 0}, {"hidden": 0}, {"width": 0}])
@pytest.mark.parametrize("config", [bidirectional.Config, residual_cnn.Config])
def test_impossible_sizes_are_errors(config, sizes: dict) -> None:
    with pytest.raises(UsageError, match="must be 1 or more"):
        config(**{"width": 4} | sizes)
