"""Temporal convolutional network (Bai et al., 2018): dilated causal convolutions in residual blocks.

(W ∗ x)_t = b + Σ_{j<k} W_j x_{t - (k-1-j)d}     what lies before the first step is zero
x ← x + relu(W₂ ∗ relu(W₁ ∗ norm(x)))              block n = 0, 1, … has dilation d = 2ⁿ

An output sees the last 1 + 2(k-1)(2^depth - 1) inputs and none later. Bai et al. normalise weights, drop
channels out and apply one more ReLU after the sum; ours normalise each step's features before the block
(LayerNorm) and add last, as our Transformer does, so that the two differ in how they mix time and not in
how they are trained.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Int

from seqlab.errors import UsageError
from seqlab.models.parts.activations import relu
from seqlab.models.parts.checks import check_positive, check_sequence
from seqlab.models.parts.convolution import convolve, first_weight
from seqlab.models.parts.streaming import State, Streaming, read_through

# The last (k-1)d inputs of both convolutions: another length in each block.
Memory = tuple[Float[mx.array, "B _ D"], Float[mx.array, "B _ H"]]


@dataclass(frozen=True)
class Config:
    """Sizes: `depth` blocks with kernels of `kernel` taps; `hidden` channels inside (width by default)."""

    width: int
    depth: int = 4
    kernel: int = 3
    hidden: int | None = None

    def __post_init__(self) -> None:
        check_positive(width=self.width, depth=self.depth, hidden=self.channels)
        if self.kernel < 2:
            raise UsageError(f"kernel must be 2 or more, to see a step before, found {self.kernel}.")

    @property
    def channels(self) -> int:
        """Features between the two convolutions of a block."""
        return self.width if self.hidden is None else self.hidden

    @property
    def receptive_field(self) -> int:
        """How many inputs an output depends on, its own included."""
        return 1 + 2 * (self.kernel - 1) * ((1 << self.depth) - 1)


class Convolution(nn.Module):
    """A dilated causal convolution, as one matrix product for each tap (`parts.convolution`)."""

    def __init__(self, *, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.weight = first_weight(inputs=inputs, outputs=outputs, kernel=kernel)
        self.bias = mx.zeros((outputs,))

    def initial_past(self, batch: int) -> Float[mx.array, "B P D"]:
        """Nothing seen yet: (k-1)d inputs of zero."""
        kernel, inputs, _ = self.weight.shape
        return mx.zeros((batch, (kernel - 1) * self.dilation, inputs), dtype=self.weight.dtype)

    def extend(
        self, x: Float[mx.array, "B L D"], past: Float[mx.array, "B P D"] | None
    ) -> tuple[Float[mx.array, "B L E"], Float[mx.array, "B P D"]]:
        """L more steps: their outputs and the new past. None is a past of zeros."""
        kernel, length = self.weight.shape[0], x.shape[1]
        if past is None:
            window = mx.pad(x, [(0, 0), ((kernel - 1) * self.dilation, 0), (0, 0)])
        else:
            window = mx.concatenate([past, x], axis=1)
        y = convolve(window, self.weight, self.bias, dilation=self.dilation)
        return y, window[:, length:]

    def step(
        self, x: Float[mx.array, "B D"], past: Float[mx.array, "B P D"]
    ) -> tuple[Float[mx.array, "B E"], Float[mx.array, "B P D"]]:
        """One more step; its taps are few, so they are joined for one product."""
        window = mx.concatenate([past, x[:, None]], axis=1)
        taps = window[:, :: self.dilation].flatten(1)
        return mx.addmm(self.bias, taps, self.weight.flatten(0, 1)), window[:, 1:]


class Block(nn.Module):
    """norm, (convolution, ReLU) twice, added to what came in."""

    def __init__(self, config: Config, *, dilation: int) -> None:
        super().__init__()
        width, channels, kernel = config.width, config.channels, config.kernel
        self.norm = nn.LayerNorm(width)
        self.first = Convolution(inputs=width, outputs=channels, kernel=kernel, dilation=dilation)
        self.second = Convolution(inputs=channels, outputs=width, kernel=kernel, dilation=dilation)

    def extend(
        self, x: Float[mx.array, "B L D"], memory: Memory | None
    ) -> tuple[Float[mx.array, "B L D"], Memory]:
        """L more steps."""
        past_first, past_second = (None, None) if memory is None else memory
        hidden, past_first = self.first.extend(self.norm(x), past_first)
        y, past_second = self.second.extend(relu(hidden), past_second)
        return x + relu(y), (past_first, past_second)

    def step(self, x: Float[mx.array, "B D"], memory: Memory) -> tuple[Float[mx.array, "B D"], Memory]:
        """One more step."""
        hidden, past_first = self.first.step(self.norm(x), memory[0])
        y, past_second = self.second.step(relu(hidden), memory[1])
        return x + relu(y), (past_first, past_second)


class Model(Streaming):
    """A stack of blocks: (B, L, width) to (B, L, width), causal."""

    causal = True

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.blocks = [Block(config, dilation=2**layer) for layer in range(config.depth)]

    @property
    def width(self) -> int:
        """Features of an input and an output step."""
        return self.config.width

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        check_sequence(x, size=self.width)
        for block in self.blocks:
            x, _ = block.extend(x, None)
        return x

    def initial_state(self, batch: int, length: int) -> State:
        """The state before the first step. Its size depends on the dilations, not on `length`."""
        check_positive(batch=batch, length=length)
        return State(
            0, [(block.first.initial_past(batch), block.second.initial_past(batch)) for block in self.blocks]
        )

    def absorb(
        self, x: Float[mx.array, "B L D"], position: int, memory: list[Memory]
    ) -> tuple[Float[mx.array, "B L D"], list[Memory]]:
        """L more inputs, after the remembered ones."""
        check_sequence(x, size=self.width)
        return read_through((block.extend for block in self.blocks), x, memory)

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: list[Memory]
    ) -> tuple[Float[mx.array, "B D"], list[Memory]]:
        """One more input, after the remembered ones."""
        return read_through((block.step for block in self.blocks), x, memory)
