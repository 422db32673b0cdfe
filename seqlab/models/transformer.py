"""Transformer (Vaswani et al., 2017), pre-norm: a decoder if causal, otherwise an encoder.

x ← x + Attention(norm(x)), then x ← x + MLP(norm(x)), `depth` times. `parts.positions` has the positional
encodings. There is no final norm: the heads have one.
"""

from dataclasses import dataclass
from functools import partial

import mlx.core as mx
from jaxtyping import Bool, Float, Int

from seqlab.errors import UsageError
from seqlab.models.parts.attention import Activation, Block, Cache, check_block
from seqlab.models.parts.checks import check_positive, check_sequence
from seqlab.models.parts.positions import Mask, PositionalEncoding, Positions, check_positions
from seqlab.models.parts.streaming import State, Streaming, apply_blocks


@dataclass(frozen=True)
class Config:
    """Sizes. `hidden` is the MLP's width (4 × width by default).

    `length` is the longest sequence for learned positions; the other kinds do not need it. With `reach` each
    position attends to so many only, the nearest, its own included: sliding-window attention (Beltagy et al.,
    2020). It is computed as a mask, so it limits what a layer can see and not what it costs. Without
    `residual` or `norm` the blocks have no residual connections or no layer norms, for ablations.
    """

    width: int
    depth: int = 2
    heads: int = 4
    hidden: int | None = None
    causal: bool = True
    positions: Positions = "rope"
    activation: Activation = "relu"
    length: int | None = None
    reach: int | None = None
    residual: bool = True
    norm: bool = True

    def __post_init__(self) -> None:
        check_positive(depth=self.depth)
        check_positions(self)
        check_block(self)
        if self.reach is not None:
            check_positive(reach=self.reach)


class Model(Streaming):
    """A stack of attention blocks: (B, L, width) to (B, L, width)."""

    takes_mask = True

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.positions = PositionalEncoding(config, reach=config.reach)
        self.blocks = [
            Block(config, rotary=self.positions.rotary, residual=config.residual, norm=config.norm)
            for _ in range(config.depth)
        ]

    @property
    def causal(self) -> bool:
        """Whether a position attends only to itself and earlier ones."""
        return self.config.causal

    def __call__(
        self, x: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B L D"]:
        """All steps at once. `mask` is True at real tokens, whose outputs do not depend on padding.

        Padding may be on the right; with the positions none, rope and alibi also on the left. Outputs at
        padding are finite and meaningless.
        """
        check_sequence(x, size=self.width)
        self.positions.check(x.shape[1])
        attention_mask = self.positions.attention_mask(x, causal=self.causal, mask=mask)
        x = self.positions.add(x, mx.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x, attention_mask)
        return x

    def initial_state(self, batch: int, length: int) -> State:
        """An empty cache for `length` steps, allocated once."""
        if not self.causal:
            raise UsageError("an encoder sees its whole input and has no steps. Use Config(causal=True).")
        check_positive(batch=batch, length=length)
        self.positions.check(length)
        return State(0, [block.attention.empty_cache(batch, length) for block in self.blocks], room=length)

    def extend_memory(
        self, x: Float[mx.array, "B L D"], position: int, memory: list[Cache]
    ) -> tuple[Float[mx.array, "B L D"], list[Cache]]:
        """L more inputs, whose keys and values are written into the caches."""
        check_sequence(x, size=self.width)
        positions = mx.array(position) + mx.arange(x.shape[1])
        mask = self._cache_mask(positions, memory)
        return apply_blocks(
            [partial(block.extend, position=positions[0], mask=mask) for block in self.blocks],
            self.positions.add(x, positions),
            memory,
        )

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: list[Cache]
    ) -> tuple[Float[mx.array, "B D"], list[Cache]]:
        """One more input, which attends to the cached ones."""
        check_sequence(x[:, None], size=self.width)
        positions = position[None]
        mask = self._cache_mask(positions, memory)
        return apply_blocks(
            [partial(block.step, position=position, mask=mask) for block in self.blocks],
            self.positions.add(x, positions),
            memory,
        )

    def _cache_mask(self, positions: Int[mx.array, "L"], memory: list[Cache]) -> Mask:
        capacity = memory[0][0].shape[2]
        self.positions.check(capacity)
        return self.positions.cache_mask(positions, capacity)

    def uncached(self, prefix: Float[mx.array, "B L D"]) -> Float[mx.array, "B D"]:
        """The output at the last position, computed from the whole prefix: decoding without a cache."""
        return self(prefix)[:, -1]
