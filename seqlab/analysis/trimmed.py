"""What is the effect of a typical seed, and how certain is it: trimmed mean, interval, p-value?

The effect is the mean over seeds without the highest and the lowest 15 % (rounded down: none of 5 seeds, one
of 10, three of 20 at either end). Its standard error is that of Yuen (1974, "The two-sample trimmed t for
unequal population variances"): the deviation of the Winsorised values, with as many degrees of freedom as
values are left. Agarwal and others (2021) advise an interquartile mean for the same reason: one seed in
twenty that goes astray, or a skewed distribution, must not decide.

What lost, by 40,000 samples of ten seeds with intervals that may miss 2 %: the mean with Student's t is wrong
in 10 % with an outlier in 20 and finds 80 % of effects 1.5 standard deviations beyond the threshold, and in
11 % with log-normal noise; Johnson's correction for skew is wrong in 11 to 19 % with outliers; a mean trimmed
by 20 % finds only 80 % with normal noise. Trimmed by 15 % it is wrong in 2 to 4 % and finds 91 to 100 %. Rank
and sign tests cannot decide with five seeds at all: their smallest two-sided p-value is 0.06.

The price: a trimmed mean is not the mean. Where rare seeds are to count, as with an outlier in 20 at −10
standard deviations, the mean lies elsewhere, and no method with ten seeds can know it: 60 % of samples show
no such seed.
"""

import math
from dataclasses import dataclass

import numpy as np

from seqlab.analysis.intervals import Values, spread

TRIM = 0.15


@dataclass(frozen=True)
class Trimmed:
    """A trimmed mean, its standard error and its degrees of freedom."""

    centre: float
    error: float
    freedom: int


def trimmed(values: Values) -> Trimmed:
    """The trimmed mean of two values or more."""
    n = values.size
    cut = int(TRIM * n)
    ordered = np.sort(values)
    kept = ordered[cut : n - cut]
    winsorised = np.clip(values, kept[0], kept[-1])
    error = spread(winsorised) * math.sqrt((n - 1) / (kept.size * (kept.size - 1)))
    return Trimmed(float(kept.mean()), error, kept.size - 1)


def middle(values: Values) -> float:
    """The mean without a quarter of the values, and at least one of three or more, at either end."""
    n = values.size
    cut = max(n // 4, 1 if n > 2 else 0)
    return float(np.mean(np.sort(values)[cut : n - cut]))


def bounds(found: Trimmed, alpha: float) -> tuple[float, float]:
    """The interval that misses with a probability of `alpha`, both sides together."""
    half = critical(found.freedom, alpha) * found.error
    return found.centre - half, found.centre + half


def p_value(found: Trimmed, threshold: float) -> float:
    """Two-sided p-value that the trimmed mean is the threshold."""
    from scipy.special import stdtr  # imported here: it takes as long as the whole analysis

    distance = abs(found.centre - threshold)
    if found.error == 0:
        return 1.0 if distance <= 1e-12 * max(1.0, abs(threshold)) else 0.0
    return float(2 * stdtr(found.freedom, -distance / found.error))


def critical(freedom: int, alpha: float) -> float:
    """The upper alpha/2 quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - alpha / 2))
