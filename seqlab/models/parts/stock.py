"""How does a recurrent layer that comes with MLX stand in the place of one of ours?

`mlx.nn` computes the same equations as `models.rnn`, `lstm` and `gru`, one step after another, each step's
input cut out of the whole sequence by its index. MLX's gradient of such a cut fills an array as long as the
sequence, so that a training step costs the square of the length.
"""

from collections.abc import Callable, Mapping

import mlx.core as mx
from jaxtyping import Float
from mlx import nn

from seqlab.models.parts.recurrence import Cell, CellState

LAYERS: Mapping[str, Callable[[int, int], nn.Module]] = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


class StockCell(Cell):
    """A layer of `mlx.nn`, by its name."""

    def __init__(self, name: str, *, width: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.layer = LAYERS[name](width, units)

    def extend(
        self, x: Float[mx.array, "B L D"], state: CellState | None
    ) -> tuple[Float[mx.array, "B L H"], CellState]:
        """L more steps. The layer returns the states of all steps; an LSTM has two."""
        found = self.layer(x, *(state or ()))
        states = found if isinstance(found, tuple) else (found,)
        return states[0], tuple(each[:, -1] for each in states)

    def step(self, x: Float[mx.array, "B D"], state: CellState) -> tuple[Float[mx.array, "B H"], CellState]:
        """One step, as a sequence of one."""
        y, state = self.extend(x[:, None], state)
        return y[:, 0], state
