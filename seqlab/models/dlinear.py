"""DLinear (Zeng et al., 2023): one linear layer for the trend of a window and one for the remainder.

trend = moving average of the window, its ends repeated; forecast = A trend + B (window - trend) + bias.
All channels share the layers.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from jaxtyping import Float

from seqlab.errors import UsageError
from seqlab.models.parts.checks import check_choice, check_positive, check_sequence
from seqlab.models.parts.series import NORMALISATIONS, Normalisation, join_channels, normalise, split_channels


@dataclass(frozen=True)
class Config:
    """Sizes, in steps of the series. `kernel`, odd, is the window of the moving average."""

    lookback: int
    horizon: int
    kernel: int = 25  # as in the authors' code
    normalisation: Normalisation = "none"  # as in the paper

    def __post_init__(self) -> None:
        check_positive(lookback=self.lookback, horizon=self.horizon, kernel=self.kernel)
        check_choice("normalisation", self.normalisation, NORMALISATIONS)
        if self.kernel % 2 == 0:
            raise UsageError(f"kernel must be odd, to have a middle, found {self.kernel}.")


def averaging_matrix(length: int, kernel: int) -> np.ndarray:
    """The moving average as a matrix M (length × length), ends repeated: trend = window @ M."""
    matrix = np.zeros((length, length), np.float32)
    for offset in range(-(kernel // 2), kernel // 2 + 1):
        source = np.clip(np.arange(length) + offset, 0, length - 1)
        matrix[source, np.arange(length)] += 1 / kernel
    return matrix


class Model(nn.Module):
    """A window (B, lookback, C) to its forecast (B, horizon, C)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.trend = nn.Linear(config.lookback, config.horizon)
        self.remainder = nn.Linear(config.lookback, config.horizon, bias=False)
        self._averaging = mx.array(
            averaging_matrix(config.lookback, config.kernel)
        )  # a constant, not a parameter

    def __call__(self, window: Float[mx.array, "B L C"]) -> Float[mx.array, "B H C"]:
        check_sequence(window, size=window.shape[-1], length=self.config.lookback)
        x, statistics = normalise(window, self.config.normalisation)
        series = split_channels(x)
        trend = series @ self._averaging.astype(series.dtype)
        forecast = self.trend(trend) + self.remainder(series - trend)
        return statistics.denormalise(join_channels(forecast, window.shape[-1]))
