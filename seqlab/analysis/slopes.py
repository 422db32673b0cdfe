"""What is the slope in each seed, over points that all seeds share?

The slope is the Theil-Sen estimate (the median over all pairs of points), on the scales that the rule asks
for. A value without a logarithm, such as a gradient of zero, has no place on a logarithmic scale: it is left
out and counted.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from seqlab.analysis.evidence import Evidence, Run
from seqlab.analysis.intervals import Values, theil_sen
from seqlab.notebook.claims import Slope
from seqlab.notebook.figures import Scale

LOGARITHM = {"log2": np.log2, "log10": np.log10}


def slopes(rule: Slope, runs: Sequence[Run], evidence: Evidence) -> tuple[dict[int, float], int, int]:
    """The slope of each seed, how many seeds were left out, and how many values of the others."""
    curves: dict[int, list[tuple[float, float]]] = defaultdict(list)
    series = evidence.series(rule.metric, rule.split) if rule.x == "step" else {}
    by_run = {} if rule.x == "step" else evidence.run_values(rule.metric, rule.split)
    for run in runs:
        last_at_step = dict(series.get(run.run, ()))
        curves[run.seed] += [(step, value) for step, value in last_at_step.items() if step is not None]
        if run.run in by_run:
            curves[run.seed].append((float(run.factors[rule.x]), by_run[run.run]))
    longest = max((len(curve) for curve in curves.values()), default=0)
    found: dict[int, float] = {}
    not_finite = 0
    for seed, curve in curves.items():
        if len(curve) < longest or not curve:
            continue
        x, y = np.array(curve, dtype=float).T
        x, y = _scaled(x, rule.x_scale), _scaled(y, rule.y_scale)
        finite = np.isfinite(x) & np.isfinite(y)
        slope = theil_sen(x[finite], y[finite])
        if math.isfinite(slope):
            found[seed] = slope
            not_finite += int(np.sum(~finite))
    return found, len(curves) - len(found), not_finite


def _scaled(values: Values, scale: Scale) -> Values:
    with np.errstate(divide="ignore", invalid="ignore"):
        return LOGARITHM[scale](values) if scale in LOGARITHM else values
