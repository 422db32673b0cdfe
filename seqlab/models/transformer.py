"""Transformer (Vaswani et al., 2017), pre-norm: a decoder when causal, else an encoder.

x ← x + Attention(norm(x)), then x ← x + MLP(norm(x)), `depth` times; positions are added first, or turn
queries and keys (RoPE). No final norm: the heads have one.
"""

from dataclasses import dataclass
from typing import Literal

import mlx.core as mx
from jaxtyping import Float, Int

from seqlab.errors import UsageError
from seqlab.models.parts.attention import Activation, Block, Cache
from seqlab.models.parts.checks import check_choice, check_heads, check_positive, check_sequence
from seqlab.models.parts.positions import LearnedPositions, sinusoids
from seqlab.models.parts.streaming import State, Streaming

Positions = Literal["none", "sinusoidal", "learned", "rope"]


@dataclass(frozen=True)
class Config:
    """Sizes. `hidden` is the MLP's width (4 × width by default).

    `length` is the longest sequence that learned positions serve; the other kinds do not need it.
    """

    width: int
    depth: int = 2
    heads: int = 4
    hidden: int | None = None
    causal: bool = True
    positions: Positions = "rope"
    activation: Activation = "relu"
    length: int | None = None

    def __post_init__(self) -> None:
        check_positive(depth=self.depth)
        check_heads(width=self.width, heads=self.heads)
        check_choice("positions", self.positions, ("none", "sinusoidal", "learned", "rope"))
        if self.positions == "rope" and self.width // self.heads % 2:
            raise UsageError(
                f"rope turns features in pairs: width / heads must be even, found {self.width // self.heads}."
            )
        if self.positions == "learned" and self.length is None:
            raise UsageError("learned positions need the longest sequence: give Config.length.")


class Model(Streaming):
    """A stack of attention blocks: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        if config.positions == "learned" and config.length is not None:
            self.positions = LearnedPositions(length=config.length, width=config.width)
        self.blocks = [Block(config, rotary=config.positions == "rope") for _ in range(config.depth)]

    @property
    def width(self) -> int:
        """Features of an input and an output step."""
        return self.config.width

    @property
    def causal(self) -> bool:
        """Whether a position sees only itself and those before it."""
        return self.config.causal

    def _place(self, x: Float[mx.array, "B L D"], at: Int[mx.array, "L"]) -> Float[mx.array, "B L D"]:
        if self.config.positions == "sinusoidal":
            return x + sinusoids(at, self.width)
        return x + self.positions(at) if self.config.positions == "learned" else x

    def _check_length(self, length: int) -> None:
        if self.config.positions == "learned":
            self.positions.check(length)

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        check_sequence(x, size=self.width)
        self._check_length(x.shape[1])
        x = self._place(x, mx.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x, "causal" if self.causal else None)
        return x

    def initial_state(self, batch: int, length: int) -> State:
        """An empty cache for `length` steps, allocated once."""
        if not self.causal:
            raise UsageError("an encoder sees its whole input and has no steps. Use Config(causal=True).")
        check_positive(batch=batch, length=length)
        self._check_length(length)
        shape = (batch, self.config.heads, length, self.width // self.config.heads)
        return State(0, [(mx.zeros(shape), mx.zeros(shape)) for _ in self.blocks], room=length)

    def absorb(
        self, x: Float[mx.array, "B L D"], position: int, memory: list[Cache]
    ) -> tuple[Float[mx.array, "B L D"], list[Cache]]:
        """L more inputs, their keys and values written into the caches at once."""
        check_sequence(x, size=self.width)
        y = self._place(x, position + mx.arange(x.shape[1]))
        after: list[Cache] = []
        for block, cache in zip(self.blocks, memory, strict=True):
            y, cache = block.extend(y, cache, mx.array(position))
            after.append(cache)
        return y, after

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: list[Cache]
    ) -> tuple[Float[mx.array, "B D"], list[Cache]]:
        """One more input, attending to the cached ones."""
        y = self._place(x[:, None], position[None])
        after: list[Cache] = []
        for block, cache in zip(self.blocks, memory, strict=True):
            y, cache = block.extend(y, cache, position)
            after.append(cache)
        return y[:, 0], after

    def uncached(self, prefix: Float[mx.array, "B L D"]) -> Float[mx.array, "B D"]:
        """The last position's output by computing the whole prefix anew: decoding without a cache."""
        return self(prefix)[:, -1]
