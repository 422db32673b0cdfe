"""What is the effect in each seed, with left and right paired so that nothing else differs?

The sides are paired by seed and by every factor that both have and the rule does not name, so that one
data set is never compared with another. A seed that lacks a partner, or one of the points that other
seeds have, is left out and counted. A side that is deterministic by its page's grid (a formula, run
once) is paired with every seed of the other side; a measured time never counts as deterministic.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from statistics import fmean

from seqlab.analysis.evidence import Evidence, Run
from seqlab.notebook.claims import Comparison, Ratio
from seqlab.notebook.experiment import Experiment
from seqlab.notebook.metrics import metric_named

Key = tuple[int, tuple[Hashable, ...]]  # the seed, and the levels of the factors that the rule does not name


def deterministic_points(experiment: Experiment) -> frozenset[Hashable]:
    """The points, as sets of factors, that the page's grids run once and without a seed."""
    points = [point for budget in experiment.budgets for point in budget.points]
    seeded = {frozenset(point.factors.items()) for point in points if point.seeds is not None}
    return frozenset(frozenset(point.factors.items()) for point in points) - seeded


def paired_effects(
    rule: Comparison,
    left: Sequence[Run],
    right: Sequence[Run],
    *,
    evidence: Evidence,
    deterministic: frozenset[Hashable],
) -> tuple[dict[int, float], int]:
    """Left minus right for each seed, and how many seeds had to be left out.

    Both sides hold runs that measured the rule's metric. For a Ratio the effects are differences of
    logarithms, NaN where a value is not above zero. `deterministic` comes from `deterministic_points`.
    """
    by_run = evidence.run_values(rule.metric, rule.split)
    is_time = metric_named(rule.metric).unit == "s"
    fixed = [not is_time and all(run.key[0] in deterministic for run in side) for side in (left, right)]
    seeds = {run.seed for side, once in zip((left, right), fixed, strict=True) if not once for run in side}
    if not seeds:  # two formulas, each run once: paired with each other
        fixed, seeds = [False, False], {run.seed for run in (*left, *right)}
    open_factors = rule.equal_in_pairs(run.factors for run in (*left, *right))

    def means(side: Sequence[Run], once: bool) -> dict[Key, float]:
        found: dict[Key, list[float]] = defaultdict(list)
        for run in side:
            value = by_run[run.run]
            if isinstance(rule, Ratio):
                value = math.log(value) if value > 0 else math.nan
            for seed in seeds if once else (run.seed,):
                found[seed, tuple(run.factors[name] for name in open_factors)].append(value)
        return {key: fmean(values) for key, values in found.items()}

    lefts, rights = means(left, fixed[0]), means(right, fixed[1])
    effects: dict[int, list[float]] = defaultdict(list)
    for key in lefts.keys() & rights.keys():
        effects[key[0]].append(lefts[key] - rights[key])
    fullest = max((len(found) for found in effects.values()), default=0)
    kept = {seed: fmean(effects[seed]) for seed in sorted(effects) if len(effects[seed]) == fullest}
    return kept, len(seeds) - len(kept)
