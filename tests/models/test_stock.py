"""MLX's own recurrent layers in our stacks: they go on from a state, and compute what ours do."""

import mlx.core as mx
import numpy as np
import pytest

from seqlab.models import rnn
from seqlab.models.parts.recurrence import RecurrentConfig, Stack
from seqlab.models.parts.stock import LAYERS, StockCell

B, L, D, H = 2, 7, 3, 5


def close(found: mx.array, expected: mx.array) -> None:
    np.testing.assert_allclose(np.array(found), np.array(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_parts_and_single_steps_give_what_the_whole_sequence_gives(name: str) -> None:
    cell = StockCell(name, width=D, units=H)
    x = mx.random.normal((B, L, D))
    whole = cell(x)
    assert whole.shape == (B, L, H)
    first, state = cell.extend(x[:, :4], None)
    outputs = [first]
    for t in range(4, L):
        y, state = cell.step(x[:, t], state)
        outputs.append(y[:, None])
    close(mx.concatenate(outputs, axis=1), whole)


def test_a_stack_of_them_equals_ours_of_the_same_weights() -> None:
    config = rnn.Config(width=D, hidden=H, depth=2, residual=True)
    ours = rnn.Model(config)
    stock = Stack(
        RecurrentConfig(width=D, hidden=H, depth=2, residual=True),
        [StockCell("RNN", width=D, units=H) for _ in range(2)],
    )
    stock.projections, stock.norms = ours.projections, ours.norms
    for theirs, cell in zip(stock.cells, ours.cells, strict=True):
        theirs.layer.update({"Wxh": cell.input_weight, "Whh": cell.recurrent_weight, "bias": cell.bias + 0.1})
        cell.bias = cell.bias + 0.1
    x = mx.random.normal((B, L, D))
    close(stock(x), ours(x))
