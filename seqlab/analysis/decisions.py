"""Which cells pass, which fail and which stay open, corrected for all comparisons of the page?

A cell passes when its whole 95 % interval lies on the claimed side of the threshold and fails when it lies
on the other side. Either needs a p-value below 0.05 after Holm's correction for multiple comparisons, over
every cell of the page. The p-values are two-sided, since a cell may lie on either side. Where the best of
several opponents was chosen by the same runs, p is first multiplied by their number, on the side to which
that choice biases the effect. A cell without an interval enters the correction with p = 1. Exact values
have no p-value: their cell passes when every value is beyond the threshold, and fails otherwise.
"""

from collections.abc import Sequence

import numpy as np

from seqlab.analysis import intervals
from seqlab.analysis.cells import Effects
from seqlab.notebook.claims import Cell, Decision, Rule

ALPHA = 1 - intervals.LEVEL


def threshold_of(rule: Rule, effect: Effects) -> float:
    """The rule's threshold on the scale of the effects: its logarithm for log ratios."""
    return float(np.log(rule.threshold)) if effect.log else rule.threshold


def decide(rules: Sequence[Rule], effects: Sequence[Sequence[Effects]]) -> list[list[Cell]]:
    """Decide every cell of each rule of a page."""
    pairs = [(rule, effect) for rule, found in zip(rules, effects, strict=True) for effect in found]
    sampled = [_p_value(rule, effect) for rule, effect in pairs if not effect.exact]
    adjusted = iter(intervals.holm(sampled))
    return [
        [_cell(rule, effect, None if effect.exact else next(adjusted)) for effect in found]
        for rule, found in zip(rules, effects, strict=True)
    ]


def _p_value(rule: Rule, effect: Effects) -> float:
    threshold = threshold_of(rule, effect)
    if not effect.values.size:
        return 1.0
    multiplicity = effect.multiplicity[1 if np.mean(effect.values) > threshold else 0]
    return min(1.0, multiplicity * intervals.p_value(effect.values, threshold))


def _cell(rule: Rule, effect: Effects, p_value: float | None) -> Cell:
    shown = np.exp(effect.values) if effect.log else effect.values
    mean = intervals.exact(shown) if effect.exact else intervals.interval(shown, log=effect.log)
    over, under = mean.low > rule.threshold, mean.high < rule.threshold
    passes, fails = (over, under) if rule.above is not None else (under, over)
    decision: Decision = "open"
    if p_value is None:
        decision = "pass" if passes else "fail"
    elif p_value < ALPHA:
        decision = "pass" if passes else "fail" if fails else "open"
    n = len(effect.seeds)
    return Cell(effect.levels, mean.estimate, mean.low, mean.high, n, decision, effect.opponent, p_value)
