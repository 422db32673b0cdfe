"""minGRU (Feng et al., 2024): a GRU whose gate does not depend on the state, so that it trains by a scan.

z_t = σ(W_z x_t + b_z)
h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ (W_h x_t + b_h)

These are the equations of the paper's appendix A. For its scan in log space, appendix B also passes the
candidate through a positive function g; ours scans without logarithms (`parts.scan`) and needs none.

This is h_t = a_t h_{t-1} + b_t with a = 1 - z, linear in the state. The minGRU is the control for the
statement that recurrent networks cannot be parallelised.
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
    """Sizes and the algorithm of the scan."""


class Layer(ScannedCell):
    """One layer; W_z and W_h are one matrix, in that order."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.to_gate_and_candidate = nn.Linear(config.width, 2 * config.units)

    def coefficients(
        self, x: Float[mx.array, "... D"]
    ) -> tuple[Float[mx.array, "... H"], Float[mx.array, "... H"]]:
        """a = 1 - z and b = z ⊙ candidate."""
        gate, candidate = mx.split(self.to_gate_and_candidate(x).astype(mx.float32), 2, axis=-1)
        z, keep = sigmoid_and_rest(gate)
        return keep, z * candidate


class Model(Stack):
    """A stack of minGRU layers: (B, L, width) to (B, L, width)."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, [Layer(config) for _ in range(config.depth)])
