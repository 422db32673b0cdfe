"""Multi-head attention and the pre-norm block around it (Vaswani et al., 2017; Xiong et al., 2020).

Attention(Q, K, V) = softmax(Q Kᵀ / √(D/H) + mask) V, for H heads side by side;
x ← x + Attention(norm(x)), then x ← x + MLP(norm(x)).
"""

import math
from typing import Literal, Protocol, runtime_checkable

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float, Int

from seqlab.models.parts.activations import gelu, relu
from seqlab.models.parts.checks import check_choice, check_heads, check_positive

Activation = Literal["relu", "gelu"]
ACTIVATIONS = {"relu": relu, "gelu": gelu}
Mask = Literal["causal"] | Bool[mx.array, "..."] | None
Cache = tuple[
    Float[mx.array, "B H R K"], Float[mx.array, "B H R K"]
]  # keys, values of R positions; K = D / H


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
        batch, length, width = x.shape
        qkv = (
            self.to_qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).transpose(2, 0, 3, 1, 4)
        )
        q, k, v = qkv[0], qkv[1], qkv[2]
        return (self.rotate(q, offset), self.rotate(k, offset), v) if self.rotary else (q, k, v)

    def rotate(
        self, x: Float[mx.array, "B H L K"], offset: int | Int[mx.array, ""]
    ) -> Float[mx.array, "B H L K"]:
        """Turn each pair of features by an angle that grows with the position."""
        # base: Su et al. 2021, section 3.2.2
        return mx.fast.rope(x, x.shape[-1], traditional=False, base=10_000.0, scale=1.0, offset=offset)

    def attend(
        self,
        q: Float[mx.array, "B H L K"],
        k: Float[mx.array, "B H M K"],
        v: Float[mx.array, "B H M K"],
        mask: Mask,
    ) -> Float[mx.array, "B L D"]:
        """softmax(Q Kᵀ / √K + mask) V, heads joined and projected. A boolean mask is True where seen."""
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(q.shape[-1]), mask=mask)
        joined: mx.array = self.to_output(y.transpose(0, 2, 1, 3).flatten(-2, -1))
        return joined

    def __call__(self, x: Float[mx.array, "B L D"], mask: Mask) -> Float[mx.array, "B L D"]:
        return self.attend(*self.project(x, 0), mask)

    def extend(
        self, x: Float[mx.array, "B L D"], cache: Cache, position: Int[mx.array, ""]
    ) -> tuple[Float[mx.array, "B L D"], Cache]:
        """Write the keys and values of positions `position`, … into the cache; attend to all up to each.

        The whole cache takes part, masked, so that every step has the same shapes and compiles once.
        """
        q, k, v = self.project(x, position)
        keys, values = (
            mx.slice_update(old, new, position[None], axes=(2,))
            for old, new in zip(cache, (k, v), strict=True)
        )
        here = position + mx.arange(x.shape[1])
        seen = mx.arange(keys.shape[2]) <= here[:, None]
        return self.attend(q, keys, values, seen), (keys, values)


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


class Block(nn.Module):
    """Attention, then a two-layer MLP of `hidden` units, each on normalised input and added back."""

    def __init__(self, sizes: BlockSizes, *, rotary: bool) -> None:
        super().__init__()
        check_choice("activation", sizes.activation, ACTIVATIONS)
        hidden = 4 * sizes.width if sizes.hidden is None else sizes.hidden
        check_positive(hidden=hidden)
        self.activation = sizes.activation
        self.attention_norm = nn.LayerNorm(sizes.width)
        self.attention = Attention(width=sizes.width, heads=sizes.heads, rotary=rotary)
        self.mlp_norm = nn.LayerNorm(sizes.width)
        self.mlp_in = nn.Linear(sizes.width, hidden)
        self.mlp_out = nn.Linear(hidden, sizes.width)

    def mlp(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        """W₂ φ(W₁ norm(x) + b₁) + b₂."""
        y: mx.array = self.mlp_out(ACTIVATIONS[self.activation](self.mlp_in(self.mlp_norm(x))))
        return y

    def __call__(self, x: Float[mx.array, "B L D"], mask: Mask) -> Float[mx.array, "B L D"]:
        x = x + self.attention(self.attention_norm(x), mask)
        return x + self.mlp(x)

    def extend(
        self, x: Float[mx.array, "B L D"], cache: Cache, position: Int[mx.array, ""]
    ) -> tuple[Float[mx.array, "B L D"], Cache]:
        """Positions `position`, …, with the keys and values of all before in the cache."""
        y, cache = self.attention.extend(self.attention_norm(x), cache, position)
        x = x + y
        return x + self.mlp(x), cache
