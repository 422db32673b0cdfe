"""How does a causal model read a sequence in pieces and remember what it has read?

`extend` reads many inputs at once, such as a prompt; `step` reads one. Both return the outputs that reading
the whole sequence would give. `advance` is `step` on arrays alone: their shapes never change, so a loop over
`advance` compiles once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Int
from mlx.utils import tree_flatten

from seqlab.errors import UsageError
from seqlab.models.parts.checks import check_sequence


class State(NamedTuple):
    """What a model remembers of the `position` inputs read so far.

    `memory` is a tree of arrays, [B ...] each: cached keys and values, or recurrent states. `room` is the
    capacity of a cache, in inputs; None if the memory does not grow.
    """

    position: int
    memory: Any
    room: int | None = None

    def after(self, inputs: int, memory: Any) -> "State":
        """The state after `inputs` more inputs; raises `UsageError` if the cache cannot hold them."""
        position = self.position + inputs
        if self.room is not None and position > self.room:
            raise UsageError(
                f"the cache holds {self.room} steps and is full: asked for step {position}. "
                "Give initial_state a larger length."
            )
        return State(position, memory, self.room)

    def check_batch(self, batch: int) -> None:
        """Raise `UsageError` unless this is the state of `batch` sequences."""
        for name, array in dict(tree_flatten(self.memory)).items():
            if array.shape[0] != batch:
                raise UsageError(f"expected a state of {batch} sequences, found {array.shape[0]} ({name}).")


Apply = Callable[[mx.array, Any], tuple[mx.array, Any]]  # inputs and memory to outputs and memory


def apply_blocks(
    blocks: Iterable[Apply], x: Float[mx.array, "B ..."], memory: Sequence[Any]
) -> tuple[Float[mx.array, "B ..."], list[Any]]:
    """Apply blocks one after another, each with its own memory; returns the outputs and the new memories."""
    after = []
    for block, before in zip(blocks, memory, strict=True):
        x, new = block(x, before)
        after.append(new)
    return x, after


class Streaming(nn.Module, ABC):
    """A causal backbone that reads sequences whole, in pieces, or a step at a time."""

    @property
    def width(self) -> int:
        """Features of an input and an output step."""
        width: int = self.config.width
        return width

    @abstractmethod
    def initial_state(self, batch: int, length: int) -> State:
        """The state before the first of at most `length` inputs."""

    @abstractmethod
    def extend_memory(
        self, x: Float[mx.array, "B L D"], position: int, memory: Any
    ) -> tuple[Float[mx.array, "B L D"], Any]:
        """`extend` on arrays, without checking the capacity: outputs and the new memory."""

    @abstractmethod
    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B D"], Any]:
        """`step` on arrays, without checking the capacity: outputs and the new memory."""

    def extend(self, x: Float[mx.array, "B L D"], state: State) -> tuple[Float[mx.array, "B L D"], State]:
        """Read L more inputs: their outputs and the new state."""
        state.check_batch(x.shape[0])
        state.after(x.shape[1], None)  # MLX would write beyond the end of a cache without an error
        y, memory = self.extend_memory(x, state.position, state.memory)
        return y, state.after(x.shape[1], memory)

    def step(self, x: Float[mx.array, "B D"], state: State) -> tuple[Float[mx.array, "B D"], State]:
        """Read one more input: its output and the new state."""
        state.check_batch(x.shape[0])
        state.after(1, None)
        y, memory = self.advance(x, mx.array(state.position), state.memory)
        return y, state.after(1, memory)


class BlockStack(Streaming):
    """Blocks one after another. Each has `extend` and `step`, which take and return its own memory."""

    causal = True
    blocks: list[Any]

    def extend_memory(
        self, x: Float[mx.array, "B L D"], position: int, memory: list[Any]
    ) -> tuple[Float[mx.array, "B L D"], list[Any]]:
        """L more inputs through all blocks."""
        check_sequence(x, size=self.width)
        return apply_blocks((block.extend for block in self.blocks), x, memory)

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: list[Any]
    ) -> tuple[Float[mx.array, "B D"], list[Any]]:
        """One more input through all blocks."""
        return apply_blocks((block.step for block in self.blocks), x, memory)
