"""Naive and seasonal naive forecasts: baselines without parameters.

y_h = x_{L - s + (h mod s)}, h = 0, 1, …: the last season of s steps again and again; s = 1 repeats the last
value (Hyndman and Athanasopoulos, Forecasting: principles and practice, section 5.2).
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.errors import UsageError
from seqlab.models.parts.checks import check_positive, check_sequence


@dataclass(frozen=True)
class Config:
    """Sizes, in steps of the series. A `season` of None repeats the last value."""

    lookback: int
    horizon: int
    season: int | None = None

    def __post_init__(self) -> None:
        check_positive(lookback=self.lookback, horizon=self.horizon, season=self.period)
        if self.period > self.lookback:
            raise UsageError(
                f"lookback must hold a season of {self.period} steps, found {self.lookback}. "
                "Raise lookback or use season=None."
            )

    @property
    def period(self) -> int:
        """The number of steps after which the forecast repeats."""
        return 1 if self.season is None else self.season


class Model(nn.Module):
    """A window (B, lookback, C) to its forecast (B, horizon, C), channel by channel."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def __call__(self, window: Float[mx.array, "B L C"]) -> Float[mx.array, "B H C"]:
        check_sequence(window, size=window.shape[-1], length=self.config.lookback)
        season = self.config.period
        return window[:, self.config.lookback - season + mx.arange(self.config.horizon) % season]
