"""minLSTM (Feng et al., 2024): an LSTM whose gates do not depend on the state, so that it trains by a scan.

f, i = σ(W_f x_t + b_f), σ(W_i x_t + b_i)
f', i' = f / (f + i), i / (f + i)
h_t  = f' ⊙ h_{t-1} + i' ⊙ (W_h x_t + b_h)

The gates are normalised to sum to one, so that the scale of the state does not grow with the length. With u
and v for the arguments of the two σ, f' = σ(log σ(u) - log σ(v)) and i' = 1 - f', which is never 0/0,
however closed both gates are. As in `mingru`, the candidate does not pass through the positive g of the
paper's log-space form.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.models.parts.activations import sigmoid_and_rest
from seqlab.models.parts.recurrence import Stack
from seqlab.models.parts.scanned import ScannedCell, ScannedConfig


@dataclass(frozen=True)
class Config(ScannedConfig):
    """Sizes; b_f starts at `forget_bias`, as in the LSTM (1: Jozefowicz et al., 2015), b_i near zero.

    At 1 a layer starts by keeping about 0.6 of its state per step, at 0 half of it.
    """

    forget_bias: float = 1.0


class Layer(ScannedCell):
    """One layer; W_f, W_i and W_h are one matrix, in that order."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        units = config.units
        self.to_gates_and_candidate = nn.Linear(config.width, 3 * units)
        forget_bias = mx.full((units,), config.forget_bias)
        bias = self.to_gates_and_candidate.bias
        self.to_gates_and_candidate.bias = mx.concatenate([forget_bias, bias[units:]])

    def coefficients(
        self, x: Float[mx.array, "... D"]
    ) -> tuple[Float[mx.array, "... H"], Float[mx.array, "... H"]]:
        """a = f' and b = i' ⊙ candidate; -log σ(u) is log(1 + exp(-u))."""
        gates_and_candidate = self.to_gates_and_candidate(x).astype(mx.float32)
        forget, take, candidate = mx.split(gates_and_candidate, 3, axis=-1)
        log_ratio = mx.logaddexp(0.0, -take) - mx.logaddexp(0.0, -forget)
        keep, take = sigmoid_and_rest(log_ratio)
        return keep, take * candidate


class Model(Stack):
    """A stack of minLSTM layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, [Layer(config) for _ in range(config.depth)])
