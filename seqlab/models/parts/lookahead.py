"""What does a backbone answer that must see its whole input, when it is asked for one step?"""

from typing import Any, NoReturn

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Int

from seqlab.errors import UsageError
from seqlab.models.parts.streaming import State


class Lookahead(nn.Module):
    """A backbone whose outputs depend on later inputs too: it labels sequences, and cannot continue them."""

    causal = False
    takes_seen = True

    def initial_state(self, batch: int, length: int) -> State:
        """Not to be had."""
        self._refuse()

    def extend(self, x: Float[mx.array, "B L D"], state: State) -> tuple[Float[mx.array, "B L D"], State]:
        """Not to be had."""
        self._refuse()

    def step(self, x: Float[mx.array, "B D"], state: State) -> tuple[Float[mx.array, "B D"], State]:
        """Not to be had."""
        self._refuse()

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B D"], Any]:
        """Not to be had."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UsageError("this backbone sees its whole input and has no steps. Use a causal one.")
