"""What do charts and tables show: the value of each seed, their mean and its interval?

The intervals are computed here, once, as in `seqlab.analysis.intervals`; charts draw them and tables print
them, so that a figure never disagrees with the text.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from seqlab.analysis.evidence import Evidence
from seqlab.analysis.intervals import interval
from seqlab.notebook.figures import Where
from seqlab.notebook.metrics import metric_named

FEWEST = 3  # seeds that make an interval; of fewer the seeds themselves are shown


def samples(
    evidence: Evidence, metric: str, *, by: Sequence[str], split: str = "", where: Where | None = None
) -> pd.DataFrame:
    """The value of each seed: columns `by`…, seed, value, in order of first appearance.

    Runs of a seed that differ only in factors outside `by` are averaged first (geometric mean for
    metrics that are compared as ratios), since the units are seeds.
    """
    values = evidence.values(metric, split=split, by=by, where=where)
    keys = list(dict.fromkeys([*by, "seed"]))
    if not values.duplicated(keys).any():
        return values
    log = metric_named(metric).log
    with np.errstate(divide="ignore"):
        values["value"] = np.log(values["value"]) if log else values["value"]
    means = values.groupby(keys, sort=False)["value"].mean().reset_index()
    means["value"] = np.exp(means["value"]) if log else means["value"]
    return means


def summarise(
    evidence: Evidence, metric: str, *, by: Sequence[str], split: str = "", where: Where | None = None
) -> pd.DataFrame:
    """Mean over seeds and its 95 % interval: columns `by`…, estimate, low, high, n.

    The mean is geometric for metrics that are compared as ratios. Fewer than `FEWEST` seeds have NaN bounds:
    theirs would be wider than what a chart shows. No bound lies beyond what the metric can be.
    """
    found = samples(evidence, metric, by=by, split=split, where=where)
    groups: dict[tuple[object, ...], list[float]] = {}
    for row in found.itertuples(index=False, name=None):
        groups.setdefault(row[:-2], []).append(row[-1])
    known = metric_named(metric)
    rows = []
    for levels, values in groups.items():
        mean = interval(values, log=known.log)
        # NaN stays NaN: it is neither below nor above.
        low, high = (max(mean.low, known.least), min(mean.high, known.most))
        told = mean.n >= FEWEST or mean.low == mean.high
        rows.append([*levels, mean.estimate, *((low, high) if told else (math.nan, math.nan)), mean.n])
    return pd.DataFrame(rows, columns=pd.Index([*by, "estimate", "low", "high", "n"]))
