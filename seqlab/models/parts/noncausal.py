"""Backbones whose outputs depend on later inputs too: they run on whole sequences and cannot stream."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NoReturn

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float, Int

from seqlab.errors import UsageError
from seqlab.models.parts.checks import check_mask, check_sequence
from seqlab.models.parts.streaming import State


class NonCausal(nn.Module, ABC):
    """A bidirectional stack, (B, L, width) to (B, L, width): it labels sequences and cannot continue them."""

    causal = False
    takes_mask = True

    @property
    def width(self) -> int:
        """Features of an input and an output step."""
        width: int = self.config.width
        return width

    @abstractmethod
    def stack(self) -> Sequence[nn.Module]:
        """The layers in order; each is called with (B, L, width) and a padding mask or None."""

    def __call__(
        self, x: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B L D"]:
        """All steps at once. `mask` is True at real steps, all of which come before padding.

        Padding does not influence the outputs at real steps.
        """
        check_sequence(x, size=self.width)
        if mask is not None:
            check_mask(mask, x)
        for layer in self.stack():
            x = layer(x, mask)
        return x

    def initial_state(self, batch: int, length: int) -> State:
        """Always raises `UsageError`."""
        self._refuse()

    def extend(self, x: Float[mx.array, "B L D"], state: State) -> tuple[Float[mx.array, "B L D"], State]:
        """Always raises `UsageError`."""
        self._refuse()

    def step(self, x: Float[mx.array, "B D"], state: State) -> tuple[Float[mx.array, "B D"], State]:
        """Always raises `UsageError`."""
        self._refuse()

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B D"], Any]:
        """Always raises `UsageError`."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UsageError("this backbone sees its whole input and has no steps. Use a causal one.")
