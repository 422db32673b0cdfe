"""Temporal convolutional network (Bai et al., 2018): dilated causal convolutions in residual blocks.

(W ∗ x)_t = b + Σ_{j<k} W_j x_{t - (k-1-j)d}      inputs before the first step are zero
x ← x + relu(W₂ ∗ relu(W₁ ∗ norm(x)))             block n = 0, 1, … has dilation d = 2ⁿ

An output depends on the last 1 + 2(k-1)(2^depth - 1) inputs and on no later one. Bai et al. use weight
normalisation and dropout and apply another ReLU after the residual sum. Here a LayerNorm precedes each block
and the sum comes last, as in our Transformer, so that the two differ in how they mix time steps and not in
how they are trained.
"""

from dataclasses import dataclass

import mlx.core as mx
from jaxtyping import Float

from seqlab.errors import UsageError
from seqlab.models.parts.activations import relu
from seqlab.models.parts.checks import check_positive, check_sequence
from seqlab.models.parts.convolution import ConvolutionBlock, ConvolutionConfig, DilatedConvolution
from seqlab.models.parts.streaming import BlockStack, State

# The last (k-1)d inputs of both convolutions of a block; their number differs between blocks.
Memory = tuple[Float[mx.array, "B _ D"], Float[mx.array, "B _ H"]]


@dataclass(frozen=True)
class Config(ConvolutionConfig):
    """Sizes of a TCN: `kernel` must be 2 or more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel < 2:
            raise UsageError(f"kernel must be 2 or more, to see a step before, found {self.kernel}.")


class Convolution(DilatedConvolution):
    """A dilated causal convolution. Its state is the last P = (k-1)d inputs."""

    def initial_state(self, batch: int) -> Float[mx.array, "B P D"]:
        """The state before the first step: inputs of zero."""
        return mx.zeros((batch, self.span, self.weight.shape[1]), dtype=self.weight.dtype)

    def extend(
        self, x: Float[mx.array, "B L D"], past: Float[mx.array, "B P D"] | None
    ) -> tuple[Float[mx.array, "B L E"], Float[mx.array, "B P D"]]:
        """The outputs of L more steps and the new state. None is the initial state."""
        if past is None:
            window = mx.pad(x, [(0, 0), (self.span, 0), (0, 0)])
        else:
            window = mx.concatenate([past, x], axis=1)
        return self.convolve(window), window[:, x.shape[1] :]

    def step(
        self, x: Float[mx.array, "B D"], past: Float[mx.array, "B P D"]
    ) -> tuple[Float[mx.array, "B E"], Float[mx.array, "B P D"]]:
        """The output of one more step and the new state, by one product with all taps side by side."""
        window = mx.concatenate([past, x[:, None]], axis=1)
        taps = window[:, :: self.dilation].flatten(1)
        return mx.addmm(self.bias, taps, self.weight.flatten(0, 1)), window[:, 1:]


class Block(ConvolutionBlock[Convolution]):
    """x + relu(second(relu(first(norm(x)))))."""

    def __init__(self, config: Config, *, dilation: int) -> None:
        super().__init__(config, Convolution, dilation=dilation)

    def initial_state(self, batch: int) -> Memory:
        """The states of both convolutions before the first step."""
        return self.first.initial_state(batch), self.second.initial_state(batch)

    def extend(
        self, x: Float[mx.array, "B L D"], memory: Memory | None
    ) -> tuple[Float[mx.array, "B L D"], Memory]:
        """The outputs of L more steps and the new states. None are the initial states."""
        past_first, past_second = (None, None) if memory is None else memory
        hidden, past_first = self.first.extend(self.norm(x), past_first)
        y, past_second = self.second.extend(relu(hidden), past_second)
        return x + relu(y), (past_first, past_second)

    def step(self, x: Float[mx.array, "B D"], memory: Memory) -> tuple[Float[mx.array, "B D"], Memory]:
        """The output of one more step and the new states."""
        hidden, past_first = self.first.step(self.norm(x), memory[0])
        y, past_second = self.second.step(relu(hidden), memory[1])
        return x + relu(y), (past_first, past_second)


class Model(BlockStack):
    """A stack of blocks: (B, L, width) to (B, L, width), causal."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.blocks = [Block(config, dilation=2**layer) for layer in range(config.depth)]

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        check_sequence(x, size=self.width)
        for block in self.blocks:
            x, _ = block.extend(x, None)
        return x

    def initial_state(self, batch: int, length: int) -> State:
        """The state before the first step. Its size depends on the dilations, not on `length`."""
        check_positive(batch=batch, length=length)
        return State(0, [block.initial_state(batch) for block in self.blocks])
