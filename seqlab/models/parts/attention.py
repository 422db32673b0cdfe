"""Multi-head attention and the pre-norm block around it (Vaswani et al., 2017; Xiong et al., 2020).

Attention(Q, K, V) = softmax(Q Kᵀ / √(D/H) + mask) V, for H heads side by side;
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
from seqlab.models.parts.positions import Mask, reached, rotated

Activation = Literal["relu", "gelu"]
ACTIVATIONS = {"relu": relu, "gelu": gelu}
# Keys and values, K = D / H: of the R places of a cache, or of the S tokens of a source.
Cache = tuple[Float[mx.array, "B H R K"], Float[mx.array, "B H R K"]]
Source = tuple[Float[mx.array, "B H S K"], Float[mx.array, "B H S K"]]


def split_heads(x: Float[mx.array, "B L D"], heads: int) -> Float[mx.array, "B H L K"]:
    """Features as `heads` groups, one after another."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def softmax_attention(
    q: Float[mx.array, "B H L K"],
    k: Float[mx.array, "B H M K"],
    v: Float[mx.array, "B H M K"],
    mask: Mask,
) -> Float[mx.array, "B L D"]:
    """softmax(Q Kᵀ / √K + mask) V, heads joined. A boolean mask is True where seen, in no row nowhere."""
    if isinstance(mask, mx.array) and mask.dtype != mx.bool_:
        mask = mask.astype(q.dtype)
    scale = 1 / math.sqrt(q.shape[-1])
    scores = math.prod(q.shape[:3]) * k.shape[2]
    if kernels.current().exp == "native" or scores < LEAST_SCORES or q.dtype != mx.float32:
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)
    else:
        y = _blockwise(q * (scale * LOG2_E), k, v, mask)
    return y.swapaxes(1, 2).flatten(-2, -1)


LEAST_SCORES = 1 << 13  # below, fifteen small operations cost more than the exponentials
HIDDEN = -1e9  # the score of what is not seen: its weight is zero, and unlike -inf it has a gradient
BLOCK = 64  # queries: smaller blocks cost more in operations than they save in scores


def _blockwise(q: mx.array, k: mx.array, v: mx.array, mask: Mask) -> mx.array:
    """Σ 2^(q·k) v / Σ 2^(q·k), a block of queries after another: causal ones need no score of a later
    block's keys, and smaller arrays of scores are used again before they leave the processor's caches.
    """
    length, blocks = q.shape[2], -(-q.shape[2] // BLOCK)
    causal = isinstance(mask, str)
    # Values and a 1: the product with the weights then gives their sum too, which is dear by itself.
    v = mx.concatenate([v, mx.ones((*v.shape[:3], 1))], axis=-1)
    found = []
    for index, queries in enumerate(mx.split(q, [BLOCK * i for i in range(1, blocks)], axis=2)):
        start = index * BLOCK
        end = start + queries.shape[2]
        shown, bias = k.shape[2], mask
        if causal:
            shown = k.shape[2] - length + end  # where there are more keys than queries, they come first
            # By NumPy: as operations of MLX's, a compiled step would do them again for every score.
            behind = np.tri(queries.shape[2], shown, shown - queries.shape[2], dtype=np.bool_)
            bias = mx.array(np.where(behind, 0, HIDDEN).astype(np.float32))
        elif isinstance(mask, mx.array):
            own = mask[..., start:end, :] if mask.ndim > 1 and mask.shape[-2] == length else mask
            bias = mx.where(own, 0.0, HIDDEN) if mask.dtype == mx.bool_ else mx.maximum(own * LOG2_E, HIDDEN)
        scores = queries @ k[:, :, :shown].swapaxes(-1, -2)
        if isinstance(bias, mx.array):
            scores = scores + bias
        weights = power_of_two(scores - mx.stop_gradient(mx.max(scores, axis=-1, keepdims=True)))
        sums, total = mx.split(weights @ v[:, :, :shown], [v.shape[3] - 1], axis=-1)
        found.append(sums / total)
    return found[0] if blocks == 1 else mx.concatenate(found, axis=2)


def written(cache: Cache, new: Source, position: Int[mx.array, ""]) -> Cache:
    """The cache with these keys and values from `position` on."""
    keys, values = (
        mx.slice_update(old, part, position[None], axes=(2,)) for old, part in zip(cache, new, strict=True)
    )
    return keys, values


class Attention(nn.Module):
    """Self-attention; with `rotary`, queries and keys are turned by their position (Su et al., 2021)."""

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
        return self._placed(split_heads(self.to_qkv(x), 3 * self.heads), offset)

    def _placed(
        self, heads: Float[mx.array, "B N L K"], offset: int | Int[mx.array, ""]
    ) -> tuple[Float[mx.array, "B H L K"], Float[mx.array, "B H L K"], Float[mx.array, "B H L K"]]:
        # Queries' and keys' heads side by side: one rotation turns both.
        turning, v = mx.split(heads, [2 * self.heads], axis=1)
        if self.rotary:
            turning = rotated(turning, mx.array(offset))
        q, k = mx.split(turning, 2, axis=1)
        return q, k, v

    def attend(
        self,
        q: Float[mx.array, "B H L K"],
        k: Float[mx.array, "B H M K"],
        v: Float[mx.array, "B H M K"],
        mask: Mask,
    ) -> Float[mx.array, "B L D"]:
        """What the queries find, projected."""
        y: mx.array = self.to_output(softmax_attention(q, k, v, mask))
        return y

    def __call__(self, x: Float[mx.array, "B L D"], mask: Mask) -> Float[mx.array, "B L D"]:
        return self.attend(*self.project(x, 0), mask)

    def weights(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B H L L"]:
        """What a forward pass without a mask weighs values by: to be looked at, for training needs none."""
        q, k, _ = self.project(x, 0)
        return mx.softmax(q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]), axis=-1, precise=True)

    def empty_cache(self, batch: int, length: int) -> Cache:
        """Room for the keys and values of `length` positions."""
        width = self.to_output.weight.shape[0]
        shape, dtype = (batch, self.heads, length, width // self.heads), self.to_output.weight.dtype
        return mx.zeros(shape, dtype=dtype), mx.zeros(shape, dtype=dtype)

    def extend(
        self, x: Float[mx.array, "B L D"], cache: Cache, position: Int[mx.array, ""], mask: Mask = None
    ) -> tuple[Float[mx.array, "B L D"], Cache]:
        """Write the keys and values of positions `position`, … into the cache; attend to all up to each.

        The whole cache takes part, masked, so that every step has the same shapes and compiles once.
        `mask`, if given, says what is seen of the cache, and any bias (see `Placement.cached`).
        """
        q, k, v = self.project(x, position)
        keys, values = written(cache, (k, v), position)
        if mask is None:
            mask = reached(position + mx.arange(x.shape[1]), keys.shape[2])
        return self.attend(q, keys, values, mask), (keys, values)

    def step(
        self, x: Float[mx.array, "B D"], cache: Cache, position: Int[mx.array, ""], mask: Mask
    ) -> tuple[Float[mx.array, "B D"], Cache]:
        """`extend` by one position, in fewer operations: rows need no axis of length 1."""
        q, k, v = self._placed(self.to_qkv(x).reshape(x.shape[0], 3 * self.heads, 1, -1), position)
        cache = written(cache, (k, v), position)
        return self.attend(q, *cache, mask)[:, 0], cache


class CrossAttention(nn.Module):
    """Queries from one sequence, keys and values from another, whose positions are not told apart."""

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        check_heads(width=width, heads=heads)
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_kv = nn.Linear(width, 2 * width)
        self.to_output = nn.Linear(width, width)

    def project(self, source: Float[mx.array, "B S D"], seen: Bool[mx.array, "B S"] | None = None) -> Source:
        """Keys and values of the source. The values of padding are zero: no mask need hide them alone."""
        k, v = (split_heads(part, self.heads) for part in mx.split(self.to_kv(source), 2, axis=-1))
        return k, v if seen is None else mx.where(seen[:, None, :, None], v, 0)

    def __call__(self, x: Float[mx.array, "B L D"], source: Source, mask: Mask) -> Float[mx.array, "B L D"]:
        y: mx.array = self.to_output(softmax_attention(split_heads(self.to_q(x), self.heads), *source, mask))
        return y


def mask_source(seen: Bool[mx.array, "B S"]) -> Bool[mx.array, "B 1 1 S"]:
    """True at real tokens of a source. One that has none shows its padding, whose values are zero."""
    return (seen | ~mx.any(seen, axis=1, keepdims=True))[:, None, None]


@runtime_checkable
class BlockSizes(Protocol):
    """What a block reads of its model's Config."""

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
    """Raise `UsageError` for sizes that no block can have, before a model is built."""
    check_heads(width=sizes.width, heads=sizes.heads)
    check_choice("activation", sizes.activation, ACTIVATIONS)
    if sizes.hidden is not None:
        check_positive(hidden=sizes.hidden)


class FeedForward(nn.Module):
    """W₂ φ(W₁ norm(x) + b₁) + b₂, with `hidden` units between."""

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
    """Attention, then a two-layer MLP, each on normalised input and added back.

    Without `residual` nothing is added back, without `norm` nothing is normalised: to see what they are for.
    """

    def __init__(self, sizes: BlockSizes, *, rotary: bool, residual: bool = True, norm: bool = True) -> None:
        super().__init__()
        self.residual = residual
        self.attention_norm = nn.LayerNorm(sizes.width) if norm else nn.Identity()
        self.attention = Attention(width=sizes.width, heads=sizes.heads, rotary=rotary)
        self.mlp = FeedForward(sizes, norm=norm)

    def _rest(self, x: Float[mx.array, "... D"], attended: Float[mx.array, "... D"]) -> mx.array:
        """What follows attention: its sum with x, the MLP, and the sum with that."""
        x = x + attended if self.residual else attended
        return x + self.mlp(x) if self.residual else self.mlp(x)

    def __call__(self, x: Float[mx.array, "B L D"], mask: Mask) -> Float[mx.array, "B L D"]:
        return self._rest(x, self.attention(self.attention_norm(x), mask))

    def extend(
        self, x: Float[mx.array, "B L D"], cache: Cache, position: Int[mx.array, ""], mask: Mask = None
    ) -> tuple[Float[mx.array, "B L D"], Cache]:
        """Positions `position`, …, with the keys and values of all before in the cache."""
        y, cache = self.attention.extend(self.attention_norm(x), cache, position, mask)
        return self._rest(x, y), cache

    def step(
        self, x: Float[mx.array, "B D"], cache: Cache, position: Int[mx.array, ""], mask: Mask
    ) -> tuple[Float[mx.array, "B D"], Cache]:
        """`extend` by one position."""
        y, cache = self.attention.step(self.attention_norm(x), cache, position, mask)
        return self._rest(x, y), cache
