"""Multi-head attention and the pre-norm block around it (Vaswani et al., 2017; Xiong et al., 2020).

Attention(Q, K, V) = softmax(Q Kᵀ / √(D/H) + mask) V, for each of H heads;
x ← x + Attention(norm(x)), then x ← x + MLP(norm(x)).
"""

import math
from typing import Literal, Protocol, runtime_checkable

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from jaxtyping import Bool, Float, Int

from seqlab.machine import kernels
from seqlab.models.parts.activations import LOG2_E, gelu, power_of_two, relu
from seqlab.models.parts.checks import check_choice, check_heads, check_positive
from seqlab.models.parts.positions import Mask, cache_mask, rope

Activation = Literal["relu", "gelu"]
ACTIVATIONS = {"relu": relu, "gelu": gelu}
# Keys and values, K = D / H features per head: a cache of capacity R, or a source of S tokens.
Cache = tuple[Float[mx.array, "B H R K"], Float[mx.array, "B H R K"]]
Source = tuple[Float[mx.array, "B H S K"], Float[mx.array, "B H S K"]]


def split_heads(x: Float[mx.array, "B L D"], heads: int) -> Float[mx.array, "B H L K"]:
    """The features as `heads` groups of K = D / H."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def softmax_attention(
    q: Float[mx.array, "B H L K"],
    k: Float[mx.array, "B H M K"],
    v: Float[mx.array, "B H M K"],
    mask: Mask,
) -> Float[mx.array, "B L D"]:
    """softmax(Q Kᵀ / √K + mask) V, heads joined. A boolean mask is True where a query (row) may attend to a
    key; each row needs at least one True.
    """
    if isinstance(mask, mx.array) and mask.dtype != mx.bool_:
        mask = mask.astype(q.dtype)
    scale = 1 / math.sqrt(q.shape[-1])
    scores = math.prod(q.shape[:3]) * k.shape[2]
    if kernels.current().exp == "native" or scores < MIN_SCORES or q.dtype != mx.float32:
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)
    else:
        y = _blockwise(q * (scale * LOG2_E), k, v, mask)
    return y.swapaxes(1, 2).flatten(-2, -1)


MIN_SCORES = 1 << 13  # below, fifteen small operations cost more than the exponentials
MASKED_SCORE = -1e9  # its weight is zero, and unlike -inf it has a gradient
BLOCK = 64  # queries per block; smaller blocks cost more in operations than they save in scores


def _blockwise(q: mx.array, k: mx.array, v: mx.array, mask: Mask) -> mx.array:
    """Σ 2^(q·k) v / Σ 2^(q·k), one block of queries after another. With a causal mask no scores of later
    blocks are computed, and the smaller arrays of scores are reused while they are in the processor's caches.
    """
    length, blocks = q.shape[2], -(-q.shape[2] // BLOCK)
    causal = isinstance(mask, str)
    # Values with a column of ones: the product with the weights then includes their sum, which is slow alone.
    v = mx.concatenate([v, mx.ones((*v.shape[:3], 1))], axis=-1)
    outputs = []
    for index, queries in enumerate(mx.split(q, [BLOCK * i for i in range(1, blocks)], axis=2)):
        start = index * BLOCK
        end = start + queries.shape[2]
        keys, bias = k.shape[2], mask
        if causal:
            keys = k.shape[2] - length + end  # if there are more keys than queries, the extra ones come first
            # In NumPy: a compiled step would recompute MLX operations for every score.
            allowed = np.tri(queries.shape[2], keys, keys - queries.shape[2], dtype=np.bool_)
            bias = mx.array(np.where(allowed, 0, MASKED_SCORE).astype(np.float32))
        elif isinstance(mask, mx.array):
            rows = mask[..., start:end, :] if mask.ndim > 1 and mask.shape[-2] == length else mask
            if mask.dtype == mx.bool_:
                bias = mx.where(rows, 0.0, MASKED_SCORE)
            else:
                bias = mx.maximum(rows * LOG2_E, MASKED_SCORE)
        scores = queries @ k[:, :, :keys].swapaxes(-1, -2)
        if isinstance(bias, mx.array):
            scores = scores + bias
        weights = power_of_two(scores - mx.stop_gradient(mx.max(scores, axis=-1, keepdims=True)))
        sums, total = mx.split(weights @ v[:, :, :keys], [v.shape[3] - 1], axis=-1)
        outputs.append(sums / total)
    return outputs[0] if blocks == 1 else mx.concatenate(outputs, axis=2)


def update_cache(cache: Cache, new: Source, position: Int[mx.array, ""]) -> Cache:
    """The cache with new keys and values written from `position` on."""
    keys, values = (
        mx.slice_update(old, part, position[None], axes=(2,)) for old, part in zip(cache, new, strict=True)
    )
    return keys, values


class Attention(nn.Module):
    """Self-attention; with `rotary`, queries and keys are rotated by their position (Su et al., 2021)."""

    def __init__(self, *, width: int, heads: int, rotary: bool) -> None:
        super().__init__()
        check_heads(width=width, heads=heads)
        self.heads = heads
        self.rotary = rotary
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_output = nn.Linear(width, width)

    def project(
        self, x: Float[mx.array, "B L D"], offset: int | Int[mx.array, ""]
    ) -> tuple[Float[mx.array, "B H L K"], Float[mx.array, "B H L K"], Float[mx.array, "B H L K"]]:
        """Queries, keys and values of positions `offset`, `offset + 1`, …"""
        return self._rotate(split_heads(self.to_qkv(x), 3 * self.heads), offset)

    def _rotate(
        self, heads: Float[mx.array, "B N L K"], offset: int | Int[mx.array, ""]
    ) -> tuple[Float[mx.array, "B H L K"], Float[mx.array, "B H L K"], Float[mx.array, "B H L K"]]:
        # Queries and keys side by side: one rotation for both.
        qk, v = mx.split(heads, [2 * self.heads], axis=1)
        if self.rotary:
            qk = rope(qk, mx.array(offset))
        q, k = mx.split(qk, 2, axis=1)
        return q, k, v

    def attend(
        self,
        q: Float[mx.array, "B H L K"],
        k: Float[mx.array, "B H M K"],
        v: Float[mx.array, "B H M K"],
        mask: Mask,
    ) -> Float[mx.array, "B L D"]:
        """Softmax attention and the output projection."""
        y: mx.array = self.to_output(softmax_attention(q, k, v, mask))
        return y

    def __call__(self, x: Float[mx.array, "B L D"], mask: Mask) -> Float[mx.array, "B L D"]:
        return self.attend(*self.project(x, 0), mask)

    def weights(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B H L L"]:
        """The attention weights of a forward pass without a mask, for inspection."""
        q, k, _ = self.project(x, 0)
        return mx.softmax(q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]), axis=-1, precise=True)

    def empty_cache(self, batch: int, length: int) -> Cache:
        """A cache with capacity for the keys and values of `length` positions."""
        width = self.to_output.weight.shape[0]
        shape, dtype = (batch, self.heads, length, width // self.heads), self.to_output.weight.dtype
        return mx.zeros(shape, dtype=dtype), mx.zeros(shape, dtype=dtype)

    def extend(
        self, x: Float[mx.array, "B L D"], cache: Cache, position: Int[mx.array, ""], mask: Mask = None
    ) -> tuple[Float[mx.array, "B L D"], Cache]:
        """Write the keys and values of positions `position`, … into the cache and attend to all up to each.

        Attention is computed over the whole cache, masked, so that every step has the same shapes and
        compiles once. `mask` is the mask over the cache, with any bias (`PositionalEncoding.cache_mask`).
        """
        q, k, v = self.project(x, position)
        keys, values = update_cache(cache, (k, v), position)
        if mask is None:
            mask = cache_mask(position + mx.arange(x.shape[1]), keys.shape[2])
        return self.attend(q, keys, values, mask), (keys, values)

    def step(
        self, x: Float[mx.array, "B D"], cache: Cache, position: Int[mx.array, ""], mask: Mask
    ) -> tuple[Float[mx.array, "B D"], Cache]:
        """`extend` by one position, in fewer operations: inputs need no axis of length 1."""
        q, k, v = self._rotate(self.to_qkv(x).reshape(x.shape[0], 3 * self.heads, 1, -1), position)
        cache = update_cache(cache, (k, v), position)
        return self.attend(q, *cache, mask)[:, 0], cache


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another, the source, without positions."""

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        check_heads(width=width, heads=heads)
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_kv = nn.Linear(width, 2 * width)
        self.to_output = nn.Linear(width, width)

    def project(self, source: Float[mx.array, "B S D"], mask: Bool[mx.array, "B S"] | None = None) -> Source:
        """Keys and values of the source, whose `mask` is True at real tokens. Values at padding are zero."""
        k, v = (split_heads(part, self.heads) for part in mx.split(self.to_kv(source), 2, axis=-1))
        return k, v if mask is None else mx.where(mask[:, None, :, None], v, 0)

    def __call__(self, x: Float[mx.array, "B L D"], source: Source, mask: Mask) -> Float[mx.array, "B L D"]:
        y: mx.array = self.to_output(softmax_attention(split_heads(self.to_q(x), self.heads), *source, mask))
        return y


def cross_attention_mask(mask: Bool[mx.array, "B S"]) -> Bool[mx.array, "B 1 1 S"]:
    """True at real tokens of a source, or at all tokens if none is real: values at padding are zero."""
    return (mask | ~mx.any(mask, axis=1, keepdims=True))[:, None, None]


@runtime_checkable
class BlockSizes(Protocol):
    """The part of a model's Config that a block uses."""

    @property
    def width(self) -> int:
        """Features of an input and an output."""

    @property
    def heads(self) -> int:
        """Attention heads, which divide the width."""

    @property
    def hidden(self) -> int | None:
        """The MLP's width; None means four times the width (Vaswani et al. 2017, section 3.3)."""

    @property
    def activation(self) -> Activation:
        """The MLP's nonlinearity."""


def check_block(sizes: BlockSizes) -> None:
    """Raise `UsageError` for sizes that are impossible, before a model is built."""
    check_heads(width=sizes.width, heads=sizes.heads)
    check_choice("activation", sizes.activation, ACTIVATIONS)
    if sizes.hidden is not None:
        check_positive(hidden=sizes.hidden)


class FeedForward(nn.Module):
    """The MLP of a block: W₂ φ(W₁ norm(x) + b₁) + b₂, with `hidden` units."""

    def __init__(self, sizes: BlockSizes, *, norm: bool = True) -> None:
        super().__init__()
        check_block(sizes)
        hidden = 4 * sizes.width if sizes.hidden is None else sizes.hidden
        self.activation = sizes.activation
        self.norm = nn.LayerNorm(sizes.width) if norm else nn.Identity()
        self.widen = nn.Linear(sizes.width, hidden)
        self.narrow = nn.Linear(hidden, sizes.width)

    def __call__(self, x: Float[mx.array, "... D"]) -> Float[mx.array, "... D"]:
        y: mx.array = self.narrow(ACTIVATIONS[self.activation](self.widen(self.norm(x))))
        return y


class Block(nn.Module):
    """Attention, then a two-layer MLP, each on normalised input and with a residual connection.

    `residual=False` removes the residual connections and `norm=False` the layer norms, for ablations.
    """

    def __init__(self, sizes: BlockSizes, *, rotary: bool, residual: bool = True, norm: bool = True) -> None:
        super().__init__()
        self.residual = residual
        self.attention_norm = nn.LayerNorm(sizes.width) if norm else nn.Identity()
        self.attention = Attention(width=sizes.width, heads=sizes.heads, rotary=rotary)
        self.mlp = FeedForward(sizes, norm=norm)

    def _rest(self, x: Float[mx.array, "... D"], attended: Float[mx.array, "... D"]) -> mx.array:
        """The residual sum after attention, then the MLP with its own."""
        x = x + attended if self.residual else attended
        return x + self.mlp(x) if self.residual else self.mlp(x)

    def __call__(self, x: Float[mx.array, "B L D"], mask: Mask) -> Float[mx.array, "B L D"]:
        return self._rest(x, self.attention(self.attention_norm(x), mask))

    def extend(
        self, x: Float[mx.array, "B L D"], cache: Cache, position: Int[mx.array, ""], mask: Mask = None
    ) -> tuple[Float[mx.array, "B L D"], Cache]:
        """The outputs at positions `position`, …, and the cache with their keys and values."""
        y, cache = self.attention.extend(self.attention_norm(x), cache, position, mask)
        return self._rest(x, y), cache

    def step(
        self, x: Float[mx.array, "B D"], cache: Cache, position: Int[mx.array, ""], mask: Mask
    ) -> tuple[Float[mx.array, "B D"], Cache]:
        """`extend` by one position."""
        y, cache = self.attention.step(self.attention_norm(x), cache, position, mask)
        return self._rest(x, y), cache
