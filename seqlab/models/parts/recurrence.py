"""How is a recurrent cell unrolled over time, stacked in layers, and fed one step at a time?

MLX's gradient of `x[:, t]` fills a whole array of zeros for every t, so a loop that indexes costs
O(T²) backward; splitting the time axis recursively into at most 8 parts costs O(T).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.models.parts.checks import check_positive, check_sequence

CellState = tuple[Float[mx.array, "B H"], ...]  # the first is the output
State = list[CellState]  # one a layer
PARTS = 8  # beyond about 10, mx.split's own gradient becomes quadratic again


def time_steps(x: mx.array, *, axis: int) -> list[mx.array]:
    """The slices of x along an axis, without it, with a gradient that costs as much as x is large."""
    length = x.shape[axis]
    if length == 1:
        return [x.squeeze(axis)]
    size = -(-length // PARTS)
    return [
        step
        for part in mx.split(x, list(range(size, length, size)), axis=axis)
        for step in time_steps(part, axis=axis)
    ]


@dataclass(frozen=True)
class RecurrentConfig:
    """Sizes of a recurrent stack.

    `hidden` units a layer, projected back to `width`; None means width units and no projection.
    `residual` turns layer f into x + f(norm(x)), which deep stacks need.
    """

    width: int
    depth: int = 1
    hidden: int | None = None
    residual: bool = False

    @property
    def units(self) -> int:
        """The size of a layer's state."""
        return self.width if self.hidden is None else self.hidden


class Cell(nn.Module, ABC):
    """One recurrent layer: maps (B, L, width) to (B, L, units), whole or a step at a time."""

    units: int

    @abstractmethod
    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L H"]:
        """All steps."""

    def initial_state(self, batch: int) -> CellState:
        """The state before the first step: zeros."""
        return (mx.zeros((batch, self.units)),)

    @abstractmethod
    def step(self, x: Float[mx.array, "B D"], state: CellState) -> CellState:
        """The state after one more input; its first array is the output."""


class UnrolledCell(Cell):
    """A cell that must take its steps in order: state_t = advance(W x_t + b, state_{t-1}).

    `gates` blocks of `units` rows are fused in W and in the recurrent matrix U. The product with W is
    made for all steps at once, so that only `advance` waits for the step before. Weights are uniform
    in ±1/√units; `orthogonal` makes each block of U orthogonal instead (Saxe et al., 2014).
    """

    def __init__(self, *, width: int, units: int, gates: int, orthogonal: bool) -> None:
        super().__init__()
        check_positive(hidden=units)
        self.units = units
        bound = units**-0.5
        self.input_weight = mx.random.uniform(-bound, bound, (gates * units, width))
        self.recurrent_weight = mx.random.uniform(-bound, bound, (gates * units, units))
        self.bias = mx.zeros((gates * units,))
        if orthogonal:
            fill = nn.init.orthogonal()
            self.recurrent_weight = mx.concatenate([fill(mx.zeros((units, units))) for _ in range(gates)])

    @abstractmethod
    def advance(self, z: Float[mx.array, "B G"], state: CellState) -> CellState:
        """One step from the input's share of the gates; state[0] is the output."""

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L H"]:
        state = self.initial_state(x.shape[0])
        outputs = []
        # Time first, so that each step's slice lies in one piece.
        for z in time_steps(mx.addmm(self.bias, x.swapaxes(0, 1), self.input_weight.T), axis=0):
            state = self.advance(z, state)
            outputs.append(state[0])
        return mx.stack(outputs, axis=1)

    def step(self, x: Float[mx.array, "B D"], state: CellState) -> CellState:
        """The state after one more input."""
        return self.advance(mx.addmm(self.bias, x, self.input_weight.T), state)


class Stack(nn.Module):
    """Layers of cells one above another: (B, L, width) to (B, L, width), causal."""

    causal = True

    def __init__(self, config: RecurrentConfig, cells: list[Cell]) -> None:
        super().__init__()
        self.config = config
        self.cells = cells
        if config.hidden is not None:
            self.projections = [nn.Linear(config.units, config.width) for _ in cells]
        if config.residual:
            self.norms = [nn.LayerNorm(config.width) for _ in cells]

    @property
    def width(self) -> int:
        """Features of an input and an output step."""
        return self.config.width

    def _enter(self, layer: int, x: mx.array) -> mx.array:
        return self.norms[layer](x) if self.config.residual else x

    def _leave(self, layer: int, x: mx.array, y: mx.array) -> mx.array:
        if self.config.hidden is not None:
            y = self.projections[layer](y)
        return x + y if self.config.residual else y

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        check_sequence(x, size=self.width)
        for layer, cell in enumerate(self.cells):
            x = self._leave(layer, x, cell(self._enter(layer, x)))
        return x

    def initial_state(self, batch: int, length: int) -> State:
        """The state before the first step. Its size does not depend on `length`, which attention needs."""
        check_positive(batch=batch, length=length)
        return [cell.initial_state(batch) for cell in self.cells]

    def step(self, x: Float[mx.array, "B D"], state: State) -> tuple[Float[mx.array, "B D"], State]:
        """One more input: its output and the new state."""
        after: State = []
        for layer, cell in enumerate(self.cells):
            after.append(cell.step(self._enter(layer, x), state[layer]))
            x = self._leave(layer, x, after[-1][0])
        return x, after


def check_recurrent(config: RecurrentConfig) -> None:
    """Raise `UsageError` unless every size is 1 or more."""
    check_positive(width=config.width, depth=config.depth, hidden=config.units)
