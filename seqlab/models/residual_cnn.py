"""Residual convolutional network over time that sees both ways: a TCN (Bai et al., 2018) without the arrow.

(W ∗ x)_t = b + Σ_{j<k} W_j x_{t + (j - (k-1)/2)d}     what lies outside the sequence is zero
x ← x + W₂ ∗ relu(W₁ ∗ norm(x))                         block n = 0, 1, … has dilation d = 2ⁿ

An output sees (k-1)(2^depth - 1) inputs to either side. Every step waits for no other, as in attention; what
it lacks is weights that depend on what is read.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float

from seqlab.errors import UsageError
from seqlab.models.parts.activations import relu
from seqlab.models.parts.checks import check_positive, check_seen, check_sequence
from seqlab.models.parts.convolution import convolve, first_weight
from seqlab.models.parts.lookahead import Lookahead


@dataclass(frozen=True)
class Config:
    """Sizes: `depth` blocks with kernels of `kernel` taps; `hidden` channels inside (width by default)."""

    width: int
    depth: int = 4
    kernel: int = 3
    hidden: int | None = None

    def __post_init__(self) -> None:
        check_positive(width=self.width, depth=self.depth, hidden=self.channels)
        if self.kernel < 3 or self.kernel % 2 == 0:
            raise UsageError(f"kernel must be odd, 3 or more, to see both sides alike, found {self.kernel}.")

    @property
    def channels(self) -> int:
        """Features between the two convolutions of a block."""
        return self.width if self.hidden is None else self.hidden

    @property
    def receptive_field(self) -> int:
        """How many inputs an output depends on, its own included."""
        return 1 + 2 * (self.kernel - 1) * ((1 << self.depth) - 1)


class Convolution(nn.Module):
    """A dilated convolution centred on each step; as many steps come out as go in."""

    def __init__(self, *, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.weight = first_weight(inputs=inputs, outputs=outputs, kernel=kernel)
        self.bias = mx.zeros((outputs,))

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L E"]:
        side = (self.weight.shape[0] - 1) // 2 * self.dilation
        return convolve(
            mx.pad(x, [(0, 0), (side, side), (0, 0)]), self.weight, self.bias, dilation=self.dilation
        )


class Block(nn.Module):
    """norm, convolution, ReLU, convolution, added to what came in."""

    def __init__(self, config: Config, *, dilation: int) -> None:
        super().__init__()
        width, channels, kernel = config.width, config.channels, config.kernel
        self.norm = nn.LayerNorm(width)
        self.first = Convolution(inputs=width, outputs=channels, kernel=kernel, dilation=dilation)
        self.second = Convolution(inputs=channels, outputs=width, kernel=kernel, dilation=dilation)

    def __call__(
        self, x: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None
    ) -> Float[mx.array, "B L D"]:
        hidden = relu(self.first(_blank(self.norm(x), seen)))
        return x + self.second(_blank(hidden, seen))


def _blank(x: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None) -> Float[mx.array, "B L D"]:
    """Zeros at padding: there the sequence has ended."""
    return x if seen is None else x * seen[..., None].astype(x.dtype)


class Model(Lookahead):
    """A stack of blocks: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.blocks = [Block(config, dilation=2**layer) for layer in range(config.depth)]

    @property
    def width(self) -> int:
        """Features of an input and an output step."""
        return self.config.width

    def __call__(
        self, x: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B L D"]:
        """All steps at once. `seen` is True at real steps: padding changes nothing at them."""
        check_sequence(x, size=self.width)
        if seen is not None:
            check_seen(seen, x)
        for block in self.blocks:
            x = block(x, seen)
        return x
