"""The gradient through time written by hand equals MLX's own of the equations, for all that it returns."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from seqlab.machine import kernels
from seqlab.models import gru, lstm, rnn

CELLS = {
    "RNN": lambda: rnn.Layer(width=3, units=5, orthogonal=False),
    "LSTM": lambda: lstm.Layer(width=3, units=5, forget_bias=1.0, orthogonal=False),
    "GRU": lambda: gru.Layer(width=3, units=5, orthogonal=False),
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
def test_by_hand_equals_the_equations(name: str, length: int, randomised) -> None:
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
def test_a_state_that_is_not_given_is_zero(name: str) -> None:
    cell, x = CELLS[name](), mx.random.normal((2, 7, 3))
    with kernels.compiling():
        y, _ = cell.extend(x, None)
    np.testing.assert_allclose(y, cell(x), atol=1e-5)


def test_only_what_is_called_within_counts_as_compiling() -> None:
    with kernels.compiling():
        assert kernels.is_compiling()
    assert not kernels.is_compiling()

    @kernels.compiling()
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not kernels.is_compiling()
