"""LSTM with one attention head (after SHA-RNN: Merity, 2019): does a single head lift the limit of a state?

x ← x + LSTM(norm(x))          all layers but the last
x ← x + Attention(norm(x))     causal, one head
x ← x + LSTM(norm(x))          the last layer

The LSTMs below the attention encode the order, so it has no positions. Merity adds feed-forward blocks and
leaves most projections out of the attention. Here both parts are standard, so that the model differs from
`lstm` with `residual=True` in one layer only.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Int

from seqlab.errors import UsageError
from seqlab.models import lstm
from seqlab.models.parts.attention import Attention, Cache
from seqlab.models.parts.checks import check_positive, check_sequence
from seqlab.models.parts.recurrence import CellState
from seqlab.models.parts.streaming import State, Streaming

Memory = tuple[list[CellState], Cache, list[CellState]]


@dataclass(frozen=True)
class Config:
    """Sizes: `depth` LSTM layers of `hidden` units (width by default), the attention before the last."""

    width: int
    depth: int = 2
    hidden: int | None = None
    forget_bias: float = 1.0

    def __post_init__(self) -> None:
        if self.depth < 2:
            raise UsageError(
                f"depth must be 2 or more, as the attention lies between two LSTM layers, found {self.depth}."
            )
        check_positive(width=self.width, hidden=self.width if self.hidden is None else self.hidden)

    def layers(self, depth: int) -> lstm.Config:
        """The Config of `depth` of the LSTM layers."""
        return lstm.Config(
            self.width, depth=depth, hidden=self.hidden, residual=True, forget_bias=self.forget_bias
        )


class Model(Streaming):
    """LSTM layers and one attention layer: (B, L, width) to (B, L, width), causal."""

    causal = True

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.below = lstm.Model(config.layers(config.depth - 1))
        self.norm = nn.LayerNorm(config.width)
        self.attention = Attention(width=config.width, heads=1, rotary=False)
        self.above = lstm.Model(config.layers(1))

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        check_sequence(x, size=self.width)
        x = self.below(x)
        return self.above(x + self.attention(self.norm(x), "causal"))

    def initial_state(self, batch: int, length: int) -> State:
        """LSTM states of zero and an empty cache for `length` steps."""
        below, above = (part.initial_state(batch, length).memory for part in (self.below, self.above))
        return State(0, (below, self.attention.empty_cache(batch, length), above), room=length)

    def extend_memory(
        self, x: Float[mx.array, "B L D"], position: int, memory: Memory
    ) -> tuple[Float[mx.array, "B L D"], Memory]:
        """L more inputs: the LSTMs continue from their states, the head attends to the cache."""
        below, cache, above = memory
        x, below = self.below.extend_memory(x, position, below)
        y, cache = self.attention.extend(self.norm(x), cache, mx.array(position))
        x, above = self.above.extend_memory(x + y, position, above)
        return x, (below, cache, above)

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: Memory
    ) -> tuple[Float[mx.array, "B D"], Memory]:
        """One more input."""
        below, cache, above = memory
        x, below = self.below.advance(x, position, below)
        y, cache = self.attention.extend(self.norm(x)[:, None], cache, position)
        x, above = self.above.advance(x + y[:, 0], position, above)
        return x, (below, cache, above)
