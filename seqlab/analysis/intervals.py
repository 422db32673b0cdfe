"""How certain is a mean over seeds, as charts and tables show it? (For verdicts, see `certainty`.)

Below ten seeds the interval is Student's t: a percentile bootstrap of five values is far too narrow, and
covers the mean in about 84 % of cases instead of 95 %. From ten seeds it is a percentile bootstrap with
10,000 resamples, which does not assume symmetry, widened as in Hesterberg (2015, "What teachers should know
about the bootstrap", section 4.3): the spread of resamples of n values is too small by sqrt((n-1)/n), and
normal quantiles are too small for few values. Seeds are the units; repeats within a run were reduced to
their median before. Ratios are handled as means of logarithms.

A single seed has no interval: its bounds are NaN. Identical values have an interval of zero width.
Resampling has a constant seed, so the same values always give the same interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEVEL = 0.95  # two-sided
RESAMPLES = 10_000
BOOTSTRAP_FROM = 10  # seeds


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` seeds (geometric where made from logarithms) and its interval."""

    estimate: float
    low: float
    high: float
    n: int


def t_quantile(n: int, tail: float = (1 - LEVEL) / 2) -> float:
    """The upper `tail` quantile of Student's t with n - 1 degrees of freedom."""
    from scipy.special import stdtrit  # imported here: it takes as long as the whole analysis

    return float(stdtrit(n - 1, 1 - tail))


def spread(values: Values) -> float:
    """Sample standard deviation; exactly 0 where the values differ only by rounding."""
    deviation = float(np.std(values, ddof=1))
    return 0.0 if deviation <= 1e-12 * float(np.max(np.abs(values))) else deviation


@lru_cache(maxsize=64)
def resamples(n: int, stream: int = 0) -> Values:
    """Weights (RESAMPLES, n) of bootstrap resamples: each row sums to 1, so `weights @ values` are means."""
    rng = np.random.default_rng([n, stream])
    weights: Values = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
    weights.setflags(write=False)  # shared by all callers
    return weights


def interval(values: Sequence[float] | Values, *, log: bool = False) -> Estimate:
    """Mean of the values, one a seed, with its 95 % interval; with `log`, of positive values as ratios.

    NaN where there are no values; NaN bounds for a single one, or where a logarithm does not exist.
    """
    given = np.asarray(values, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.log(given) if log else given
        mean = float(np.mean(x)) if x.size else math.nan
    low = high = math.nan
    n = int(x.size)
    if n > 1 and np.all(np.isfinite(x)):
        if n < BOOTSTRAP_FROM:
            half = t_quantile(n) * spread(x) / math.sqrt(n)
            low, high = mean - half, mean + half
        else:
            from scipy.special import ndtr

            # Deviations from the mean, so that rounding cannot widen the interval of identical values.
            tail = float(ndtr(-math.sqrt(n / (n - 1)) * t_quantile(n)))
            around = np.quantile(resamples(n) @ (x - mean), [tail, 1 - tail])
            low, high = (mean + float(edge) for edge in around) if spread(x) else (mean, mean)
    if log:
        mean, low, high = (math.exp(value) for value in (mean, low, high))
    return Estimate(mean, low, high, n)


def exact(values: Sequence[float] | Values) -> Estimate:
    """For values without noise: their median, smallest and largest. NaN where there are none."""
    x = np.asarray(values, dtype=float)
    if not x.size:
        return Estimate(math.nan, math.nan, math.nan, 0)
    return Estimate(float(np.median(x)), float(x.min()), float(x.max()), int(x.size))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for multiple comparisons (Holm, 1979), in the given order."""
    adjusted, worst = [1.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = worst
    return adjusted


def theil_sen(x: Values, y: Values) -> float:
    """Median slope over all pairs of points; NaN without two different x.

    Preferred to least squares because one disturbed timing hardly changes it; on points that lie on a
    straight line, as exact counts do, both give the same slope.
    """
    first, second = np.triu_indices(x.size, k=1)
    run = x[second] - x[first]
    distinct = run != 0
    slopes = (y[second] - y[first])[distinct] / run[distinct]
    return float(np.median(slopes)) if distinct.any() else math.nan
