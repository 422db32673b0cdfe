"""Were the trainings of a comparison finished, or would more of them change the verdict?

A training is measured on the validation split while its rate is still constant (`notebook.learning_curve`).
What its last quarter gained, in the metric that the rule judges, is set against the room of the comparison:
the distance between effect and threshold, or half the effect's interval where that is wider. Gained as much
as a quarter of the room, the comparison is unfinished, since at that pace twice the training would decide it
otherwise. The networks of a side are averaged: a mean gain is what moves the mean effect.

Some metrics are not measured during training, such as how far a network reaches. Then the metric that chose
the weights tells, by the share that the last quarter had in all that it improved. What never trained, such as
an n-gram, is finished.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqlab.analysis.evidence import Evidence, Run
from seqlab.notebook.claims import Comparison, Fairness, Ratio
from seqlab.notebook.learning_curve import LastQuarter, last_quarter
from seqlab.notebook.metrics import METRICS, metric_named

ROOM = 0.25  # of the room of a comparison: a last quarter that gained more is no end
SHARE = 0.05  # of a whole improvement, where the judged metric has no curve


@dataclass(frozen=True)
class Gain:
    """What the last quarter of the trainings of one side still gained.

    `amount` is in the unit of the effects (for ratios the change of the logarithm) or, with `share`, in
    shares of the whole improvement. NaN where a training does not tell, since it was not measured often
    enough.
    """

    side: str
    metric: str
    amount: float
    share: bool = False


def gain(rule: Comparison, side: str, runs: Sequence[Run], evidence: Evidence) -> Gain | None:
    """The mean gain of the side's runs in the last quarter of their trainings; None where none trained."""
    steps = evidence.run_values("constant_steps")
    trained = [run.run for run in runs if run.run in steps]
    if not trained:
        return None
    metric, own = _curve_of(rule, trained, evidence)
    if metric is None:
        return Gain(side, rule.metric, math.nan)
    curves, higher = evidence.series(metric, "valid"), METRICS[metric].better == "higher"
    found = []
    for run in trained:
        curve = [(step, value) for step, value in curves.get(run, ()) if step is not None]
        ended = last_quarter(curve, int(steps[run]), higher=higher)
        found.append(math.nan if ended is None else _amount(rule, ended, own=own))
    return Gain(side, metric, float(np.mean(found)), share=not own)


def record(left: Gain | None, right: Gain | None, *, distance: float, half_width: float) -> Fairness | None:
    """Both gains beside what is allowed of them: blocking where either is more; None where nothing
    trained."""
    known = [one for one in (left, right) if one is not None]
    if not known:
        return None
    width = half_width if math.isfinite(half_width) else 0.0
    allowed = SHARE if any(one.share for one in known) else ROOM * max(abs(distance), width)
    ok = all(one.amount <= allowed for one in known)  # NaN is not
    amounts = [None if one is None else one.amount for one in (left, right)]
    return Fairness("late_gain", amounts[0], amounts[1], allowed, ok, required=True)


def explain(gains: Sequence[Gain | None], record: Fairness) -> str:
    """Which side was not finished, in a clause, and what would mend it."""
    clauses = []
    for one in gains:
        if one is None or one.amount <= record.tolerance:
            continue
        title = metric_named(one.metric).title.lower()
        if math.isnan(one.amount):
            clauses.append(f"{one.side} was not measured while it trained")
        elif one.share:
            clauses.append(
                f"{one.side} made {one.amount:.0%} of its progress in {title} in the last quarter of its "
                f"training ({record.tolerance:.0%} allowed)"
            )
        else:
            clauses.append(
                f"{one.side} still gained {one.amount:.2g} in {title} in the last quarter of its training "
                f"({record.tolerance:.2g} allowed)"
            )
    return "; ".join(clauses)


def _curve_of(rule: Comparison, runs: Sequence[int], evidence: Evidence) -> tuple[str | None, bool]:
    """The metric whose validation curve tells, and whether it has the unit of the rule's."""
    judged = metric_named(rule.metric)
    for name in (judged.name, judged.curve):
        if name and _measured(name, runs, evidence):
            return name, True
    return next((name for name in evidence.curves if _measured(name, runs, evidence)), None), False


def _measured(metric: str, runs: Sequence[int], evidence: Evidence) -> bool:
    curves = evidence.series(metric, "valid")
    return all(any(step is not None for step, _ in curves.get(run, ())) for run in runs)


def _amount(rule: Comparison, ended: LastQuarter, *, own: bool) -> float:
    if not own:
        whole = abs(ended.end - ended.first)
        return ended.gain / whole if whole else 0.0
    if isinstance(rule, Ratio):
        positive = min(ended.before, ended.end) > 0
        return abs(math.log(ended.end / ended.before)) if positive else math.nan
    return ended.gain
