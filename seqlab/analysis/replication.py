"""Do trials that were run here agree with reference seeds of the same points, measured elsewhere?

For each side of a claim (its model, and each opponent) the new trials are compared, point by point, with
the reference seeds of that point (`exchangeability`). Fisher's method combines the points of a side, since a
model that was changed is changed in all of them; Bonferroni's correction covers the sides. A claim *does not
replicate here* where some side's p-value is below 5 %. It *replicates* where none is, and the trials of its
first side would have told if all of them had been outside. Else the trials are too few: two of five or ten
reference seeds, or one of twenty, are enough for one cell (`trials_needed`).

By simulation (2,000 claims a condition; 1 and 3 cells, 5, 10 and 20 reference seeds, 1 to 3 trials a point;
normal, t3, log-normal, outliers, solved or not) an honest machine is told so in at most 5 % of claims, in
5.8 % where half of a seed's luck is shared by all cells. That is the error of one report: whoever looks after
each of four further trials errs in 8 to 10 %. The power is in docs/verdicts.md. What lost: one test over all
points (Bonferroni) never sees one trial in each of three cells; Fisher's method over all sides sees a changed
model less often, since the other side dilutes it.

The same seed on another machine gives nearly the same network, or another one where training is chaotic. So
trials are not paired with the reference run of their seed. If they are nearly equal, the test only errs less:
in 1.9 % where half of the trials repeat their reference run, never where all do. Pairs alone could tell
nothing before six trials, since five differences of one sign have a probability of 6 %.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from seqlab.analysis.evidence import Evidence
from seqlab.analysis.exchangeability import PredictionInterval, fisher, p_value, smallest_p_value
from seqlab.analysis.point_values import Cells, by_point, shown
from seqlab.analysis.scope import format_number
from seqlab.analysis.sides import side_name
from seqlab.notebook.claims import Rule
from seqlab.notebook.figures import Level, Where
from seqlab.notebook.metrics import metric_named

ERROR = 0.05  # how often an honest machine may be told that a claim does not replicate
FEWEST = 5  # reference seeds of a point


class Replicates(StrEnum):
    """What trials run here say of the reference."""

    YES = "replicates"
    NO = "does not replicate here"
    UNKNOWN = "too few trials to tell"


@dataclass(frozen=True)
class CheckedTrial:
    """A trial run here and the prediction interval of the reference seeds of its point.

    The value is NaN for a run that diverged, which is outside.
    """

    factors: Mapping[str, Level]
    seed: int
    value: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether the reference seeds allow it."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True)
class CheckedSide:
    """The trials of one side, and their p-value; `smallest` is the p-value were all of them outside."""

    name: str
    trials: tuple[CheckedTrial, ...]
    reference_seeds: int
    p_value: float
    smallest: float


@dataclass(frozen=True)
class Replication:
    """Whether a claim replicates here, why (one sentence without its full stop), and each trial."""

    outcome: Replicates
    reason: str
    sides: tuple[CheckedSide, ...] = ()


def replication(
    rule: Rule, reference: Evidence, here: Evidence, *, cells: Cells | None = None
) -> Replication:
    """Compare the runs `here` with the `reference`, at points that both have; in these cells, where given.

    Points with fewer than five reference seeds, or with one that diverged, are left out.
    """
    sides = [_side(rule, side, reference, here, cells) for side in rule.sides]
    found = [side for side in sides if side.trials]
    if not found:
        return Replication(Replicates.UNKNOWN, "No trial of the reference was run here")
    able = [side for side in found if side.smallest * len(found) < ERROR]
    changed = [side for side in able if side.p_value * len(able) < ERROR]
    if changed:
        reason = "; ".join(_told(side, rule, len(able)) for side in changed)
        return Replication(Replicates.NO, reason, tuple(found))
    inside = sum(trial.inside for side in found for trial in side.trials)
    count = sum(len(side.trials) for side in found)
    reason = f"{inside} of {count} trials run here lie within the prediction interval of the reference"
    if sides[0] in able:
        return Replication(Replicates.YES, reason, tuple(found))
    more = f", but with {'none' if not sides[0].trials else 'so few'} of {sides[0].name or 'the claim'}"
    return Replication(Replicates.UNKNOWN, f"{reason}{more}, none could have told a change", tuple(found))


def trials_needed(reference_seeds: int, *, points: int = 1, sides: int = 2) -> int:
    """How many trials, at each of a side's points, can tell that its model was changed."""
    trials = 1
    while fisher([smallest_p_value(reference_seeds, trials)] * points) * sides >= ERROR:
        trials += 1
    return trials


def _side(rule: Rule, levels: Where, reference: Evidence, here: Evidence, cells: Cells | None) -> CheckedSide:
    known, new = (by_point(rule, levels, evidence, cells) for evidence in (reference, here))
    p_values, smallest, trials, fewest = [], [], [], math.inf
    for point, runs in new.items():
        values = np.array([value for _, value in known.get(point, ())])
        if values.size < FEWEST or not np.all(np.isfinite(values)):
            continue
        interval = PredictionInterval.of(values)
        worst = -math.inf if metric_named(rule.metric).better == "higher" else math.inf
        measured = [value for _, value in runs]
        p_values.append(
            p_value(values, np.nan_to_num(measured, nan=worst, posinf=math.inf, neginf=-math.inf))
        )
        smallest.append(smallest_p_value(values.size, len(runs)))
        fewest = min(fewest, values.size)
        low, high = shown(rule, interval.low), shown(rule, interval.high)
        trials += [CheckedTrial(dict(point), seed, shown(rule, value), low, high) for seed, value in runs]
    seeds = int(fewest) if trials else 0
    return CheckedSide(side_name(levels), tuple(trials), seeds, fisher(p_values), fisher(smallest))


def _told(side: CheckedSide, rule: Rule, sides: int) -> str:
    """Which side changed, with its figures."""
    outside = [trial for trial in side.trials if not trial.inside]
    trials = f"{len(outside)} of {len(side.trials)} trials{f' of {side.name}' if side.name else ''}"
    chance = f"chance does that in {min(1.0, side.p_value * sides):.2g} of cases"
    if not outside:
        return f"the {trials[5:]} lie on one side of {side.reference_seeds} reference seeds ({chance})"
    first = outside[0]
    value = "diverged" if math.isnan(first.value) else format_number(first.value)
    return (
        f"{trials} lie outside what {side.reference_seeds} reference seeds allow, such as {rule.metric} "
        f"{value} for {format_number(first.low)} to {format_number(first.high)} ({chance})"
    )
