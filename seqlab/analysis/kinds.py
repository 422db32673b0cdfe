"""What if seeds come in kinds: some solve the task and others do not, or all give the same value?

Then a sample without spread is no certainty: with one seed in ten that fails, five lucky ones come in 59 % of
cases. Where more than half of the values are equal (or, for differences, within 2 % of their size), they are
one kind and the others another, and the mean follows from the shares of the others, whose exact bounds are
those of Clopper and Pearson (1934). A kind that no seed has shown may still exist, with a share that n seeds
leave open (the "rule of three": about 3/n), and at the distance of a seed in which left and right do not
differ. Where there is no such distance the values stay open.

Each share is bounded with 95 % on its side: the bounds are exact, and so at most 5 % of verdicts are wrong on
the side that a lucky sample favours. Jeffreys' beta-binomial bounds were wrong in up to 7 %.
"""

import math
from dataclasses import dataclass

import numpy as np

from seqlab.analysis.intervals import Values

ALIKE = 0.02  # relative: two differences this near, far from none, come from seeds of one kind
ROUNDING = 1e-9  # relative: values that differ by less are equal
SIDE = 0.05  # the error of each side
APART = 10  # times the distance within which values are alike: seeds nearer than that are no other kind
HALVINGS = 24  # bring a p-value to seven digits


@dataclass(frozen=True)
class Others:
    """The values on one side of the commonest kind: how many, their smallest and largest distance from it.

    Where there are none, `far` is the distance of an unseen one; NaN where that is unknown.
    """

    count: int
    near: float
    far: float


@dataclass(frozen=True)
class Kinds:
    """The commonest kind of `n` values, from `low` to `high`, and the others."""

    n: int
    low: float
    high: float
    below: Others
    above: Others

    def mirrored(self) -> "Kinds":
        """The kinds of the negated values."""
        return Kinds(self.n, -self.high, -self.low, self.above, self.below)


def kinds(values: Values, *, near: float, scale: float) -> Kinds | None:
    """The kinds of two values or more; None where no more than half are alike.

    `near` is the relative distance within which values are alike; `scale` is how far an unseen value may lie
    where the common value is zero (NaN: unknown).
    """
    middle = float(np.median(values))
    zero = ROUNDING * max(float(np.max(np.abs(values))), 0.0 if math.isnan(scale) else scale)
    alike = np.abs(values - middle) <= max(near * abs(middle), zero)
    common, others = values[alike], values[~alike]
    if 2 * common.size <= values.size:
        return None
    if others.size and float(np.ptp(common)) > zero:
        apart = float(np.min(np.abs(others - middle)))
        if apart < APART * near * abs(middle):
            return None  # one kind that scatters, of which the middle was taken for another
    low, high = float(common.min()), float(common.max())
    unseen = abs(middle) if abs(middle) > zero else scale
    return Kinds(
        values.size, low, high, _others(low - others[others < low], unseen),
        _others(others[others > high] - high, unseen),
    )  # fmt: skip


def bounds(found: Kinds, side: float = SIDE) -> tuple[float, float]:
    """The interval of the mean; infinite where the distance of an unseen kind is unknown."""
    return _lowest(found, side), -_lowest(found.mirrored(), side)


def p_value(found: Kinds, threshold: float) -> float:
    """The smallest error of a side whose interval excludes the threshold, by bisection; 1 where none does."""

    def excludes(side: float) -> bool:
        low, high = bounds(found, side)
        return not low <= threshold <= high

    if not excludes(0.5):
        return 1.0
    least, most = 0.0, 0.5
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (least, middle) if excludes(middle) else (middle, most)
    return most


def _lowest(found: Kinds, side: float) -> float:
    """The lower bound of the mean: as many as possible below, as few as possible above."""
    from scipy.special import betaincinv  # imported here: it takes as long as the whole analysis

    n, below, above = found.n, found.below, found.above
    if math.isnan(below.far):
        return -math.inf
    most = float(betaincinv(below.count + 1, n - below.count, 1 - side))
    least = float(betaincinv(above.count, n - above.count + 1, side)) if above.count else 0.0
    return found.low - most * below.far + least * above.near


def _others(distances: Values, unseen: float) -> Others:
    if not distances.size:
        return Others(0, 0.0, unseen)
    return Others(distances.size, float(distances.min()), float(distances.max()))
