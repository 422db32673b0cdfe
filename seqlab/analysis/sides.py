"""What became of the planned runs on one side of a comparison, and which opponent is the best?

A planned point without a good run is missing, and no other evidence replaces it. A side with any diverged
run cannot be judged: leaving the diverged seeds out would keep only the lucky ones. An opponent whose runs
all diverged is certainly not the best; one whose runs failed in another way might have been.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqlab.analysis.evidence import GOOD, Evidence, Run, matches
from seqlab.notebook.claims import Comparison, Ratio
from seqlab.notebook.experiment import Trial
from seqlab.notebook.figures import Level, Where
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


def side_of(levels: Where, trials: Sequence[Trial], runs: Sequence[Run]) -> Side:
    """The side with these levels: its share of a cell's trials, and of all runs at their points."""
    own = [run for run in runs if matches(run.factors, levels)]
    planned = {
        (frozenset(trial.factors.items()), trial.seed): "not run"
        for trial in trials
        if matches(trial.factors, levels)
    }
    points: dict[Point, Counter[str]] = defaultdict(Counter)
    for (point, _), status in (planned | {run.key: run.status for run in own}).items():
        points[point][status] += 1
    total = sum(points.values(), Counter[str]())
    return Side(
        name=_name(levels),
        runs=tuple(run for run in own if run.status == GOOD),
        missing_points=tuple(
            _missing_point(point, found) for point, found in points.items() if not found[GOOD]
        ),
        planned=total.total(),
        diverged=total["diverged"],
        without_result=total.total() - total[GOOD] - total["diverged"],
    )


def picks_highest(rule: Comparison) -> bool:
    """Whether the best opponent is the one with the highest value.

    Where the catalogue says neither that low nor that high values are better, the best opponent is the one
    that is hardest for the claim.
    """
    better = metric_named(rule.metric).better
    return better == "higher" or (better == "neither" and rule.above is not None)


def best_opponent(rule: Comparison, opponents: Sequence[Side], evidence: Evidence) -> tuple[Side, str]:
    """The best opponent by its mean, and the split that chose it: validation where all were measured there.

    Each opponent must have been measured on the rule's own split.
    """
    for split in ("valid", rule.split) if rule.split else ("",):
        by_run = evidence.run_values(rule.metric, split)
        measured = [[by_run[run.run] for run in side.runs if run.run in by_run] for side in opponents]
        if all(measured):
            with np.errstate(divide="ignore", invalid="ignore"):
                means = [np.mean(np.log(found) if isinstance(rule, Ratio) else found) for found in measured]
            return opponents[int(np.argmax(means) if picks_highest(rule) else np.argmin(means))], split
    raise ValueError(
        f"expected {rule.metric} on split {rule.split!r} for every opponent, found some without it."
    )


def _missing_point(point: Point, found: Counter[str]) -> str:
    factors = ", ".join(f"{name}={level}" for name, level in sorted(point))
    statuses = ", ".join(f"{count} {status}" for status, count in found.items())
    return f"{factors or 'the only point'} ({statuses})"


def _name(levels: Where) -> str:
    """A side by its levels: `GRU`, or `model=GRU, layers=2` where several factors define it."""
    shown = {
        name: " or ".join(map(str, level)) if isinstance(level, tuple) else str(level)
        for name, level in levels.items()
    }
    return next(iter(shown.values())) if len(shown) == 1 else ", ".join(f"{k}={v}" for k, v in shown.items())
