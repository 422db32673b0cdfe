"""How is a recurrent cell unrolled over time, stacked in layers, and fed one step at a time?

MLX's gradient of `x[:, t]` fills a whole array of zeros for every t, so a loop that indexes costs
O(T²) backward; splitting the time axis recursively into at most 8 parts costs O(T) (`kernels.split`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Int

from seqlab.machine import kernels
from seqlab.models.parts import through_time
from seqlab.models.parts.checks import check_positive, check_sequence
from seqlab.models.parts.streaming import State, Streaming

CellState = tuple[Float[mx.array, "B ..."], ...]


def pieces(x: mx.array, *, axis: int) -> list[mx.array]:
    """x in pieces of length 1 along an axis, with a gradient that costs as much as x is large."""
    length = x.shape[axis]
    if length == 1:
        return [x]
    part = -(-length // kernels.current().split)
    return [
        piece
        for larger in mx.split(x, list(range(part, length, part)), axis=axis)
        for piece in pieces(larger, axis=axis)
    ]


def time_steps(x: mx.array, *, axis: int) -> list[mx.array]:
    """The slices of x along an axis, without it, at the same cost."""
    return [piece.squeeze(axis) for piece in pieces(x, axis=axis)]


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
    """One recurrent layer: maps (B, L, width) to (B, L, units), whole, in pieces or a step at a time."""

    units: int

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L H"]:
        """All steps, from the initial state."""
        return self.extend(x, None)[0]

    def initial_state(self, batch: int) -> CellState:
        """The state before the first step: zeros."""
        return (mx.zeros((batch, self.units)),)

    @abstractmethod
    def extend(
        self, x: Float[mx.array, "B L D"], state: CellState | None
    ) -> tuple[Float[mx.array, "B L H"], CellState]:
        """L more steps: their outputs and the state after them. None is the initial state."""

    @abstractmethod
    def step(self, x: Float[mx.array, "B D"], state: CellState) -> tuple[Float[mx.array, "B H"], CellState]:
        """One more step: its output and the state after it."""


class UnrolledCell(Cell):
    """A cell that must take its steps in order: state_t = advance(W x_t + b, state_{t-1}).

    `gates` blocks of `units` rows are fused in W and in the recurrent matrix U. The product with W is
    made for all steps at once, so that only `advance` waits for the step before. W is uniform in
    ±1/√units. With `orthogonal`, the default of all networks, each block of U is orthogonal, which
    neither shrinks nor stretches a state (Saxe et al., 2014; Le et al., 2015); else it is as W is.

    `advance` is the cell as its equations have it; `fused` is the same for compiled steps.
    """

    gates: int

    def __init__(self, *, width: int, units: int, orthogonal: bool) -> None:
        super().__init__()
        check_positive(hidden=units)
        self.units = units
        bound = units**-0.5
        rows = self.gates * units
        self.input_weight = mx.random.uniform(-bound, bound, (rows, width))
        if orthogonal:
            fill = nn.init.orthogonal()
            blocks = [fill(mx.zeros((units, units))) for _ in range(self.gates)]
            self.recurrent_weight = mx.concatenate(blocks)
        else:
            self.recurrent_weight = mx.random.uniform(-bound, bound, (rows, units))
        self.bias = mx.zeros((rows,))

    @abstractmethod
    def advance(self, z: Float[mx.array, "B G"], state: CellState) -> CellState:
        """One step from the input's share of the gates; state[0] is the output."""

    @abstractmethod
    def fused(self) -> through_time.Fused:
        """The same, forward and backward, in as few operations as can be."""

    def extend(
        self, x: Float[mx.array, "B L D"], state: CellState | None
    ) -> tuple[Float[mx.array, "B L H"], CellState]:
        """L more steps, one after another."""
        if state is None:
            state = self.initial_state(x.shape[0])
        if kernels.is_compiling():
            return through_time.run(self.fused(), x, state)
        outputs = []
        # Time first, so that each step's slice lies in one piece.
        for z in time_steps(mx.addmm(self.bias, x.swapaxes(0, 1), self.input_weight.T), axis=0):
            state = self.advance(z, state)
            outputs.append(state[0])
        return mx.stack(outputs, axis=1), state

    def step(self, x: Float[mx.array, "B D"], state: CellState) -> tuple[Float[mx.array, "B H"], CellState]:
        """One more step."""
        state = self.advance(mx.addmm(self.bias, x, self.input_weight.T), state)
        return state[0], state


class Stack(Streaming):
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
        y = y.astype(x.dtype)  # in mixed precision the states alone stay in float32
        return x + y if self.config.residual else y

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        check_sequence(x, size=self.width)
        for layer, cell in enumerate(self.cells):
            x = self._leave(layer, x, cell(self._enter(layer, x)))
        return x

    def initial_state(self, batch: int, length: int) -> State:
        """The state before the first step. Its size does not depend on `length`, which attention needs."""
        check_positive(batch=batch, length=length)
        return State(0, [cell.initial_state(batch) for cell in self.cells])

    def absorb(
        self, x: Float[mx.array, "B L D"], position: int, memory: list[CellState]
    ) -> tuple[Float[mx.array, "B L D"], list[CellState]]:
        """L more steps of every layer."""
        check_sequence(x, size=self.width)
        after = []
        for layer, cell in enumerate(self.cells):
            y, state = cell.extend(self._enter(layer, x), memory[layer])
            x = self._leave(layer, x, y)
            after.append(state)
        return x, after

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: list[CellState]
    ) -> tuple[Float[mx.array, "B D"], list[CellState]]:
        """One more step of every layer."""
        after = []
        for layer, cell in enumerate(self.cells):
            y, state = cell.step(self._enter(layer, x), memory[layer])
            x = self._leave(layer, x, y)
            after.append(state)
        return x, after


def check_recurrent(config: RecurrentConfig) -> None:
    """Raise `UsageError` unless every size is 1 or more."""
    check_positive(width=config.width, depth=config.depth, hidden=config.units)
