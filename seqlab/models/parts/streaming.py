"""How does a model that has read part of a sequence remember it, and go on?

`extend` reads many inputs at once (a prompt), `step` one; both give what reading the whole sequence
would have given. `advance` is `step` on arrays alone, whose shapes never change, so that a loop over
it compiles once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Int
from mlx.utils import tree_flatten

from seqlab.errors import UsageError


class State(NamedTuple):
    """What is kept of the `position` inputs read so far.

    `memory` is a tree of arrays, [B ...] each: keys and values, or recurrent states. `room` is how many
    inputs fit in all; None where the memory does not grow.
    """

    position: int
    memory: Any
    room: int | None = None

    def after(self, inputs: int, memory: Any) -> "State":
        """The state when `inputs` more have been read; `UsageError` where they do not fit."""
        position = self.position + inputs
        if self.room is not None and position > self.room:
            raise UsageError(
                f"the cache holds {self.room} steps and is full: asked for step {position}. "
                "Give initial_state a larger length."
            )
        return State(position, memory, self.room)

    def check_batch(self, batch: int) -> None:
        """Raise `UsageError` unless this is the state of so many sequences."""
        for name, array in dict(tree_flatten(self.memory)).items():
            if array.shape[0] != batch:
                raise UsageError(f"expected a state of {batch} sequences, found {array.shape[0]} ({name}).")


Read = Callable[[mx.array, Any], tuple[mx.array, Any]]


def read_through(
    blocks: Iterable[Read], x: Float[mx.array, "B ..."], memory: Sequence[Any]
) -> tuple[Float[mx.array, "B ..."], list[Any]]:
    """The outputs of blocks one above another, each of which reads by its own memory; the new memories."""
    after = []
    for read, before in zip(blocks, memory, strict=True):
        x, held = read(x, before)
        after.append(held)
    return x, after


class Streaming(nn.Module, ABC):
    """A causal backbone that reads sequences whole, in pieces, or a step at a time."""

    @abstractmethod
    def initial_state(self, batch: int, length: int) -> State:
        """The state before the first of at most `length` inputs."""

    @abstractmethod
    def absorb(
        self, x: Float[mx.array, "B L D"], position: int, memory: Any
    ) -> tuple[Float[mx.array, "B L D"], Any]:
        """`extend` without the check of room."""

    @abstractmethod
    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B D"], Any]:
        """`step` on arrays alone and without the check of room."""

    def extend(self, x: Float[mx.array, "B L D"], state: State) -> tuple[Float[mx.array, "B L D"], State]:
        """Read L more inputs: their outputs and the new state."""
        state.check_batch(x.shape[0])
        state.after(x.shape[1], None)  # before MLX writes beyond the memory without a word
        y, memory = self.absorb(x, state.position, state.memory)
        return y, state.after(x.shape[1], memory)

    def step(self, x: Float[mx.array, "B D"], state: State) -> tuple[Float[mx.array, "B D"], State]:
        """Read one more input: its output and the new state."""
        state.check_batch(x.shape[0])
        state.after(1, None)
        y, memory = self.advance(x, mx.array(state.position), state.memory)
        return y, state.after(1, memory)
