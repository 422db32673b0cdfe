"""Residual convolutional network over time: a TCN (Bai et al., 2018) that is bidirectional instead of causal.

(W ∗ x)_t = b + Σ_{j<k} W_j x_{t + (j - (k-1)/2)d}     inputs outside the sequence are zero
x ← x + W₂ ∗ relu(W₁ ∗ norm(x))                         block n = 0, 1, … has dilation d = 2ⁿ

An output depends on (k-1)(2^depth - 1) inputs to either side. All steps are computed in parallel, as in
attention; unlike attention, the weights do not depend on the input.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float

from seqlab.errors import UsageError
from seqlab.models.parts.activations import relu
from seqlab.models.parts.convolution import ConvolutionBlock, ConvolutionConfig, DilatedConvolution
from seqlab.models.parts.noncausal import NonCausal


@dataclass(frozen=True)
class Config(ConvolutionConfig):
    """Sizes of a residual CNN: `kernel` must be odd, so that both sides count alike."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel < 3 or self.kernel % 2 == 0:
            raise UsageError(f"kernel must be odd, 3 or more, to see both sides alike, found {self.kernel}.")


class Convolution(DilatedConvolution):
    """A dilated convolution centred on each step; the length stays the same."""

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L E"]:
        side = self.span // 2
        return self.convolve(mx.pad(x, [(0, 0), (side, side), (0, 0)]))


class Block(ConvolutionBlock[Convolution]):
    """x + second(relu(first(norm(x))))."""

    def __init__(self, config: Config, *, dilation: int) -> None:
        super().__init__(config, Convolution, dilation=dilation)

    def __call__(
        self, x: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None
    ) -> Float[mx.array, "B L D"]:
        hidden = relu(self.first(_zero_padding(self.norm(x), mask)))
        return x + self.second(_zero_padding(hidden, mask))


def _zero_padding(
    x: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None
) -> Float[mx.array, "B L D"]:
    """Zeros at padding, like everything else outside the sequence."""
    return x if mask is None else x * mask[..., None].astype(x.dtype)


class Model(NonCausal):
    """A stack of blocks: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.blocks = [Block(config, dilation=2**layer) for layer in range(config.depth)]

    def stack(self) -> Sequence[nn.Module]:
        """The blocks, the one of dilation 1 first."""
        return self.blocks
