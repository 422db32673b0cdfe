"""What became of the planned runs on one side of a comparison, and which opponent is the best?

A planned point without a good run is missing, and no other evidence replaces it. A side with any diverged
run cannot be judged: leaving the diverged seeds out would keep only the lucky ones. An opponent whose runs
all diverged is certainly not the best; one whose runs failed in another way might have been.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seqlab.analysis.evidence import GOOD, Evidence, Run
from seqlab.analysis.trimmed import middle
from seqlab.notebook.claims import Comparison, Ratio
from seqlab.notebook.experiment import Point as PagePoint
from seqlab.notebook.figures import Level, Where, matches
from seqlab.notebook.metrics import metric_named

Point = frozenset[tuple[str, Level]]


@dataclass(frozen=True)
class Side:
    """One side of one cell: its good runs, and what became of the planned ones."""

    name: str
    runs: tuple[Run, ...]
    missing_points: tuple[str, ...]  # planned points without a good run
    planned: int  # with further seeds that were run at planned points
    diverged: int
    without_result: int  # planned runs that failed in another way, or never ran

    @property
    def problem(self) -> str:
        """Why the side cannot be judged; empty where it can."""
        if self.diverged:
            of = f" of {self.name}" if self.name else ""
            return f"{self.diverged} of {self.planned} runs{of} diverged, which counts as failing"
        return self.unmeasured

    @property
    def unmeasured(self) -> str:
        """Which points of the side have no good run; empty where all have one."""
        return "no good run of " + "; ".join(self.missing_points) if self.missing_points else ""


@dataclass(frozen=True)
class PlannedPoint:
    """A point of a cell: the seeds that the plan asks for, and all runs that were made there."""

    key: Point
    factors: Mapping[str, Level]
    seeds: tuple[int, ...]
    runs: tuple[Run, ...]


def side_of(levels: Where, cell: Sequence[PlannedPoint]) -> Side:
    """The side with these levels: its share of a cell's points."""
    own = [point for point in cell if matches(point.factors, levels)]
    points = {
        point.key: Counter((dict.fromkeys(point.seeds, "not run") | _statuses(point.runs)).values())
        for point in own
    }
    total = sum(points.values(), Counter[str]())
    return Side(
        name=side_name(levels),
        runs=tuple(run for point in own for run in point.runs if run.status == GOOD),
        missing_points=tuple(
            _missing_point(point, found) for point, found in points.items() if not found[GOOD]
        ),
        planned=total.total(),
        diverged=total["diverged"],
        without_result=total.total() - total[GOOD] - total["diverged"],
    )


def asked_for(
    rule: Comparison,
    budget: Sequence[PagePoint],
    plan: Mapping[tuple[Level, ...], Sequence[PlannedPoint]],
) -> dict[tuple[Level, ...], set[str]]:
    """The names of the opponents that a budget of the page has in each cell of the plan.

    Those that the plan's own budget has must be planned: a plan may be narrowed from the command line
    (`--set model=…`), but the rule's sentence stays. Those that only the page's largest budget has are
    absent, and keep a cell from passing (`seqlab.analysis.decisions`). In a cell that the budget lacks, every
    opponent is asked for that it has in some cell and the plan has in none.
    """
    asked: dict[tuple[Level, ...], set[str]] = defaultdict(set)
    for point in budget:
        if matches(point.factors, rule.where) and all(name in point.factors for name in rule.per):
            asked[tuple(point.factors[name] for name in rule.per)] |= _opponents(rule, point.factors)
    planned = {name for cell in plan.values() for point in cell for name in _opponents(rule, point.factors)}
    vanished = {name for names in asked.values() for name in names} - planned
    return {key: asked.get(key, vanished) for key in plan}


def _opponents(rule: Comparison, factors: Mapping[str, Level]) -> set[str]:
    """The opponents to which a point belongs, by name."""
    return {side_name(side) for side in rule.opponents if matches(factors, side)}


def _statuses(runs: Sequence[Run]) -> dict[int, str]:
    return {run.seed: run.status for run in runs}


def picks_highest(rule: Comparison) -> bool:
    """Whether the best opponent is the one with the highest value.

    Where the catalogue says neither that low nor that high values are better, the best opponent is the one
    that is hardest for the claim.
    """
    better = metric_named(rule.metric).better
    return better == "higher" or (better == "neither" and rule.above is not None)


def harder_when_better(rule: Comparison) -> bool:
    """Whether a better opponent makes it harder to pass, as in "more accurate than the best other model"."""
    return picks_highest(rule) == (rule.above is not None)


def best_opponent(rule: Comparison, opponents: Sequence[Side], evidence: Evidence) -> tuple[Side, str]:
    """The best opponent, and the split that chose it: validation where all were measured there.

    It is the best by its interquartile mean, since seeds that go astray would hand the comparison to a
    weaker opponent: chosen by the mean, "supported" is wrong in up to 14 % with an outlier in 20.
    Each opponent must have been measured on the rule's own split.
    """
    for split in ("valid", rule.split) if rule.split else ("",):
        by_run = evidence.run_values(rule.metric, split)
        measured = [[by_run[run.run] for run in side.runs if run.run in by_run] for side in opponents]
        if all(measured):
            with np.errstate(divide="ignore", invalid="ignore"):
                means = [
                    middle(np.log(found) if isinstance(rule, Ratio) else np.array(found))
                    for found in measured
                ]
            return opponents[int(np.argmax(means) if picks_highest(rule) else np.argmin(means))], split
    raise ValueError(
        f"expected {rule.metric} on split {rule.split!r} for every opponent, found some without it."
    )


def _missing_point(point: Point, found: Counter[str]) -> str:
    factors = ", ".join(f"{name}={level}" for name, level in sorted(point))
    statuses = ", ".join(f"{count} {status}" for status, count in found.items())
    return f"{factors or 'the only point'} ({statuses})"


def side_name(levels: Where) -> str:
    """A side by its levels: `GRU`, or `model=GRU, layers=2` where several factors define it."""
    shown = {
        name: " or ".join(map(str, level)) if isinstance(level, tuple) else str(level)
        for name, level in levels.items()
    }
    return next(iter(shown.values())) if len(shown) == 1 else ", ".join(f"{k}={v}" for k, v in shown.items())
