"""Which effects are only bounds, since a run's value lies at the edge of what was tried?

A network that still succeeds at the longest distance tested has a reach of at least that distance. Its value
is no measurement of the reach: a comparison of two such values says nothing, however well the seeds agree. So
an effect that may be larger than measured leaves its cell's interval open to that side, and one that may be
smaller, to the other. A metric names the metrics that mark such runs (`Metric.at_least`, `Metric.at_most`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from seqlab.analysis.evidence import Evidence, Run
from seqlab.notebook.claims import Comparison, Rule, Slope
from seqlab.notebook.metrics import metric_named


@dataclass(frozen=True)
class Bounded:
    """Whether some effect may be larger (smaller) than measured, with a note that says why."""

    at_least: bool = False
    at_most: bool = False
    notes: tuple[str, ...] = ()


def bounded_comparison(
    rule: Comparison, left: Sequence[Run], right: Sequence[Run], seeds: Collection[int], evidence: Evidence
) -> Bounded:
    """Left minus right: a left value that may be larger makes the effect larger, a right one smaller."""
    larger, smaller = _marked(rule, evidence)
    lefts = {run.run for run in left if run.seed in seeds}
    rights = {run.run for run in right if run.seed in seeds or run.seed < 0}
    up = bool(larger & lefts or smaller & rights)
    down = bool(smaller & lefts or larger & rights)
    marked = (larger | smaller) & (lefts | rights)
    return Bounded(up, down, _note(rule, len(marked), len(lefts | rights)))


def bounded_slopes(rule: Slope, runs: Sequence[Run], seeds: Collection[int], evidence: Evidence) -> Bounded:
    """A larger value at the last point makes a slope steeper, at the first flatter, between them either."""
    larger, smaller = _marked(rule, evidence)
    own = [run for run in runs if run.seed in seeds]
    marked = [run for run in own if run.run in larger | smaller]
    if not marked or rule.x == "step":
        return Bounded()
    levels = [float(run.factors[rule.x]) for run in own]
    first, last = min(levels), max(levels)
    up = down = False
    for run in marked:
        level = float(run.factors[rule.x])
        inside = first < level < last
        steeper = (run.run in larger) == (level == last)
        up, down = up or inside or steeper, down or inside or not steeper
    return Bounded(up, down, _note(rule, len(marked), len(own)))


def _marked(rule: Rule, evidence: Evidence) -> tuple[set[int], set[int]]:
    """The runs whose value may be larger, and those whose value may be smaller, than measured."""
    metric = metric_named(rule.metric)
    larger, smaller = (
        {run for run, marked in evidence.run_values(name, rule.split).items() if marked > 0}
        if name
        else set()
        for name in (metric.at_least, metric.at_most)
    )
    return larger, smaller


def _note(rule: Rule, marked: int, runs: int) -> tuple[str, ...]:
    if not marked:
        return ()
    return (
        f"In {marked} of {runs} runs {rule.metric} lies at the edge of what was tried and is only a bound",
    )
