"""How certain is the effect of a cell: its estimate, its interval, its p-value against the threshold?

Values that scatter are judged by their trimmed mean (`trimmed`), values of which more than half are alike by
the shares of their kinds (`kinds`). Ratios are handled as logarithms. Seeds are the units; a single one has
no interval, and neither has a value without a logarithm.
"""

import math

import numpy as np

from seqlab.analysis import kinds, trimmed
from seqlab.analysis.intervals import Estimate, Values


def estimate(
    values: Values, *, alpha: float, near: float = 0.0, scale: float = math.nan, log: bool = False
) -> Estimate:
    """The effect and the interval that misses it with a probability of `alpha`, both sides together.

    With `log`, values are logarithms and the estimate and its bounds are ratios. `near` and `scale` are those
    of `kinds.kinds`.
    """
    n = int(values.size)
    centre = float(np.mean(values)) if n else math.nan
    low = high = math.nan
    if n > 1 and np.all(np.isfinite(values)):
        if alike := kinds.kinds(values, near=near, scale=scale):
            low, high = kinds.bounds(alike)
        else:
            found = trimmed.trimmed(values)
            centre = found.centre
            low, high = trimmed.bounds(found, alpha)
    if log:
        with np.errstate(over="ignore"):
            centre, low, high = (float(np.exp(value)) for value in (centre, low, high))
    return Estimate(centre, low, high, n)


def p_value(values: Values, threshold: float, *, near: float = 0.0, scale: float = math.nan) -> float:
    """That the effect is the threshold; 1 where there is no interval. Two-sided where values scatter."""
    if values.size < 2 or not np.all(np.isfinite(values)):
        return 1.0
    if alike := kinds.kinds(values, near=near, scale=scale):
        return kinds.p_value(alike, threshold)
    return trimmed.p_value(trimmed.trimmed(values), threshold)
