"""Were the trainings of a comparison finished, or would more of them change the verdict?

A training is measured on the validation split while its rate is still constant (`notebook.learning_curve`).
What its last quarter gained, in the metric that the rule judges, is set against the room of the comparison:
the distance between effect and threshold, or half the effect's interval where that is wider. The comparison
is unfinished where

- a side gained more than the whole room: it is still learning, whatever the other does; or
- both gains together moved the effect by more than a quarter of the room towards the threshold: at that pace
  another training of the same length would decide otherwise. Where both sides gain alike, the effect stays.

The networks of a side are averaged, since a mean gain is what moves the mean effect.

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

MOVED = 0.25  # of the room: an effect that moved more in a quarter of the training could cross it in another
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


@dataclass(frozen=True)
class Maturity:
    """What both sides still gained, what that moved the effect towards the threshold, and what is allowed."""

    left: Gain | None
    right: Gain | None
    towards: float
    room: float

    @property
    def gains(self) -> tuple[Gain, ...]:
        """Those of the sides that trained."""
        return tuple(one for one in (self.left, self.right) if one is not None)

    @property
    def blocks(self) -> bool:
        """Whether the comparison is unfinished."""
        return bool(self.reasons)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is unfinished, in clauses; none where it is finished."""
        own = tuple(filter(None, (self._reason(one) for one in self.gains)))
        if own or self.towards <= MOVED * self.room:
            return own
        title = metric_named(self.gains[0].metric).title.lower()
        told = ", ".join(f"{one.side} by {one.amount:.2g}" for one in self.gains)
        moved = f"which moved the effect by {self.towards:.2g} towards the threshold"
        allowed = f"{MOVED * self.room:.2g} allowed"
        return (f"the last quarter of the trainings still improved {title} ({told}), {moved} ({allowed})",)

    @property
    def record(self) -> Fairness:
        """What each side still gained, for the fairness record."""
        allowed = SHARE if any(one.share for one in self.gains) else self.room
        left, right = (None if one is None else one.amount for one in (self.left, self.right))
        return Fairness("late_gain", left, right, allowed, not self.blocks, required=True)

    def _reason(self, one: Gain) -> str:
        title = metric_named(one.metric).title.lower()
        if math.isnan(one.amount):
            return f"{one.side} was not measured while it trained"
        if one.share and one.amount > SHARE:
            return (
                f"{one.side} made {one.amount:.0%} of its progress in {title} in the last quarter of its "
                f"training ({SHARE:.0%} allowed)"
            )
        if not one.share and one.amount > self.room:
            return (
                f"{one.side} still gained {one.amount:.2g} in {title} in the last quarter of its training "
                f"({self.room:.2g} allowed)"
            )
        return ""


def maturity(left: Gain | None, right: Gain | None, *, distance: float, half_width: float) -> Maturity | None:
    """How finished a comparison is whose effect lies `distance` above the threshold.

    None where no side trained.
    """
    known = [one for one in (left, right) if one is not None]
    if not known:
        return None
    room = max(abs(distance), half_width if math.isfinite(half_width) else 0.0)
    moved = 0.0
    if not any(one.share for one in known):
        amounts = [0.0 if one is None else one.amount for one in (left, right)]
        upwards = 1.0 if METRICS[known[0].metric].better == "higher" else -1.0
        moved = upwards * (amounts[0] - amounts[1])
    return Maturity(left, right, max(0.0, -math.copysign(1.0, distance) * moved), room)


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
