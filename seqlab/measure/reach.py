"""At which distance does the success fall to one half? A logistic curve over the logarithm of the distance.

success(d) = 1 / (1 + exp(k (log d - log D50)))

The midpoint D50 and the steepness k are those that fit the measured successes best, by least squares. Where
no success is below a half, or none above it, the midpoint lies outside the measured distances. The result is
then the last or the first distance, marked as a bound. The ratio of two distances of which one is a bound is
nearer to one than the true ratio, so that it cannot exaggerate a difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqlab.errors import UsageError

MIDPOINTS = 257  # places tried between the first and the last distance, ends included
# Steepness per doubling, in equal factors: from a fall over ten doublings to one within a tenth of one.
STEEPNESS = np.geomspace(0.4, 40, 41)


@dataclass(frozen=True)
class Reach:
    """`distance`, in steps; `bound` says whether the true one may be larger ("at least") or smaller."""

    distance: float
    bound: Literal["", "at least", "at most"] = ""


def reach(distances: Sequence[int], successes: Sequence[float]) -> Reach:
    """D50 of successes (0: chance level, 1: no error; others are clipped) at rising distances."""
    x, y = np.log2(distances), np.clip(successes, 0, 1)
    if len(x) != len(y) or len(x) < 2 or np.any(np.diff(x) <= 0):
        raise UsageError(
            f"a reach needs 2 rising distances or more and a success for each, found {list(distances)} and "
            f"{len(y)} successes."
        )
    if y.min() >= 0.5:
        return Reach(float(distances[-1]), "at least")
    if y.max() < 0.5:
        return Reach(float(distances[0]), "at most")
    midpoints = np.linspace(x[0], x[-1], MIDPOINTS)
    fall = STEEPNESS[:, None, None] * (x - midpoints[:, None])
    misfit = np.sum((1 / (1 + np.exp(np.minimum(fall, 500))) - y) ** 2, axis=2)  # beyond 500 exp overflows
    best = int(np.argmin(misfit.min(axis=0)))
    bounds: dict[int, Literal["at least", "at most"]] = {0: "at most", MIDPOINTS - 1: "at least"}
    return Reach(float(2 ** midpoints[best]), bounds.get(best, ""))
