"""PatchTST (Nie et al., 2023): an encoder of overlapping patches of a series, channel by channel.

The window is normalised, its last value repeated for `stride` steps, then cut into patches of 16 values
every 8. An encoder reads them, and one linear layer maps all its outputs to the forecast. Ours has a layer
norm before each sub-layer, the paper a batch norm after it. Our default activation is ReLU, the paper's GELU;
our default width and heads are 64 and 4, the paper's 128 and 16 (16 and 4 for small data sets).
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.errors import UsageError
from seqlab.models.parts.attention import Activation, Block, check_block
from seqlab.models.parts.checks import check_choice, check_positive, check_sequence
from seqlab.models.parts.positions import LearnedPositions
from seqlab.models.parts.series import NORMALISATIONS, Normalisation, join_channels, normalise, split_channels


@dataclass(frozen=True)
class Config:
    """Sizes, in steps of the series for `lookback`, `horizon`, `patch` and `stride`."""

    lookback: int
    horizon: int
    width: int = 64
    depth: int = 3  # Nie et al. 2023, appendix
    heads: int = 4
    hidden: int | None = None
    patch: int = 16  # Nie et al. 2023, section 4
    stride: int = 8
    activation: Activation = "relu"
    normalisation: Normalisation = "mean_std"

    def __post_init__(self) -> None:
        check_positive(
            lookback=self.lookback,
            horizon=self.horizon,
            depth=self.depth,
            patch=self.patch,
            stride=self.stride,
        )
        check_block(self)
        check_choice("normalisation", self.normalisation, NORMALISATIONS)
        if self.lookback < self.patch:
            raise UsageError(f"lookback must hold a patch of {self.patch} steps, found {self.lookback}.")

    @property
    def patches(self) -> int:
        """The number of patches in a window, with the padded one."""
        return (self.lookback - self.patch) // self.stride + 2


def cut(series: Float[mx.array, "S L"], config: Config) -> Float[mx.array, "S N P"]:
    """Overlapping patches of each series, its last value repeated for one stride."""
    padded = mx.concatenate([series, mx.repeat(series[:, -1:], config.stride, axis=1)], axis=1)
    starts = mx.arange(config.patches)[:, None] * config.stride
    return padded[:, starts + mx.arange(config.patch)]


class Model(nn.Module):
    """A window (B, lookback, C) to its forecast (B, horizon, C)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.to_width = nn.Linear(config.patch, config.width)
        self.positions = LearnedPositions(length=config.patches, width=config.width)
        self.blocks = [Block(config, rotary=False) for _ in range(config.depth)]
        self.norm = nn.LayerNorm(config.width)
        self.to_forecast = nn.Linear(config.patches * config.width, config.horizon)

    def __call__(self, window: Float[mx.array, "B L C"]) -> Float[mx.array, "B H C"]:
        check_sequence(window, size=window.shape[-1], length=self.config.lookback)
        x, statistics = normalise(window, self.config.normalisation)
        x = self.to_width(cut(split_channels(x), self.config)) + self.positions.weight
        for block in self.blocks:
            x = block(x, None)
        forecast = self.to_forecast(self.norm(x).flatten(1))
        return statistics.denormalise(join_channels(forecast, window.shape[-1]))
