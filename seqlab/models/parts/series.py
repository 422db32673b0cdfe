"""Normalisation and channels of time series.

Each window is normalised by its own statistics (RevIN: Kim et al., 2022, without the learned gain and bias),
so a level outside the range of the training split does no harm.
"""

from typing import Literal, NamedTuple

import mlx.core as mx
from jaxtyping import Float

Normalisation = Literal["mean_std", "last", "none"]
NORMALISATIONS = ("mean_std", "last", "none")


class Statistics(NamedTuple):
    """The shift and scale of each window and channel: x = normalised × scale + shift."""

    shift: Float[mx.array, "B 1 C"]
    scale: Float[mx.array, "B 1 C"]

    def denormalise(self, y: Float[mx.array, "B H C"]) -> Float[mx.array, "B H C"]:
        """Bring a forecast back to the window's shift and scale."""
        return y * self.scale + self.shift


def normalise(x: Float[mx.array, "B L C"], how: Normalisation) -> tuple[Float[mx.array, "B L C"], Statistics]:
    """Subtract each window's mean and divide by its standard deviation, or subtract its last value."""
    one, zero = mx.ones_like(x[:, -1:]), mx.zeros_like(x[:, -1:])
    if how == "mean_std":
        # 1e-5 (Kim et al., 2022): the standard deviation of a constant window is 0.
        deviation = mx.sqrt(mx.var(x, axis=1, keepdims=True) + 1e-5)
        statistics = Statistics(mx.mean(x, axis=1, keepdims=True), deviation)
    else:
        statistics = Statistics(x[:, -1:] if how == "last" else zero, one)
    return (x - statistics.shift) / statistics.scale, statistics


def split_channels(x: Float[mx.array, "B L C"]) -> Float[mx.array, "S L"]:
    """Every channel as a separate series: S = B C."""
    return x.swapaxes(1, 2).flatten(0, 1)


def join_channels(y: Float[mx.array, "S H"], channels: int) -> Float[mx.array, "B H C"]:
    """The inverse of `split_channels`."""
    return y.reshape(-1, channels, y.shape[-1]).swapaxes(1, 2)
