"""How does a Transformer know the order of its inputs? A vector for each position, added to them.

Rotary positions act on queries and keys instead and live in `parts.attention`.
"""

import math

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Int

from seqlab.errors import UsageError
from seqlab.models.parts.checks import check_positive


def sinusoids(positions: Int[mx.array, "L"], width: int) -> Float[mx.array, "L D"]:
    """sin(p ω₀) … sin(p ωₙ) cos(p ω₀) … cos(p ωₙ), with ωᵢ = 10,000^(-2i/D) (Vaswani et al. 2017, 3.5)."""
    half = (width + 1) // 2
    frequencies = mx.exp(mx.arange(half) * (-2 * math.log(10_000.0) / width))
    angles = positions[:, None] * frequencies
    return mx.concatenate([mx.sin(angles), mx.cos(angles)], axis=-1)[:, :width]


class LearnedPositions(nn.Module):
    """One trained vector for each of `length` positions."""

    def __init__(self, *, length: int, width: int) -> None:
        super().__init__()
        check_positive(length=length, width=width)
        self.weight = mx.random.normal((length, width), scale=1 / math.sqrt(width))

    def check(self, length: int) -> None:
        """Raise `UsageError` if a sequence is longer than the table, which MLX would not notice."""
        known = self.weight.shape[0]
        if length > known:
            raise UsageError(
                f"positions were learned for {known} steps, found {length}. Raise Config.length."
            )

    def __call__(self, positions: Int[mx.array, "L"]) -> Float[mx.array, "L D"]:
        return self.weight[positions]
