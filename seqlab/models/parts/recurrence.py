"""How is a recurrent cell unrolled over time, stacked in layers, and run one step at a time?

The gradient of `x[:, t]` in MLX fills a whole array of zeros for every t, so a loop over indices costs
O(T²) in the backward pass. Splitting the time axis recursively into at most 8 parts costs O(T)
(`Kernels.split`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Int

from seqlab.machine import kernels
from seqlab.models.parts import bptt
from seqlab.models.parts.checks import check_positive, check_sequence
from seqlab.models.parts.streaming import State, Streaming

CellState = tuple[Float[mx.array, "B ..."], ...]


def split_steps(x: mx.array, *, axis: int) -> list[mx.array]:
    """x split into slices of length 1 along an axis; the gradient costs as much as x is large."""
    length = x.shape[axis]
    if length == 1:
        return [x]
    part = -(-length // kernels.current().split)
    return [
        step
        for larger in mx.split(x, list(range(part, length, part)), axis=axis)
        for step in split_steps(larger, axis=axis)
    ]


def unbind_steps(x: mx.array, *, axis: int) -> list[mx.array]:
    """`split_steps` with the axis removed from each slice, as `torch.unbind` does."""
    return [step.squeeze(axis) for step in split_steps(x, axis=axis)]


@dataclass(frozen=True)
class RecurrentConfig:
    """Sizes of a stack of recurrent layers.

    Each layer has `hidden` units, projected back to `width`; None means width units and no projection.
    `residual` turns layer f into x + f(norm(x)), which deep stacks need.
    """

    width: int
    depth: int = 1
    hidden: int | None = None
    residual: bool = False

    def __post_init__(self) -> None:
        check_positive(width=self.width, depth=self.depth, hidden=self.units)

    @property
    def units(self) -> int:
        """The size of a layer's state."""
        return self.width if self.hidden is None else self.hidden


@dataclass(frozen=True)
class UnrolledConfig(RecurrentConfig):
    """Sizes; `orthogonal` starts each gate's block of U as an orthogonal matrix (see `UnrolledCell`)."""

    orthogonal: bool = True


class Cell(nn.Module, ABC):
    """One recurrent layer, (B, L, width) to (B, L, units): whole, in pieces or a step at a time."""

    units: int

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L H"]:
        """The outputs of all steps, from the initial state."""
        return self.extend(x, None)[0]

    def initial_state(self, batch: int) -> CellState:
        """The state before the first step: zeros."""
        return (mx.zeros((batch, self.units)),)

    @abstractmethod
    def extend(
        self, x: Float[mx.array, "B L D"], state: CellState | None
    ) -> tuple[Float[mx.array, "B L H"], CellState]:
        """The outputs of L more steps and the new state. None is the initial state."""

    @abstractmethod
    def step(self, x: Float[mx.array, "B D"], state: CellState) -> tuple[Float[mx.array, "B H"], CellState]:
        """The output of one more step and the new state."""


class UnrolledCell(Cell):
    """A cell that computes its steps in order: state_t = advance(W x_t + b, state_{t-1}).

    W and the recurrent matrix U hold `gates` blocks of `units` rows each. The product with W is computed for
    all steps at once, so that only `advance` waits for the previous step. W starts uniform in ±1/√units. With
    `orthogonal`, the default of all networks, each block of U starts orthogonal, which neither shrinks nor
    stretches a state (Saxe et al., 2014; Le et al., 2015); otherwise U starts like W.

    `advance` follows the equations of the cell; `fused_step` is the same step for compiled training.
    """

    gates: int

    def __init__(self, config: UnrolledConfig) -> None:
        super().__init__()
        self.units = config.units
        bound = self.units**-0.5
        rows = self.gates * self.units
        self.input_weight = mx.random.uniform(-bound, bound, (rows, config.width))
        if config.orthogonal:
            fill = nn.init.orthogonal()
            blocks = [fill(mx.zeros((self.units, self.units))) for _ in range(self.gates)]
            self.recurrent_weight = mx.concatenate(blocks)
        else:
            self.recurrent_weight = mx.random.uniform(-bound, bound, (rows, self.units))
        self.bias = mx.zeros((rows,))

    @abstractmethod
    def advance(self, z: Float[mx.array, "B G"], state: CellState) -> CellState:
        """The new state, from z = W x_t + b and the old one; its first array is the output."""

    @abstractmethod
    def fused_step(self) -> bptt.FusedStep:
        """The same step, forward and backward, in as few operations as possible."""

    def extend(
        self, x: Float[mx.array, "B L D"], state: CellState | None
    ) -> tuple[Float[mx.array, "B L H"], CellState]:
        """The outputs of L more steps, computed one after another, and the new state."""
        if state is None:
            state = self.initial_state(x.shape[0])
        if kernels.is_compiling():
            return bptt.unroll(self.fused_step(), x, state)
        outputs = []
        # Time first, so that the slice of each step is contiguous in memory.
        for z in unbind_steps(mx.addmm(self.bias, x.swapaxes(0, 1), self.input_weight.T), axis=0):
            state = self.advance(z, state)
            outputs.append(state[0])
        return mx.stack(outputs, axis=1), state

    def step(self, x: Float[mx.array, "B D"], state: CellState) -> tuple[Float[mx.array, "B H"], CellState]:
        """The output of one more step and the new state."""
        state = self.advance(mx.addmm(self.bias, x, self.input_weight.T), state)
        return state[0], state


class Stack(Streaming):
    """Recurrent layers one after another: (B, L, width) to (B, L, width), causal."""

    causal = True

    def __init__(self, config: RecurrentConfig, cells: list[Cell]) -> None:
        super().__init__()
        self.config = config
        self.cells = cells
        if config.hidden is not None:
            self.projections = [nn.Linear(config.units, config.width) for _ in cells]
        if config.residual:
            self.norms = [nn.LayerNorm(config.width) for _ in cells]

    def _input(self, layer: int, x: mx.array) -> mx.array:
        return self.norms[layer](x) if self.config.residual else x

    def _output(self, layer: int, x: mx.array, y: mx.array) -> mx.array:
        if self.config.hidden is not None:
            y = self.projections[layer](y)
        y = y.astype(x.dtype)  # in mixed precision only the states stay in float32
        return x + y if self.config.residual else y

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        check_sequence(x, size=self.width)
        for layer, cell in enumerate(self.cells):
            x = self._output(layer, x, cell(self._input(layer, x)))
        return x

    def initial_state(self, batch: int, length: int) -> State:
        """The state before the first step. Its size does not depend on `length`."""
        check_positive(batch=batch, length=length)
        return State(0, [cell.initial_state(batch) for cell in self.cells])

    def extend_memory(
        self, x: Float[mx.array, "B L D"], position: int, memory: list[CellState]
    ) -> tuple[Float[mx.array, "B L D"], list[CellState]]:
        """L more steps of every layer."""
        check_sequence(x, size=self.width)
        return self._apply([cell.extend for cell in self.cells], x, memory)

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: list[CellState]
    ) -> tuple[Float[mx.array, "B D"], list[CellState]]:
        """One more step of every layer."""
        return self._apply([cell.step for cell in self.cells], x, memory)

    def _apply(
        self, cells: Sequence[Callable[[mx.array, Any], tuple[mx.array, CellState]]], x: mx.array,
        memory: list[CellState],
    ) -> tuple[mx.array, list[CellState]]:  # fmt: skip
        after = []
        for layer, cell in enumerate(cells):
            y, state = cell(self._input(layer, x), memory[layer])
            x = self._output(layer, x, y)
            after.append(state)
        return x, after
