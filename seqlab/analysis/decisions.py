"""Which cells pass, which fail and which stay open, corrected for all comparisons of the page?

A cell passes when its whole interval lies on the claimed side of the threshold and fails when it lies
on the other side. Against several opponents it passes only if the interval against each of them does so, and
fails already against the best. Where the page has an opponent that the plan's budget leaves out, the best one
may be missing: such a cell can fail but not pass. (Where a better opponent makes it easier to pass, as in
"less accurate than the best", the best one is enough to pass, and a missing one keeps the cell from failing.)
Either needs a p-value below 0.05 after Holm's correction for multiple comparisons, over every cell of the
page. Where the best of several opponents was chosen by the same runs, p is first multiplied by their number,
on the side to which that choice biases the effect. A cell without an interval enters the correction with
p = 1. Exact values have no p-value: their cell passes when every value is beyond the threshold, and fails
otherwise.

The only cell of a rule decides alone, so its interval may miss no more often than its look may spend
(`looks`), which adds up to 5 % over all looks. Of several cells at least two must agree to make a verdict, so
each keeps an interval of 95 %. A value that is only a bound (`cells`) makes that side of the interval
infinite: such a cell passes or fails only if the bound already does.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seqlab.analysis import certainty, intervals
from seqlab.analysis.cells import Effects
from seqlab.analysis.looks import spent
from seqlab.notebook.claims import Cell, Decision, Ratio, Rule

ALPHA = 1 - intervals.LEVEL


def threshold_of(rule: Rule, effect: Effects) -> float:
    """The rule's threshold on the scale of the effects: its logarithm for log ratios."""
    return float(np.log(rule.threshold)) if effect.log else rule.threshold


def alpha_at(seeds: int, cells: int) -> float:
    """How often the interval of one of a rule's cells may miss, at the look after this many seeds."""
    return spent(seeds) if cells == 1 else ALPHA


def decide(rules: Sequence[Rule], effects: Sequence[Sequence[Effects]]) -> list[list[Cell]]:
    """Decide every cell of each rule of a page."""
    pairs = [(rule, effect) for rule, found in zip(rules, effects, strict=True) for effect in found]
    sampled = [_p_value(rule, effect) for rule, effect in pairs if not effect.exact]
    adjusted = iter(intervals.holm(sampled))
    return [
        [
            _cell(
                rule,
                effect,
                None if effect.exact else next(adjusted),
                alpha_at(effect.values.size, len(found)),
            )
            for effect in found
        ]
        for rule, found in zip(rules, effects, strict=True)
    ]


def _p_value(rule: Rule, effect: Effects) -> float:
    threshold = threshold_of(rule, effect)
    if not effect.values.size:
        return 1.0
    multiplicity = effect.multiplicity[1 if np.mean(effect.values) > threshold else 0]
    p = certainty.p_value(effect.values, threshold, near=effect.near, scale=effect.scale)
    return min(1.0, multiplicity * p)


def _cell(rule: Rule, effect: Effects, p_value: float | None, alpha: float) -> Cell:
    mean = interval_of(effect, alpha)
    passes, fails = _sides(rule, mean)
    unbeaten: tuple[str, ...] = ()
    if passes:
        # At 95 %, since the best opponent's stricter interval must clear the threshold as well.
        rivals = {rival.opponent: interval_of(rival, ALPHA) for rival in effect.rivals}
        unbeaten = tuple(name for name, other in rivals.items() if not _sides(rule, other)[0])
    decision: Decision = "open"
    if p_value is None:
        decision = "pass" if passes else "fail"
    elif p_value < ALPHA:
        decision = "pass" if passes else "fail" if fails else "open"
    if unbeaten and decision == "pass":
        decision = "open"
    absent = effect.absent if decision == ("pass" if effect.harder else "fail") else ()
    if absent:
        decision = "open"
    against_all = not (unbeaten or effect.absent)
    equivalent = decision != "pass" and against_all and _equivalent(rule, mean.low, mean.high)
    return Cell(
        effect.levels,
        mean.estimate,
        mean.low,
        mean.high,
        len(effect.seeds),
        decision,
        effect.opponent,
        p_value,
        equivalent,
        unbeaten,
        absent,
    )


def interval_of(effect: Effects, alpha: float = ALPHA) -> intervals.Estimate:
    """The effect with its interval; infinite on a side to which some value is only a bound."""
    if effect.exact:
        return intervals.exact(np.exp(effect.values) if effect.log else effect.values)
    mean = certainty.estimate(
        effect.values, alpha=alpha, near=effect.near, scale=effect.scale, log=effect.log
    )
    if effect.at_most:
        mean = replace(mean, low=0.0 if effect.log else -math.inf)
    return replace(mean, high=math.inf) if effect.at_least else mean


def _sides(rule: Rule, mean: intervals.Estimate) -> tuple[bool, bool]:
    """Whether the whole interval lies on the claimed side of the threshold, and whether on the other."""
    over, under = mean.low > rule.threshold, mean.high < rule.threshold
    return (over, under) if rule.above is not None else (under, over)


def _equivalent(rule: Rule, low: float, high: float) -> bool:
    """Whether the interval lies within the rule's margin of no difference: of 0, or of the ratio 1."""
    if rule.margin is None:
        return False
    if isinstance(rule, Ratio):
        return 1 / (1 + rule.margin) < low and high < 1 + rule.margin
    return -rule.margin < low and high < rule.margin
