"""LSTM with one attention head: its equations, causality, streaming, and learning."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map

from seqlab.errors import UsageError
from seqlab.models import heads, hybrid

WIDTH = 6


def network(**sizes) -> hybrid.Model:
    return hybrid.Model(hybrid.Config(WIDTH, **sizes))


def doubles(module: nn.Module) -> dict[str, np.ndarray]:
    return {
        name: np.array(value, np.float64) for name, value in module.items() if isinstance(value, mx.array)
    }


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def linear(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
    p = doubles(layer)
    return x @ p["weight"].T + p["bias"]


def normalised(layer: nn.LayerNorm, x: np.ndarray) -> np.ndarray:
    p = doubles(layer)
    z = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.eps)
    return z * p["weight"] + p["bias"]


def lstm_layer(cell: nn.Module, x: np.ndarray) -> np.ndarray:
    p = doubles(cell)
    h = c = np.zeros(cell.units)
    outputs = []
    for x_t in x:
        i, f, o, g = np.split(p["input_weight"] @ x_t + p["bias"] + p["recurrent_weight"] @ h, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs)


def lstm_stack(stack: nn.Module, x: np.ndarray, *, projected: bool) -> np.ndarray:
    for layer, cell in enumerate(stack.cells):
        y = lstm_layer(cell, normalised(stack.norms[layer], x))
        x = x + (linear(stack.projections[layer], y) if projected else y)
    return x


def one_head(attention: nn.Module, x: np.ndarray) -> np.ndarray:
    q, k, v = np.split(linear(attention.to_qkv, x), 3, axis=1)
    seen = np.empty_like(x)
    for t in range(len(x)):
        scores = np.exp(k[: t + 1] @ q[t] / math.sqrt(WIDTH))
        seen[t] = scores / scores.sum() @ v[: t + 1]
    return linear(attention.to_output, seen)


@pytest.mark.parametrize(("depth", "hidden"), [(2, None), (3, 7)])
def test_it_follows_its_equations(depth: int, hidden: int | None, randomised) -> None:
    model = randomised(network(depth=depth, hidden=hidden))
    assert (len(model.below.cells), len(model.above.cells)) == (depth - 1, 1)
    x = mx.random.normal((2, 9, WIDTH))
    expected = []
    for row in np.array(x, np.float64):
        row = lstm_stack(model.below, row, projected=hidden is not None)
        row = row + one_head(model.attention, normalised(model.norm, row))
        expected.append(lstm_stack(model.above, row, projected=hidden is not None))
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-4)


def test_the_future_has_no_influence() -> None:
    model, x = network(), mx.random.normal((2, 13, WIDTH))
    changed = mx.concatenate([x[:, :8], mx.random.normal((2, 5, WIDTH))], axis=1)
    before, after = np.array(model(x)), np.array(model(changed))
    np.testing.assert_allclose(before[:, :8], after[:, :8], rtol=0, atol=1e-6)
    assert (np.abs(before[:, 8:] - after[:, 8:]).max(axis=(0, 2)) > 1e-4).all()


@pytest.mark.parametrize("pieces", [(13,), (1, 12), (4, 1, 8), (1,) * 13])
@pytest.mark.parametrize("room", [13, 20])
def test_reading_in_pieces_equals_reading_whole(pieces: tuple[int, ...], room: int) -> None:
    model, x = network(depth=3, hidden=7), mx.random.normal((3, 13, WIDTH))
    state, outputs, start = model.initial_state(3, room), [], 0
    shapes = tree_map(lambda array: array.shape, state.memory)
    for length in pieces:
        y, state = model.extend(x[:, start : start + length], state)
        outputs.append(y)
        start += length
        assert tree_map(lambda array: array.shape, state.memory) == shapes
    assert (state.position, state.room) == (13, room)
    np.testing.assert_allclose(mx.concatenate(outputs, axis=1), model(x), atol=1e-5)


def test_single_steps_continue_what_was_read_at_once() -> None:
    model, x = network(), mx.random.normal((2, 11, WIDTH))
    y, state = model.extend(x[:, :5], model.initial_state(2, 11))
    outputs = [y]
    for t in range(5, 11):
        y, state = model.step(x[:, t], state)
        outputs.append(y[:, None])
    np.testing.assert_allclose(mx.concatenate(outputs, axis=1), model(x), atol=1e-5)
    with pytest.raises(UsageError, match="cache holds 11 steps and is full"):
        model.step(x[:, 0], state)


@pytest.mark.parametrize(("batch", "length"), [(1, 2), (3, 7)])
def test_shapes_and_a_gradient_for_every_parameter(batch: int, length: int) -> None:
    model, x = network(hidden=5), mx.random.normal((batch, length, WIDTH))
    assert model(x).shape == (batch, length, WIDTH)
    assert model(x[:, :1]).shape == (batch, 1, WIDTH)
    slope = mx.random.normal(x.shape)
    _, gradients = nn.value_and_grad(model, lambda x: mx.sum(slope * model(x)))(x)
    for name, gradient in tree_flatten(gradients):
        assert mx.isfinite(gradient).all().item(), name
        assert mx.abs(gradient).max().item() > 0, name


def test_a_language_model_of_it_overfits_a_batch() -> None:
    model = heads.LanguageModel(hybrid.Model(hybrid.Config(16)), vocabulary=7)
    tokens = mx.random.randint(0, 7, (4, 12))
    optimiser = optim.Adam(learning_rate=1e-2)
    step = nn.value_and_grad(
        model,
        lambda tokens: nn.losses.cross_entropy(model(tokens)[:, 4:-1], tokens[:, 5:], reduction="mean"),
    )
    for _ in range(60):
        value, gradients = step(tokens)
        optimiser.update(model, gradients)
        mx.eval(value, model.parameters(), optimiser.state)
    assert value.item() < 0.2  # guessing: 1.95


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"depth": 1}, "depth must be 2 or more"),
        ({"width": 0}, "width must be 1 or more"),
        ({"hidden": 0}, "hidden must be 1 or more"),
    ],
)
def test_a_network_that_cannot_be(sizes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        hybrid.Config(**{"width": 4, **sizes})


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("shape", [(2, 0, WIDTH), (2, 3, WIDTH + 1), (3, WIDTH)])
def test_a_wrong_input_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"empty|expected an input of shape"):
        network()(mx.zeros(shape))
