"""Which value does each run contribute, at each point of a side? Ratios and sizes as logarithms."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from seqlab.analysis.evidence import Evidence
from seqlab.analysis.sides import Point
from seqlab.analysis.slopes import slopes
from seqlab.notebook.claims import Rule, Slope
from seqlab.notebook.figures import Level, Where, matches
from seqlab.notebook.metrics import metric_named

Cells = Sequence[Mapping[str, Level]]


def by_point(
    rule: Rule, levels: Where, evidence: Evidence, cells: Cells | None
) -> dict[Point, list[tuple[int, float]]]:
    """Seed and value of each run at the side's points: logarithms for metrics that are compared as ratios.

    NaN for a run that diverged; one that failed in another way says nothing.
    """
    by_run = _values(rule, evidence)
    found: dict[Point, list[tuple[int, float]]] = defaultdict(list)
    for run in evidence.all_runs:
        factors = run.factors
        if not (matches(factors, rule.where) and matches(factors, levels)):
            continue
        if not all(name in factors for name in rule.per):
            continue
        if cells is not None and {name: factors[name] for name in rule.per} not in map(dict, cells):
            continue
        if run.status == "diverged":
            found[run.key[0]].append((run.seed, math.nan))
        elif run.run in by_run:
            found[run.key[0]].append((run.seed, by_run[run.run]))
    return found


def _values(rule: Rule, evidence: Evidence) -> dict[int, float]:
    """One value a run: the metric, or its slope over the metric's own index."""
    if isinstance(rule, Slope) and rule.x == "step":
        each = {run.run: slopes(rule, [run], evidence)[0] for run in evidence.good_runs}
        return {run: next(iter(slope.values())) for run, slope in each.items() if slope}
    values = evidence.run_values(rule.metric, rule.split)
    if not metric_named(rule.metric).log:
        return dict(values)
    return {run: math.log(value) for run, value in values.items() if value > 0}


def shown(rule: Rule, value: float) -> float:
    """A value as it was measured."""
    logarithm = metric_named(rule.metric).log and not (isinstance(rule, Slope) and rule.x == "step")
    with np.errstate(over="ignore"):
        return float(np.exp(value)) if logarithm else value
