"""LSTM with one attention head: its equations, a full cache and impossible configs."""

import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.models import hybrid

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
    attended = np.empty_like(x)
    for t in range(len(x)):
        scores = np.exp(k[: t + 1] @ q[t] / math.sqrt(WIDTH))
        attended[t] = scores / scores.sum() @ v[: t + 1]
    return linear(attention.to_output, attended)


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


def test_a_full_cache_is_an_error() -> None:
    model, x = network(), mx.random.normal((2, 5, WIDTH))
    _, state = model.extend(x, model.initial_state(2, 5))
    with pytest.raises(UsageError, match="cache holds 5 steps and is full"):
        model.step(x[:, 0], state)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"depth": 1}, "depth must be 2 or more"),
        ({"width": 0}, "width must be 1 or more"),
        ({"hidden": 0}, "hidden must be 1 or more"),
    ],
)
def test_an_impossible_config_is_an_error(sizes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        hybrid.Config(**{"width": 4, **sizes})
