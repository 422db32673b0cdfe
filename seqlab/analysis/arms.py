"""What became of the planned runs on one side of a comparison, and which opponent is the best?

A planned point without one good run is a hole, and a hole is never filled by other evidence. An arm
with any diverged run has failed: leaving its diverged seeds out would keep only the lucky ones. An
opponent whose every run diverged is certainly not the best; one that failed otherwise might have been.
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
class Arm:
    """One side of one cell: its good runs, and what became of the planned ones."""

    name: str
    runs: tuple[Run, ...]
    holes: tuple[str, ...]  # planned points without a good run
    planned: int  # and those run beside the plan, at its points with more seeds
    diverged: int
    lost: int  # planned runs that failed otherwise, or never ran

    @property
    def missing(self) -> str:
        """Why the arm cannot be judged; empty where it can."""
        if self.diverged:
            of = f" of {self.name}" if self.name else ""
            return f"{self.diverged} of {self.planned} runs{of} diverged, which counts as failing"
        return self.unknown

    @property
    def unknown(self) -> str:
        """Why nothing is known of some point of the arm; empty where something is."""
        return "no good run of " + "; ".join(self.holes) if self.holes else ""


def arm(side: Where, trials: Sequence[Trial], runs: Sequence[Run]) -> Arm:
    """The side's share of a cell's trials, and of all the runs at its points, good or not."""
    own = [run for run in runs if matches(run.factors, side)]
    asked = {
        (frozenset(trial.factors.items()), trial.seed): "not run"
        for trial in trials
        if matches(trial.factors, side)
    }
    points: dict[Point, Counter[str]] = defaultdict(Counter)
    for (point, _), status in (asked | {run.key: run.status for run in own}).items():
        points[point][status] += 1
    total = sum(points.values(), Counter[str]())
    return Arm(
        name=_name(side),
        runs=tuple(run for run in own if run.status == GOOD),
        holes=tuple(_hole(point, found) for point, found in points.items() if not found[GOOD]),
        planned=total.total(),
        diverged=total["diverged"],
        lost=total.total() - total[GOOD] - total["diverged"],
    )


def picks_highest(rule: Comparison) -> bool:
    """Whether the best opponent is the one with the highest value.

    Where the catalogue calls neither low nor high values good, it is the hardest one for the claim.
    """
    better = metric_named(rule.metric).better
    return better == "higher" or (better == "neither" and rule.above is not None)


def best(rule: Comparison, opponents: Sequence[Arm], evidence: Evidence) -> tuple[Arm, str]:
    """The best opponent by its mean, and the split that chose it: validation where all were measured there.

    Each opponent must have been measured on the rule's own split.
    """
    for split in ("valid", rule.split) if rule.split else ("",):
        finals = evidence.finals(rule.metric, split)
        measured = [[finals[run.run] for run in arm.runs if run.run in finals] for arm in opponents]
        if all(measured):
            with np.errstate(divide="ignore", invalid="ignore"):
                means = [np.mean(np.log(found) if isinstance(rule, Ratio) else found) for found in measured]
            return opponents[int(np.argmax(means) if picks_highest(rule) else np.argmin(means))], split
    raise ValueError(
        f"expected {rule.metric} on split {rule.split!r} for every opponent, found some without."
    )


def _hole(point: Point, found: Counter[str]) -> str:
    factors = ", ".join(f"{name}={level}" for name, level in sorted(point))
    became = ", ".join(f"{count} {status}" for status, count in found.items())
    return f"{factors or 'the only point'} ({became})"


def _name(side: Where) -> str:
    """A side by its levels: `GRU`, or `model=GRU, layers=2` where several factors make it."""
    shown = {
        name: " or ".join(map(str, level)) if isinstance(level, tuple) else str(level)
        for name, level in side.items()
    }
    return next(iter(shown.values())) if len(shown) == 1 else ", ".join(f"{k}={v}" for k, v in shown.items())
