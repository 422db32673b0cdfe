"""How is a window of a series brought to a common level and scale, and its channels apart?

Each window is normalised by itself (RevIN: Kim et al., 2022, without its trained gain and bias), so a
level that the training split never saw does no harm.
"""

from typing import Literal, NamedTuple

import mlx.core as mx
from jaxtyping import Float

Normalisation = Literal["mean_std", "last", "none"]
NORMALISATIONS = ("mean_std", "last", "none")


class Level(NamedTuple):
    """What was taken out of each window and channel: x = normalised × scale + shift."""

    shift: Float[mx.array, "B 1 C"]
    scale: Float[mx.array, "B 1 C"]

    def restore(self, y: Float[mx.array, "B H C"]) -> Float[mx.array, "B H C"]:
        """Give a forecast the window's level and scale."""
        return y * self.scale + self.shift


def normalise(x: Float[mx.array, "B L C"], how: Normalisation) -> tuple[Float[mx.array, "B L C"], Level]:
    """Subtract each window's mean and divide by its deviation, or subtract its last value, or neither."""
    one, zero = mx.ones_like(x[:, -1:]), mx.zeros_like(x[:, -1:])
    if how == "mean_std":
        # A constant window has no deviation to divide by (1e-5: Kim et al., 2022).
        level = Level(mx.mean(x, axis=1, keepdims=True), mx.sqrt(mx.var(x, axis=1, keepdims=True) + 1e-5))
    else:
        level = Level(x[:, -1:] if how == "last" else zero, one)
    return (x - level.shift) / level.scale, level


def split_channels(x: Float[mx.array, "B L C"]) -> Float[mx.array, "S L"]:
    """Every channel as a series of its own: S = B C."""
    return x.swapaxes(1, 2).flatten(0, 1)


def join_channels(y: Float[mx.array, "S H"], channels: int) -> Float[mx.array, "B H C"]:
    """The inverse of `split_channels`."""
    return y.reshape(-1, channels, y.shape[-1]).swapaxes(1, 2)
