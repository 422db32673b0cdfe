"""iTransformer (Liu et al., 2024): the window of each variate is one token; attention is across variates.

Each window is normalised; X (lookback × C) becomes C tokens W_e x_c + b; an encoder without positions mixes
them; one linear layer maps each token to the forecast of its variate. The variates have no order: permuting
them permutes the forecast, and their number may vary. Ours is pre-norm, the paper's post-norm.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.models.parts.attention import Activation, Block, check_block
from seqlab.models.parts.checks import check_choice, check_positive, check_sequence
from seqlab.models.parts.series import NORMALISATIONS, Normalisation, normalise


@dataclass(frozen=True)
class Config:
    """Sizes, in steps of the series for `lookback` and `horizon`; `hidden` is the MLP's (4 × width)."""

    lookback: int
    horizon: int
    width: int = 64
    depth: int = 2
    heads: int = 4
    hidden: int | None = None
    activation: Activation = "relu"
    normalisation: Normalisation = "mean_std"

    def __post_init__(self) -> None:
        check_positive(lookback=self.lookback, horizon=self.horizon, depth=self.depth)
        check_block(self)
        check_choice("normalisation", self.normalisation, NORMALISATIONS)


class Model(nn.Module):
    """A window (B, lookback, C) to its forecast (B, horizon, C)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.to_width = nn.Linear(config.lookback, config.width)
        self.blocks = [Block(config, rotary=False) for _ in range(config.depth)]
        self.norm = nn.LayerNorm(config.width)
        self.to_forecast = nn.Linear(config.width, config.horizon)

    def __call__(self, window: Float[mx.array, "B L C"]) -> Float[mx.array, "B H C"]:
        check_sequence(window, size=window.shape[-1], length=self.config.lookback)
        x, statistics = normalise(window, self.config.normalisation)
        x = self.to_width(x.swapaxes(1, 2))  # (B, C, width): one token per variate
        for block in self.blocks:
            x = block(x, None)
        return statistics.denormalise(self.to_forecast(self.norm(x)).swapaxes(1, 2))
