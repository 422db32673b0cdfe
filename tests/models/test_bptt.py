"""Backpropagation through time by hand equals MLX's gradient of the equations, in values and gradients."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from seqlab.machine import kernels
from seqlab.models import gru, lstm, rnn

CELLS = {
    "RNN": lambda: rnn.Layer(rnn.Config(3, hidden=5, orthogonal=False)),
    "LSTM": lambda: lstm.Layer(lstm.Config(3, hidden=5, orthogonal=False)),
    "GRU": lambda: gru.Layer(gru.Config(3, hidden=5, orthogonal=False)),
}


def gradients(cell: nn.Module, x: mx.array, state: tuple, weights: tuple) -> dict[str, np.ndarray]:
    """Outputs, last state and the gradient of a random projection of both by everything that goes in."""

    def loss(parameters: dict, x: mx.array, state: tuple) -> tuple[mx.array, mx.array]:
        cell.update(parameters)
        y, after = cell.extend(x, state)
        return sum(mx.sum(w * part) for w, part in zip(weights, (y, *after), strict=True)), (y, after)

    kept = cell.parameters()
    (_, outputs), found = mx.value_and_grad(loss, argnums=(0, 1, 2))(cell.parameters(), x, state)
    cell.update(kept)
    return {name: np.array(value) for name, value in tree_flatten([outputs, found])}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("length", [1, 2, 19])
def test_gradients_by_hand_equal_those_of_the_equations(name: str, length: int, randomised) -> None:
    cell = randomised(CELLS[name]())
    x = mx.random.normal((4, length, 3))
    state = tuple(mx.random.normal(part.shape) for part in cell.initial_state(4))
    weights = tuple(mx.random.normal(shape) for shape in ((4, length, 5), *((4, 5) for _ in state)))
    plain = gradients(cell, x, state, weights)
    with kernels.compiling():
        by_hand = gradients(cell, x, state, weights)
    assert plain.keys() == by_hand.keys()
    for key, value in plain.items():
        np.testing.assert_allclose(by_hand[key], value, rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", CELLS)
def test_the_default_state_is_zero(name: str) -> None:
    cell, x = CELLS[name](), mx.random.normal((2, 7, 3))
    with kernels.compiling():
        y, _ = cell.extend(x, None)
    np.testing.assert_allclose(y, cell(x), atol=1e-5)


def test_compiling_ends_with_its_block() -> None:
    with kernels.compiling():
        assert kernels.is_compiling()
    assert not kernels.is_compiling()

    @kernels.compiling()
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not kernels.is_compiling()
