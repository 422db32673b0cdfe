"""How much memory would a longer sequence take, extrapolated from shorter ones?

peak(T) = a + b T + c T², with none of a, b and c below zero: what the model takes at any length, for each
position, and for each pair of positions. The fit minimises squared relative errors, since measurements of a
peak vary in proportion to it.

The interval is that of @barber2021predictive, at its widest: each length is left out in turn, the fit of the
others misses it by some factor, and that factor widens the prediction of that fit on both sides. It assumes
that longer sequences behave as these do, which only a measurement at a longer one can confirm.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from seqlab.errors import UsageError

TERMS = 3
FEWEST = TERMS + 1  # lengths: with one of them left out, there are as many as terms
STEP = 64  # between lengths to probe, so that computing in chunks or blocks leaves no incomplete one
REPEAT = 1.02  # the same step's peak differs by about so much when it is measured again (`measure.memory`)


@dataclass(frozen=True)
class MemoryGrowth:
    """Bytes at length T: constant + each T + pair T²."""

    constant: float
    each: float
    pair: float

    def memory(self, length: int | float) -> float:
        """Bytes at this length."""
        return self.constant + self.each * length + self.pair * length**2

    def length(self, memory: int | float) -> float:
        """The length that takes so many bytes; infinite where no length does."""
        left = max(memory - self.constant, 0.0)
        if self.each == self.pair == 0:
            return math.inf
        # The usual formula divides by `pair`, which may be zero.
        return 2 * left / (self.each + math.sqrt(self.each**2 + 4 * self.pair * left)) if left else 0.0


@dataclass(frozen=True)
class Prediction:
    """A number and the interval that it was predicted to lie in."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """The fit of all lengths; and of all but one, each with the factor by which it missed that one.

    No factor is below `REPEAT`: a fit may be exact, a measurement is not.
    """

    growth: MemoryGrowth
    without: tuple[tuple[MemoryGrowth, float], ...]

    def memory(self, length: int | float) -> Prediction:
        """Bytes at a length."""
        low = min(part.memory(length) / missed for part, missed in self.without)
        high = max(part.memory(length) * missed for part, missed in self.without)
        return Prediction(self.growth.memory(length), low, high)

    def length(self, memory: int | float) -> Prediction:
        """The length at which so many bytes are taken."""
        low = min(part.length(memory / missed) for part, missed in self.without)
        high = max(part.length(memory * missed) for part, missed in self.without)
        return Prediction(self.growth.length(memory), low, high)


def lengths_to(longest: int) -> tuple[int, ...]:
    """Five lengths over three doublings; more of them where the fit must distinguish a square from a line."""
    return tuple(longest * sixteenths // 16 for sixteenths in (2, 4, 8, 12, 16))


def climb(
    peak: Callable[[int], int], lengths: Sequence[int], *, allowed: Callable[[], int]
) -> dict[int, int]:
    """Measure `peak` (bytes) at rising lengths, as long as it is sure to stay within what is `allowed`.

    A peak of the form above grows at most with the square of the length. A length is measured if that bound,
    from the length before, is within what is allowed. The first is measured in any case.
    """
    found: dict[int, int] = {}
    for length in lengths:
        before = max(found, default=0)
        if before and found[before] * (length / before) ** 2 > allowed():
            break
        found[length] = peak(length)
    return found


def safe_length(fitted: Fit, *, longest: int, most: int, allowed: int) -> int:
    """The longest length up to `most` that should take no more than `allowed`, even at its interval's end.

    0 where there is none above `longest`, the longest that was measured.
    """
    for length in range(most, longest, -STEP):
        if fitted.memory(length).high <= allowed:
            return length
    return 0


@dataclass(frozen=True)
class Probe:
    """A peak (bytes) at a length beyond those of a fit, and what the fit predicted for it."""

    length: int
    peak: int
    expected: Prediction

    @property
    def error(self) -> float:
        """How much more it took than predicted, as a share.

        To a thousandth: a fit may be exact, and a count of MLX's is not.
        """
        return round(self.peak / self.expected.estimate - 1, 3)

    @property
    def inside(self) -> bool:
        """Whether the peak lies in the predicted interval."""
        return math.floor(self.expected.low) <= self.peak <= math.ceil(self.expected.high)


def probe(peak: Callable[[int], int], peaks: Mapping[int, int], *, times: int, allowed: int) -> Probe | None:
    """Measure `peak` at a length up to `times` the longest of `peaks`; None where there is no room for it."""
    fitted, longest = fit(peaks), max(peaks)
    length = safe_length(fitted, longest=longest, most=times * longest, allowed=allowed)
    return Probe(length, peak(length), fitted.memory(length)) if length else None


def filled_length(peaks: Mapping[int, int], memory: int) -> Prediction:
    """The length at which the memory is full, extrapolated from `peaks`.

    A fit is trusted as far beyond the longest length as that lies beyond the shortest, and no further: `low`
    is at most this far, and an estimate or upper end beyond it is infinite.
    """
    reach = max(peaks) ** 2 / min(peaks)
    found = fit(peaks).length(memory)
    estimate, high = (end if end <= reach else math.inf for end in (found.estimate, found.high))
    return Prediction(estimate, min(found.low, reach), high)


def fit(peaks: Mapping[int, int]) -> Fit:
    """Fit the memory (bytes) that was measured at some lengths, four of them or more."""
    if len(peaks) < FEWEST or min(peaks.values()) <= 0:
        raise UsageError(
            f"expected peaks above 0 at {FEWEST} lengths or more, found {dict(peaks)}. Measure more lengths."
        )
    without = []
    for left_out, peak in peaks.items():
        others = _growth({length: found for length, found in peaks.items() if length != left_out})
        missed = math.exp(abs(math.log(others.memory(left_out) / peak)))
        without.append((others, max(missed, REPEAT)))
    return Fit(_growth(peaks), tuple(without))


def exponent(costs: Mapping[int, int] | Mapping[int, float]) -> float:
    """The power of the length that a cost grows with: the median slope over pairs of lengths, in logarithms.

    This is the slope of Theil and @sen1968estimates, which rules on slopes use too.
    """
    points = [(math.log(length), math.log(cost)) for length, cost in sorted(costs.items())]
    return float(np.median([(y - v) / (x - u) for (u, v), (x, y) in combinations(points, 2)]))


def _growth(peaks: Mapping[int, int]) -> MemoryGrowth:
    """The best fit without a negative term: the best of those in which some terms are left out."""
    length, memory = (np.array(list(side), dtype=float) for side in (peaks.keys(), peaks.values()))
    terms = np.stack([length**power for power in range(TERMS)], axis=1) / memory[:, None]
    best, least = np.zeros(TERMS), math.inf
    for size in range(1, TERMS + 1):
        for chosen in combinations(range(TERMS), size):
            found = np.linalg.lstsq(terms[:, chosen], np.ones(len(peaks)), rcond=None)[0]
            error = float(np.sum((terms[:, chosen] @ found - 1) ** 2))
            if np.all(found >= 0) and error < least:
                best, least = np.zeros(TERMS), error
                best[list(chosen)] = found
    return MemoryGrowth(*best.tolist())
