"""Positional encodings and masks: how does a Transformer know order, and what may each position attend to?

sinusoidal and learned: a vector for each position is added to the inputs. rope (Su et al., 2021): queries
and keys are rotated, in `parts.attention`. alibi (Press et al., 2022): the scaled score of positions i and
j gets the bias -m_h |i - j|. For j ≤ i this is the paper's -m_h (i - j). In encoders the heads take turns,
one looking back and one ahead with the same slope: a symmetric bias could not tell left from right.
"""

import math
from typing import Literal, Protocol, get_args, runtime_checkable

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float, Int

from seqlab.errors import UsageError
from seqlab.machine import kernels
from seqlab.models.parts.checks import check_choice, check_heads, check_mask, check_positive

BASE = 10_000.0  # wavelengths grow from 2π towards 2π BASE: Vaswani et al. 2017, 3.5; Su et al. 2021, 3.2.2
Positions = Literal["none", "sinusoidal", "learned", "rope", "alibi"]
# An attention mask: True where a query may attend to a key, or numbers added to the scores. MLX knows
# "causal" by name and fuses it if the back end can.
Mask = Literal["causal"] | Bool[mx.array, "..."] | Float[mx.array, "..."] | None


@runtime_checkable
class PositionSizes(Protocol):
    """The part of a model's Config that `PositionalEncoding` uses."""

    @property
    def width(self) -> int:
        """Features of an input and an output."""

    @property
    def heads(self) -> int:
        """Attention heads, which divide the width."""

    @property
    def positions(self) -> Positions:
        """The kind of positional encoding."""

    @property
    def length(self) -> int | None:
        """The longest sequence for learned positions."""


def check_positions(sizes: PositionSizes) -> None:
    """Raise `UsageError` for an unknown kind, or one that is impossible with these sizes."""
    check_heads(width=sizes.width, heads=sizes.heads)
    check_choice("positions", sizes.positions, get_args(Positions))
    size = sizes.width // sizes.heads
    if sizes.positions == "rope" and size % 2:
        raise UsageError(f"rope rotates pairs of features: width / heads must be even, found {size}.")
    if sizes.positions == "learned" and sizes.length is None:
        raise UsageError("learned positions need the longest sequence. Give Config.length.")


def sinusoids(positions: Int[mx.array, "L"], width: int) -> Float[mx.array, "L D"]:
    """sin(p ω₀) … sin(p ωₙ) cos(p ω₀) … cos(p ωₙ), with ωᵢ = 10,000^(-2i/D) (Vaswani et al. 2017, 3.5).

    In the paper sines and cosines alternate, which are the same features in another order.
    """
    half = (width + 1) // 2
    frequencies = mx.exp(mx.arange(half) * (-2 * math.log(BASE) / width))
    angles = positions[:, None] * frequencies
    return mx.concatenate([mx.sin(angles), mx.cos(angles)], axis=-1)[:, :width]


def rope(x: Float[mx.array, "B H L K"], offset: Int[mx.array, ""]) -> Float[mx.array, "B H L K"]:
    """RoPE (Su et al., 2021): (x_i, x_{i+K/2}) rotated by p ωᵢ at positions p = offset, offset + 1, …

    The paper pairs neighbours (x_{2i}, x_{2i+1}), which are the same features in another order.
    """
    if kernels.current().rope == "native":
        return mx.fast.rope(x, x.shape[-1], traditional=False, base=BASE, scale=1.0, offset=offset)
    half = x.shape[-1] // 2
    frequencies = mx.exp(mx.arange(half) * (-2 * math.log(BASE) / x.shape[-1]))
    angles = (offset + mx.arange(x.shape[-2]))[:, None] * frequencies
    cos, sin = mx.cos(angles).astype(x.dtype), mx.sin(angles).astype(x.dtype)
    first, second = mx.split(x, 2, axis=-1)
    return mx.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


def slopes(heads: int) -> list[float]:
    """ALiBi's m_h = 2^(-8h/H) for h from 1 to H, if H is a power of two (Press et al. 2022, section 3).

    Otherwise the slopes of the power of two below, then every second one of the power above (their code).
    """
    below = 2 ** (heads.bit_length() - 1)
    found = [2 ** (-8 * h / below) for h in range(1, below + 1)]
    return found + [2 ** (-4 * h / below) for h in range(1, 2 * (heads - below), 2)]


def attention_mask(
    length: int, *, causal: bool, mask: Bool[mx.array, "B L"] | None = None, reach: int | None = None
) -> Bool[mx.array, "... L L"]:
    """True where a position (row) may attend to another (column): a real token and, if causal, no later one.

    With `reach` it is one of so many positions, its own included, that are the nearest on its side or sides.
    Every position attends to itself, padding too, because softmax over no scores is not a number. The
    outputs at padding do not reach real tokens.
    """
    positions = mx.arange(length)
    allowed = positions[:, None] >= positions if causal else mx.ones((length, length), dtype=mx.bool_)
    if reach is not None:
        allowed = allowed & (mx.abs(positions[:, None] - positions) < reach)
    if mask is None:
        return allowed
    return (allowed & mask[:, None, None]) | (positions[:, None] == positions)


def cache_mask(
    positions: Int[mx.array, "L"], capacity: int, *, reach: int | None = None
) -> Bool[mx.array, "L R"]:
    """True where a cache of R = `capacity` places is filled once each position has been written.

    With `reach`, only at the last so many of those places.
    """
    places = mx.arange(capacity)
    filled = places <= positions[:, None]
    return filled if reach is None else filled & (places > positions[:, None] - reach)


class LearnedPositions(nn.Module):
    """One trained vector for each of `length` positions."""

    def __init__(self, *, length: int, width: int) -> None:
        super().__init__()
        check_positive(length=length, width=width)
        self.weight = mx.random.normal((length, width), scale=1 / math.sqrt(width))

    def check(self, length: int) -> None:
        """Raise `UsageError` if a sequence is longer than the table, which MLX does not check."""
        most = self.weight.shape[0]
        if length > most:
            raise UsageError(f"positions were learned for {most} steps, found {length}. Raise Config.length.")

    def __call__(self, positions: Int[mx.array, "L"]) -> Float[mx.array, "L D"]:
        return self.weight[positions]


class PositionalEncoding(nn.Module):
    """The positional encoding of one stack: vectors to add to its inputs, and masks that its blocks share.

    With `reach` each position attends to so many only, the nearest, its own included.
    """

    def __init__(self, sizes: PositionSizes, *, reach: int | None = None) -> None:
        super().__init__()
        check_positions(sizes)
        self.kind = sizes.positions
        self.heads = sizes.heads
        self.reach = reach
        if sizes.positions == "learned" and sizes.length is not None:
            self.table = LearnedPositions(length=sizes.length, width=sizes.width)

    @property
    def rotary(self) -> bool:
        """Whether the blocks must rotate queries and keys."""
        return self.kind == "rope"

    def check(self, length: int) -> None:
        """Raise `UsageError` if a sequence or a cache is longer than the learned positions."""
        if self.kind == "learned":
            self.table.check(length)

    def add(self, x: Float[mx.array, "B ... D"], positions: Int[mx.array, "L"]) -> Float[mx.array, "B ... D"]:
        """Inputs [B L D] with the vectors of their positions, or [B D] with the vector of one position."""
        if self.kind == "sinusoidal":
            return x + sinusoids(positions, x.shape[-1]).astype(x.dtype)
        return x + self.table(positions) if self.kind == "learned" else x

    def attention_mask(self, x: Float[mx.array, "B L D"], *, causal: bool, mask: mx.array | None) -> Mask:
        """The attention mask of a whole sequence; `mask`, if any, is its padding mask."""
        if mask is not None:
            check_mask(mask, x)
        elif self.kind != "alibi" and self.reach is None:
            return "causal" if causal else None
        length = x.shape[1]
        allowed = attention_mask(length, causal=causal, mask=mask, reach=self.reach)
        return self._biased(allowed, mx.arange(length), causal=causal)

    def cache_mask(self, positions: Int[mx.array, "L"], capacity: int) -> Mask:
        """The attention mask of `positions` over a cache."""
        return self._biased(cache_mask(positions, capacity, reach=self.reach), positions)

    def _biased(
        self, allowed: Bool[mx.array, "... L M"], positions: Int[mx.array, "L"], *, causal: bool = True
    ) -> Mask:
        if self.kind != "alibi":
            return allowed
        back = positions[:, None] - mx.arange(allowed.shape[-1])
        steepness = slopes(self.heads)
        if not causal and self.heads > 1:
            steepness = [slope for slope in steepness for _ in range(2)][: self.heads]
            directions = mx.array([1 if head % 2 == 0 else -1 for head in range(self.heads)])
            allowed = allowed & (directions[:, None, None] * back >= 0)
        return mx.where(allowed, -mx.array(steepness)[:, None, None] * mx.abs(back), -mx.inf)
