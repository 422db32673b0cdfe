"""What do seeds do? Six kinds of effects whose truth is known.

The truth is what a verdict's effect estimates (`seqlab.analysis.certainty`): for smooth noise the trimmed
mean of the whole distribution, and for seeds that solve a task or not the mean, since there the share of each
kind of run is the question. There a seed gains GAIN over the other side, or nothing.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from seqlab.analysis.trimmed import TRIM

Values = NDArray[np.float64]

NOISES = ("normal", "log-normal", "t3", "outlier", "solved or not", "nearly solved or not")
SOLVED, GAIN = 0.9, 0.5  # the share of seeds that solve the task, and what they gain by it
SCATTER = 0.002  # of the scores of seeds that nearly solve it
OUTLIER, OUTLIER_SHARE = -10.0, 0.05  # standard deviations of the other seeds; one seed in 20
LARGE = 2_000_000  # draws that fix the truth of a skewed distribution to three digits


def draw(noise: str, rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Effects, one a seed."""
    match noise:
        case "normal":
            return rng.normal(size=shape)
        case "log-normal":
            return np.exp(rng.normal(size=shape))
        case "t3":
            return rng.standard_t(3, size=shape)
        case "outlier":
            return rng.normal(size=shape) + OUTLIER * (rng.random(shape) < OUTLIER_SHARE)
        case "solved or not":
            return GAIN * (rng.random(shape) < SOLVED)
        case "nearly solved or not":
            return GAIN * (rng.random(shape) < SOLVED) + rng.normal(0, SCATTER, shape)
    raise ValueError(f"unknown noise {noise!r}")


# Standard deviations in closed form: a sample's would be poor for t with 3 degrees of freedom.
DEVIATION: Mapping[str, float] = MappingProxyType({
    "normal": 1.0,
    "log-normal": float(np.sqrt((np.e - 1) * np.e)),
    "t3": float(np.sqrt(3)),
    "outlier": float(np.sqrt(1 + OUTLIER_SHARE * (1 - OUTLIER_SHARE) * OUTLIER**2)),
    "solved or not": float(GAIN * np.sqrt(SOLVED * (1 - SOLVED))),
    "nearly solved or not": float(GAIN * np.sqrt(SOLVED * (1 - SOLVED))),
})  # fmt: skip


@cache
def truth(noise: str, estimand: str) -> float:
    """The `trimmed` mean or the `mean` of the whole distribution."""
    if noise in ("normal", "t3"):
        return 0.0
    if noise.endswith("solved or not"):
        return GAIN * SOLVED
    if estimand == "mean":
        return OUTLIER * OUTLIER_SHARE if noise == "outlier" else float(np.exp(0.5))
    drawn = np.sort(draw(noise, np.random.default_rng(0), (LARGE,)))
    cut = int(TRIM * LARGE)
    return float(drawn[cut : LARGE - cut].mean())
