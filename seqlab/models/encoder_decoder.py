"""Encoder-decoder Transformer (Vaswani et al., 2017), pre-norm with final norms as T5 (Raffel et al., 2020).

Encoder, `depth` times: x ← x + Attention(norm(x)), then x ← x + MLP(norm(x)); s = norm(x) at the end.
Decoder, `depth` times: y ← y + Attention(norm(y)), causal; y ← y + CrossAttention(norm(y), s), whose
queries come from y and whose keys and values come from s; then y ← y + MLP(norm(y)).

Source, target and, if tied, the logits share one embedding. Only self-attention has positions
(`parts.positions`). T5's bucketed distances, norms without means and layers without biases are left out, so
that this model differs from a decoder-only one in its architecture alone.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float, Int, Integer

from seqlab.errors import UsageError
from seqlab.models.parts.attention import (
    Activation,
    Attention,
    Block,
    BlockSizes,
    Cache,
    CrossAttention,
    FeedForward,
    Source,
    check_block,
    cross_attention_mask,
)
from seqlab.models.parts.checks import check_positive, check_prompt, check_token_array
from seqlab.models.parts.positions import Mask, PositionalEncoding, Positions, check_positions
from seqlab.models.parts.streaming import State
from seqlab.models.parts.tokens import TokenModel

# The mask of the source, then each layer's cache and the keys and values of the source.
Memory = tuple[Bool[mx.array, "B 1 1 S"], list[tuple[Cache, Source]]]


@dataclass(frozen=True)
class Config:
    """Sizes: `depth` layers in each stack, `hidden` units in an MLP (4 × width by default).

    `length` is the longest source or target for learned positions. `tied`: see `parts.tokens`.
    """

    vocabulary: int
    width: int = 64
    depth: int = 2
    heads: int = 4
    hidden: int | None = None
    positions: Positions = "rope"
    activation: Activation = "relu"
    length: int | None = None
    tied: bool = False

    def __post_init__(self) -> None:
        check_positive(vocabulary=self.vocabulary, depth=self.depth)
        check_positions(self)
        check_block(self)


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention and an MLP, each on normalised input and with a residual connection."""

    def __init__(self, sizes: BlockSizes, *, rotary: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(sizes.width)
        self.attention = Attention(width=sizes.width, heads=sizes.heads, rotary=rotary)
        self.cross_norm = nn.LayerNorm(sizes.width)
        self.cross = CrossAttention(width=sizes.width, heads=sizes.heads)
        self.mlp = FeedForward(sizes)

    def __call__(
        self, y: Float[mx.array, "B L D"], mask: Mask, source: Source, cross_mask: Mask
    ) -> Float[mx.array, "B L D"]:
        return self._rest(y + self.attention(self.attention_norm(y), mask), source, cross_mask)

    def extend(
        self,
        y: Float[mx.array, "B L D"],
        cache: Cache,
        position: Int[mx.array, ""],
        mask: Mask,
        source: Source,
        cross_mask: Mask,
    ) -> tuple[Float[mx.array, "B L D"], Cache]:
        """The outputs at positions `position`, …, and the cache with their keys and values."""
        attended, cache = self.attention.extend(self.attention_norm(y), cache, position, mask)
        return self._rest(y + attended, source, cross_mask), cache

    def _rest(
        self, y: Float[mx.array, "B L D"], source: Source, cross_mask: Mask
    ) -> Float[mx.array, "B L D"]:
        """Cross-attention and the MLP, after self-attention."""
        y = y + self.cross(self.cross_norm(y), source, cross_mask)
        return y + self.mlp(y)


class Model(TokenModel):
    """Source and target tokens to the logits of the next target token at each target position.

    A target begins with a start token of the caller's choice; the logits there are those of the first token.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(
            width=config.width, vocabulary=config.vocabulary, outputs=config.vocabulary, tied=config.tied
        )
        self.config = config
        self.source_positions, self.target_positions = PositionalEncoding(config), PositionalEncoding(config)
        rotary = self.source_positions.rotary
        self.encoder = [Block(config, rotary=rotary) for _ in range(config.depth)]
        self.encoder_norm = nn.LayerNorm(config.width)
        self.decoder = [DecoderBlock(config, rotary=rotary) for _ in range(config.depth)]

    def __call__(
        self,
        source: Integer[mx.array, "B S"],
        target: Integer[mx.array, "B L"],
        source_mask: Bool[mx.array, "B S"] | None = None,
    ) -> Float[mx.array, "B L V"]:
        """Logits at all target positions. `source_mask` is True at real source tokens.

        Padding of the target must be on the right, where no real position attends to it.
        """
        check_token_array(target, axes=2)
        if source.shape[0] != target.shape[0]:
            raise UsageError(
                f"sources and targets must come in pairs, found {source.shape[0]} and {target.shape[0]}. "
                "Give both the same batch size."
            )
        self.target_positions.check(target.shape[1])
        encoded = self.encode(source, source_mask)
        y = self.embed(target)
        mask = self.target_positions.attention_mask(y, causal=True, mask=None)
        y = self.target_positions.add(y, mx.arange(target.shape[1]))
        cross_mask = None if source_mask is None else cross_attention_mask(source_mask)
        for block in self.decoder:
            y = block(y, mask, block.cross.project(encoded, source_mask), cross_mask)
        return self.read(y)

    def encode(
        self, source: Integer[mx.array, "B S"], source_mask: Bool[mx.array, "B S"] | None = None
    ) -> Float[mx.array, "B S D"]:
        """The outputs of the encoder, to which the decoder attends."""
        check_token_array(source, axes=2)
        self.source_positions.check(source.shape[1])
        x = self.embed(source)
        mask = self.source_positions.attention_mask(x, causal=False, mask=source_mask)
        x = self.source_positions.add(x, mx.arange(source.shape[1]))
        for block in self.encoder:
            x = block(x, mask)
        encoded: mx.array = self.encoder_norm(x)
        return encoded

    def initial_state(
        self,
        source: Integer[mx.array, "B S"],
        length: int,
        source_mask: Bool[mx.array, "B S"] | None = None,
    ) -> State:
        """The state before the first of at most `length` target tokens. The source is encoded here, once."""
        if not isinstance(source, mx.array):
            raise UsageError(
                f"an encoder-decoder reads a source first: expected tokens of the source, found {source!r}. "
                "To decode give start=lambda length: model.initial_state(source, length)."
            )
        check_prompt(source, self.vocabulary)
        check_positive(length=length)
        self.target_positions.check(length)
        encoded = self.encode(source, source_mask)
        mask = mx.ones(source.shape, dtype=mx.bool_) if source_mask is None else source_mask
        layers = [
            (block.attention.empty_cache(source.shape[0], length), block.cross.project(encoded, mask))
            for block in self.decoder
        ]
        return State(0, (cross_attention_mask(mask), layers), room=length)

    def prefill(self, tokens: Integer[mx.array, "B L"], state: State) -> tuple[Float[mx.array, "B V"], State]:
        """Read L more target tokens at once: the logits of the next token and the new state."""
        check_prompt(tokens, self.vocabulary)
        state.check_batch(tokens.shape[0])
        state.after(tokens.shape[1], None)  # MLX would write beyond the end of the cache without an error
        y, memory = self._extend_memory(tokens, mx.array(state.position), state.memory)
        return self.read(y[:, -1]), state.after(tokens.shape[1], memory)

    def step(self, tokens: Integer[mx.array, "B"], state: State) -> tuple[Float[mx.array, "B V"], State]:
        """Read one more target token: the logits of the next token and the new state."""
        state.check_batch(tokens.shape[0])
        state.after(1, None)
        logits, memory = self.advance(tokens, mx.array(state.position), state.memory)
        return logits, state.after(1, memory)

    def advance(
        self, tokens: Integer[mx.array, "B"], position: Int[mx.array, ""], memory: Memory
    ) -> tuple[Float[mx.array, "B V"], Memory]:
        """`step` on arrays, without checking the capacity; can be compiled."""
        y, memory = self._extend_memory(tokens[:, None], position, memory)
        return self.read(y[:, 0]), memory

    def _extend_memory(
        self, tokens: Integer[mx.array, "B L"], position: Int[mx.array, ""], memory: Memory
    ) -> tuple[Float[mx.array, "B L D"], Memory]:
        cross_mask, layers = memory
        positions, capacity = position + mx.arange(tokens.shape[1]), layers[0][0][0].shape[2]
        self.target_positions.check(capacity)
        mask = self.target_positions.cache_mask(positions, capacity)
        y = self.target_positions.add(self.embed(tokens), positions)
        after: list[tuple[Cache, Source]] = []
        for block, (cache, source) in zip(self.decoder, layers, strict=True):
            y, cache = block.extend(y, cache, position, mask, source, cross_mask)
            after.append((cache, source))
        return y, (cross_mask, after)
