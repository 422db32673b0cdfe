"""Dilated convolutions over time: what the causal `tcn` and the bidirectional `residual_cnn` share.

A convolution is one matrix product per tap. On two x86-64 cores, forward and backward, MLX's own dilated
convolution took 30 to 50 times as long. A single product with all taps side by side took 1.2 to 1.4 times as
long at lengths of 200 and more, and used more memory.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.models.parts.checks import check_positive


@dataclass(frozen=True)
class ConvolutionConfig:
    """Sizes: `depth` blocks with kernels of `kernel` taps; `hidden` channels inside (width by default)."""

    width: int
    depth: int = 4
    kernel: int = 3
    hidden: int | None = None

    def __post_init__(self) -> None:
        check_positive(width=self.width, depth=self.depth, hidden=self.channels)

    @property
    def channels(self) -> int:
        """Features between the two convolutions of a block."""
        return self.width if self.hidden is None else self.hidden

    @property
    def receptive_field(self) -> int:
        """The number of inputs that an output depends on, its own included."""
        return 1 + 2 * (self.kernel - 1) * ((1 << self.depth) - 1)


class DilatedConvolution(nn.Module):
    """The parameters W (kernel, inputs, outputs), drawn as in `nn.Conv1d`, and b of a convolution."""

    def __init__(self, *, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        bound = (kernel * inputs) ** -0.5
        self.weight = mx.random.uniform(-bound, bound, (kernel, inputs, outputs))
        self.bias = mx.zeros((outputs,))

    @property
    def span(self) -> int:
        """Steps from the first tap to the last: (kernel - 1) × dilation."""
        return (self.weight.shape[0] - 1) * self.dilation

    def convolve(self, window: Float[mx.array, "B W D"]) -> Float[mx.array, "B L E"]:
        """y_t = b + Σ_j W_j window_{t + j dilation} for the L = W - span steps with all taps inside."""
        length = window.shape[1] - self.span
        y = self.bias
        for tap in range(self.weight.shape[0]):
            start = tap * self.dilation
            y = mx.addmm(y, window[:, start : start + length], self.weight[tap])
        return y


C = TypeVar("C", bound=DilatedConvolution)


class ConvolutionBlock(nn.Module, Generic[C]):
    """The parameters of a residual block: a layer norm and two convolutions of one kind and one dilation."""

    def __init__(self, config: ConvolutionConfig, convolution: type[C], *, dilation: int) -> None:
        super().__init__()
        width, channels, kernel = config.width, config.channels, config.kernel
        self.norm = nn.LayerNorm(width)
        self.first = convolution(inputs=width, outputs=channels, kernel=kernel, dilation=dilation)
        self.second = convolution(inputs=channels, outputs=width, kernel=kernel, dilation=dilation)
