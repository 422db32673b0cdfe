"""Between which values can the effect of a rule lie, and is the threshold among them?

The range follows from what the metric can be: a difference of two fractions lies between -1 and 1, a ratio of
two times between 0 and infinity, a slope within the metric's range over the distance of two levels.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from seqlab.errors import UsageError
from seqlab.notebook.claims import Difference, Exact, Ratio, Rule, Slope
from seqlab.notebook.experiment import Point
from seqlab.notebook.metrics import metric_named

LEVEL = 0.05  # the p-value that decides, as in `seqlab.analysis.decisions`


def effect_range(rule: Rule, points: Sequence[Point] = ()) -> tuple[float, float]:
    """The smallest and the largest effect in a cell of these points; only a slope's depends on them."""
    metric = metric_named(rule.metric)
    least, most = metric.least, metric.most
    match rule:
        case Slope():
            levels = x_levels(rule, points)
            if rule.y_scale != "linear" or len(levels) < 2:
                return -math.inf, math.inf
            nearest = min(after - before for before, after in pairwise(levels))
            return (least - most) / nearest, (most - least) / nearest
        case Difference():
            return least - most, most - least
        case Ratio():
            return least / most, most / least if least > 0 else math.inf
        case _:
            return least, most


def x_levels(rule: Slope, points: Sequence[Point]) -> list[float]:
    """The levels of x on its scale, each once, by size; none where x is the metric's own index."""
    if rule.x == "step":
        return []
    found = [point.factors[rule.x] for point in points]
    if words := [level for level in found if isinstance(level, str | bool)]:
        raise UsageError(f"a slope over {rule.x} needs numbers as its levels, found {words[0]!r}.")
    levels = sorted({float(level) for level in found})
    logarithm = {"log2": math.log2, "log10": math.log10}.get(rule.x_scale)
    return [logarithm(level) for level in levels if level > 0] if logarithm else levels


def one_sided(rule: Rule, points: Sequence[Point] = ()) -> str:
    """Why the rule can only pass, or only fail, in a cell of these points; empty where it can do both."""
    least, most = effect_range(rule, points)
    sign = 1 if rule.above is not None else -1
    low, high = sorted((sign * least, sign * most))
    limit = sign * rule.threshold
    effect = rule.metric if isinstance(rule, Exact) else f"a {type(rule).__name__.lower()} of {rule.metric}"
    span = f"{effect} lies between {least:g} and {most:g}"
    if high <= limit:
        return f"it cannot pass, since {span}. Move the threshold from {rule.threshold:g}."
    # An interval fails only wholly beyond the threshold; a value without noise fails there already.
    noiseless = isinstance(rule, Exact) or rule.seeds == 1
    if low > limit or (low == limit and not noiseless):
        return f"it cannot fail, since {span}. Move the threshold from {rule.threshold:g}."
    if rule.margin is not None and not isinstance(rule, Ratio) and rule.margin >= max(-low, high):
        return f"its margin of {rule.margin:g} has no outside, since {span}. Choose a smaller one."
    return ""


def perfect(rule: Rule, points: Sequence[Point], *, seeds: int, cells: int) -> str:
    """Why the rule stays open in this cell even if all seeds are at one end of the range; else empty.

    Equal seeds leave room for a kind of seed that none has shown. Its exact bounds (`seqlab.analysis.kinds`)
    exclude the threshold with an error of at least (threshold / effect) to the power of the seeds, and Holm's
    correction multiplies that by the number of cells.
    """
    if isinstance(rule, Exact) or rule.seeds == 1:
        return ""
    ends, threshold = effect_range(rule, points), rule.threshold
    if isinstance(rule, Ratio):
        ends = (math.log(ends[0]) if ends[0] else -math.inf, math.log(ends[1]))
        threshold = math.log(threshold)
    for end in ends:
        if math.isinf(end) or end * (end - threshold) <= 0:
            continue
        p_value = cells * max(0.0, threshold / end) ** seeds
        if p_value >= LEVEL:
            word = "pass" if (end > threshold) == (rule.above is not None) else "fail"
            return (
                f"it cannot {word} even if all {seeds} seeds gave {end:g}, the farthest value possible: p "
                f"would be {min(1.0, p_value):.2g} over {cells} cells. Plan more seeds, or move the "
                f"threshold from {rule.threshold:g}."
            )
    return ""
