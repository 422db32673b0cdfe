"""Linear attention (Katharopoulos et al., 2020): attention whose memory is a matrix of constant size.

S_t = γ S_{t-1} + φ(k_t) v_tᵀ,   z_t = γ z_{t-1} + φ(k_t),   φ = elu + 1
y_t = φ(q_t)ᵀ S_t / (φ(q_t)ᵀ z_t + ε)

for H heads side by side, in blocks x ← x + Attention(norm(x)), x ← x + MLP(norm(x)). γ is 1. With `decay`,
head h = 0, 1, … has the fixed γ = 1 - 2^(-5-h) of RetNet (Sun et al., 2023). Decay is all that is taken from
RetNet: its rotations, group norms and output gates are left out, and φ and z, which it lacks, stay. There
are no positions; order enters by causality and decay alone.

Training computes sequences in chunks, decoding follows the equations (`parts.matrix_memory`).
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from jaxtyping import Float, Int

from seqlab.models.parts.attention import Activation, FeedForward, check_block, split_heads
from seqlab.models.parts.checks import check_positive, check_sequence
from seqlab.models.parts.matrix_memory import Decays, Memory, chunked, recurrent
from seqlab.models.parts.streaming import BlockStack, State

EPSILON = 1e-6  # as in the authors' code: avoids 0/0 where all of φ(q) or φ(k) underflows


@dataclass(frozen=True)
class Config:
    """Sizes; `hidden` is the MLP's width (4 × width by default). `decay` sets γ < 1."""

    width: int
    depth: int = 2
    heads: int = 4
    hidden: int | None = None
    decay: bool = False
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        check_positive(depth=self.depth)
        check_block(self)


def feature(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """The feature map φ(x) = elu(x) + 1: x + 1 above zero, exp(x) below."""
    return mx.where(x > 0, x + 1, mx.exp(mx.minimum(x, 0)))


class LinearAttention(nn.Module):
    """The equations for all heads. z is stored as S's last column, as if each value ended in a 1."""

    def __init__(self, *, width: int, heads: int, decay: bool) -> None:
        super().__init__()
        self.heads = heads
        self.decay = decay
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_output = nn.Linear(width, width)

    def decays(self) -> Decays:
        """γ of each head."""
        return 1 - 2.0 ** (-5 - np.arange(self.heads)) if self.decay else np.ones(self.heads)

    def extend(self, x: Float[mx.array, "B L D"], memory: Memory) -> tuple[Float[mx.array, "B L D"], Memory]:
        """The outputs of L more positions and the new memory; the recurrent form if L is 1."""
        q, k, v = (split_heads(part, self.heads) for part in mx.split(self.to_qkv(x), 3, axis=-1))
        v = mx.concatenate([v, mx.ones_like(v[..., :1])], axis=-1)
        form = recurrent if x.shape[1] == 1 else chunked
        y, memory = form(feature(q), feature(k), v, memory, self.decays())
        y = (y[..., :-1] / (y[..., -1:] + EPSILON)).astype(x.dtype)
        return self.to_output(y.swapaxes(1, 2).flatten(-2)), memory


class Block(nn.Module):
    """Linear attention, then a two-layer MLP, each on normalised input and with a residual connection."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = LinearAttention(width=config.width, heads=config.heads, decay=config.decay)
        self.mlp = FeedForward(config)

    def extend(self, x: Float[mx.array, "B L D"], memory: Memory) -> tuple[Float[mx.array, "B L D"], Memory]:
        """The outputs of L more positions and the new memory."""
        y, memory = self.attention.extend(self.attention_norm(x), memory)
        x = x + y
        return x + self.mlp(x), memory


class Model(BlockStack):
    """A stack of linear attention blocks: (B, L, width) to (B, L, width), causal."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.blocks = [Block(config) for _ in range(config.depth)]

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        check_sequence(x, size=self.width)
        return self.extend(x, self.initial_state(*x.shape[:2]))[0]

    def initial_state(self, batch: int, length: int) -> State:
        """S and z of zero in every block. Their size does not depend on `length`."""
        check_positive(batch=batch, length=length)
        size = self.width // self.config.heads
        return State(0, [mx.zeros((batch, self.config.heads, size, size + 1)) for _ in self.blocks])

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: list[Memory]
    ) -> tuple[Float[mx.array, "B D"], list[Memory]]:
        """One more input through all blocks."""
        y, after = self.extend_memory(x[:, None], 0, memory)
        return y[:, 0], after
