"""How does a Transformer know the order of its inputs, and which of them may each position see?

sinusoidal and learned: a vector for each position is added to the inputs. rope (Su et al., 2021): queries
and keys are turned, in `parts.attention`. alibi (Press et al., 2022): the scaled score of positions i and
j gets the bias -m_h |i - j|, the paper's -m_h (i - j) where j ≤ i, made symmetric for encoders.
"""

import math
from typing import Literal, Protocol, get_args, runtime_checkable

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float, Int

from seqlab.errors import UsageError
from seqlab.machine import kernels
from seqlab.models.parts.checks import check_choice, check_heads, check_positive, check_seen

BASE = 10_000.0  # wavelengths grow from 2π towards 2π BASE: Vaswani et al. 2017, 3.5; Su et al. 2021, 3.2.2
Positions = Literal["none", "sinusoidal", "learned", "rope", "alibi"]
# True where a query may see a key, or numbers added to the scores. MLX knows "causal" by name, and fuses
# it where a back end can.
Mask = Literal["causal"] | Bool[mx.array, "..."] | Float[mx.array, "..."] | None


@runtime_checkable
class PositionSizes(Protocol):
    """What `Placement` reads of its model's Config."""

    @property
    def width(self) -> int:
        """Features of an input and an output."""

    @property
    def heads(self) -> int:
        """Attention heads, which divide the width."""

    @property
    def positions(self) -> Positions:
        """How order enters."""

    @property
    def length(self) -> int | None:
        """The longest sequence that learned positions serve."""


def check_positions(sizes: PositionSizes) -> None:
    """Raise `UsageError` for an unknown kind, or one that these sizes cannot have."""
    check_heads(width=sizes.width, heads=sizes.heads)
    check_choice("positions", sizes.positions, get_args(Positions))
    size = sizes.width // sizes.heads
    if sizes.positions == "rope" and size % 2:
        raise UsageError(f"rope turns features in pairs: width / heads must be even, found {size}.")
    if sizes.positions == "learned" and sizes.length is None:
        raise UsageError("learned positions need the longest sequence: give Config.length.")


def sinusoids(positions: Int[mx.array, "L"], width: int) -> Float[mx.array, "L D"]:
    """sin(p ω₀) … sin(p ωₙ) cos(p ω₀) … cos(p ωₙ), with ωᵢ = 10,000^(-2i/D) (Vaswani et al. 2017, 3.5).

    In the paper sines and cosines alternate: the same features in another order.
    """
    half = (width + 1) // 2
    frequencies = mx.exp(mx.arange(half) * (-2 * math.log(BASE) / width))
    angles = positions[:, None] * frequencies
    return mx.concatenate([mx.sin(angles), mx.cos(angles)], axis=-1)[:, :width]


def rotated(x: Float[mx.array, "B H L K"], offset: Int[mx.array, ""]) -> Float[mx.array, "B H L K"]:
    """RoPE (Su et al., 2021): (x_i, x_{i+K/2}) turned by p ωᵢ at positions p = offset, offset + 1, …

    The paper pairs neighbours (x_{2i}, x_{2i+1}): the same features in another order.
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

    Otherwise those of the power of two below, then every second one of the power above (their code).
    """
    below = 2 ** (heads.bit_length() - 1)
    found = [2 ** (-8 * h / below) for h in range(1, below + 1)]
    return found + [2 ** (-4 * h / below) for h in range(1, 2 * (heads - below), 2)]


def visible(
    length: int, *, causal: bool, seen: Bool[mx.array, "B L"] | None = None
) -> Bool[mx.array, "... L L"]:
    """True where a position (row) may see another (column): a real token and, if causal, no later one.

    Every position sees itself, padding too: softmax over nothing is not a number. What padding sees
    reaches no real token.
    """
    here = mx.arange(length)
    allowed = here[:, None] >= here if causal else mx.ones((length, length), dtype=mx.bool_)
    return allowed if seen is None else (allowed & seen[:, None, None]) | (here[:, None] == here)


def reached(here: Int[mx.array, "L"], room: int) -> Bool[mx.array, "L R"]:
    """True where a place of a cache has been written by the time of each position."""
    return mx.arange(room) <= here[:, None]


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


class Placement(nn.Module):
    """One stack's positions: the vectors that are added, and the masks that its blocks share."""

    def __init__(self, sizes: PositionSizes) -> None:
        super().__init__()
        check_positions(sizes)
        self.kind = sizes.positions
        self.heads = sizes.heads
        if sizes.positions == "learned" and sizes.length is not None:
            self.table = LearnedPositions(length=sizes.length, width=sizes.width)

    @property
    def rotary(self) -> bool:
        """Whether blocks are to turn queries and keys."""
        return self.kind == "rope"

    def check(self, length: int) -> None:
        """Raise `UsageError` for a sequence or a cache longer than what was learned."""
        if self.kind == "learned":
            self.table.check(length)

    def add(self, x: Float[mx.array, "B ... D"], at: Int[mx.array, "L"]) -> Float[mx.array, "B ... D"]:
        """Inputs [B L D] with the vectors of their positions, or [B D] with that of one."""
        if self.kind == "sinusoidal":
            return x + sinusoids(at, x.shape[-1]).astype(x.dtype)
        return x + self.table(at) if self.kind == "learned" else x

    def whole(self, x: Float[mx.array, "B L D"], *, causal: bool, seen: mx.array | None) -> Mask:
        """The mask of a sequence that is read at once; `seen` is True at real tokens."""
        if seen is not None:
            check_seen(seen, x)
        elif self.kind != "alibi":
            return "causal" if causal else None
        length = x.shape[1]
        return self._biased(visible(length, causal=causal, seen=seen), mx.arange(length))

    def cached(self, here: Int[mx.array, "L"], room: int) -> Mask:
        """The mask of positions `here` over a cache of `room` places."""
        return self._biased(reached(here, room), here)

    def _biased(self, allowed: Bool[mx.array, "... L M"], here: Int[mx.array, "L"]) -> Mask:
        if self.kind != "alibi":
            return allowed
        distance = mx.abs(here[:, None] - mx.arange(allowed.shape[-1]))
        return mx.where(allowed, -mx.array(slopes(self.heads))[:, None, None] * distance, -mx.inf)
