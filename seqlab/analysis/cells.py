"""What was measured in each cell of a rule: an effect for each seed, or the reason why there is none?

The cells are the combinations of the rule's `per` levels that the plan holds, so that a missing run is
noticed. A good run that by its page's design does not measure the rule's metric is no part of the rule;
where no run of a cell measured it, the cell is missing.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from seqlab.analysis.evidence import Evidence, matches
from seqlab.analysis.fairness import fairness
from seqlab.analysis.intervals import Values
from seqlab.analysis.pairing import deterministic_points, paired_effects
from seqlab.analysis.sides import Side, best_opponent, picks_highest, side_of
from seqlab.analysis.slopes import slopes
from seqlab.notebook.claims import Comparison, Exact, Fairness, Ratio, Rule, Slope
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import Level
from seqlab.notebook.metrics import metric_named


@dataclass(frozen=True)
class Effects:
    """What was measured in a cell. `values` has one effect a seed: raw, slope, difference or log ratio."""

    levels: Mapping[str, Level]
    values: Values = field(default_factory=lambda: np.array([]))
    seeds: tuple[int, ...] = ()
    log: bool = False  # the effects are logarithms of ratios
    exact: bool = False  # values without noise: the interval is their range, and there is no p-value
    opponent: str = ""
    # The number of comparisons that an estimate below, and one above, the threshold counts for: choosing the
    # best of several opponents by looking at the data biases the effect to one side.
    multiplicity: tuple[int, int] = (1, 1)
    missing: str = ""  # why the cell could not be measured; empty where it was
    notes: tuple[str, ...] = ()
    fairness: tuple[Fairness, ...] = ()


def measure_cells(
    rule: Rule, experiment: Experiment, evidence: Evidence, planned: Sequence[Trial]
) -> tuple[Effects, ...]:
    """Measure every planned cell of the rule, in the plan's order; none where nothing is planned."""
    needed = {*rule.per, *((rule.x,) if isinstance(rule, Slope) and rule.x != "step" else ())}
    trials_of, runs_of = defaultdict(list), defaultdict(list)
    for trial in planned:
        if matches(trial.factors, rule.where) and needed <= trial.factors.keys():
            trials_of[tuple(trial.factors[name] for name in rule.per)].append(trial)
    # More seeds of a planned point count; points that nobody planned are no part of the rule.
    points = {frozenset(trial.factors.items()) for trials in trials_of.values() for trial in trials}
    for run in evidence.all_runs:
        if run.key[0] in points:
            runs_of[tuple(run.factors[name] for name in rule.per)].append(run)

    deterministic = deterministic_points(experiment)
    cells = []
    for key, trials in trials_of.items():
        levels = dict(zip(rule.per, key, strict=True))
        sides = (rule.left, *rule.opponents) if isinstance(rule, Comparison) else ({},)
        left, *rights = (side_of(side, trials, runs_of[key]) for side in sides)
        if isinstance(rule, Comparison):
            opponents = [right for right in rights if right.planned]
            if left.planned and opponents:  # else only one side was planned here: no comparison
                cells.append(_comparison(rule, levels, left, opponents, evidence, deterministic))
        elif isinstance(rule, Exact):
            cells.append(_exact(rule, levels, left, evidence))
        elif isinstance(rule, Slope):
            cells.append(_slope(rule, levels, left, evidence))
    return tuple(cells)


def _exact(rule: Exact, levels: Mapping[str, Level], everything: Side, evidence: Evidence) -> Effects:
    """All raw values; for a metric indexed by training step, the last one of each run."""
    missing = everything.problem
    if not missing and everything.without_result:  # every value must pass, so none may be absent
        missing = f"{everything.without_result} of {everything.planned} runs gave no result"
    if metric_named(rule.metric).index == "training step":
        raw = {run: [value] for run, value in evidence.run_values(rule.metric, rule.split).items()}
    else:
        series = evidence.series(rule.metric, rule.split)
        raw = {run: [value for _, value in points] for run, points in series.items()}
    measured = [run for run in everything.runs if run.run in raw]
    if missing or not measured:
        return Effects(levels, missing=missing or f"{rule.metric} was not measured")
    values = np.array([value for run in measured for value in raw[run.run]])
    return Effects(levels, values, tuple({run.seed: None for run in measured}), exact=True)


def _slope(rule: Slope, levels: Mapping[str, Level], everything: Side, evidence: Evidence) -> Effects:
    if everything.problem:
        return Effects(levels, missing=everything.problem)
    found, left_out, not_finite = slopes(rule, everything.runs, evidence)
    if not found:
        return Effects(levels, missing=f"{rule.metric} was not measured at two points along {rule.x}")
    values = np.array(list(found.values()))
    notes = _without_result(everything) + _left_out(left_out)
    if not_finite:
        notes += (f"{not_finite} values without a logarithm were left out",)
    return Effects(levels, values, tuple(found), exact=_noiseless(rule, values), notes=notes)


def _comparison(
    rule: Comparison,
    levels: Mapping[str, Level],
    left: Side,
    opponents: Sequence[Side],
    evidence: Evidence,
    deterministic: frozenset[Hashable],
) -> Effects:
    """Left against the best opponent, paired by seed."""
    candidates = [opponent for opponent in opponents if opponent.diverged < opponent.planned]
    diverged = [opponent for opponent in opponents if opponent.diverged == opponent.planned]
    notes = tuple(f"{opponent.name} diverged in every run" for opponent in diverged)
    by_run = evidence.run_values(rule.metric, rule.split)
    problems = [left.problem, *(opponent.unmeasured for opponent in candidates)]
    problems += [] if candidates else ["every opponent diverged in every run"]
    problems += [
        f"{rule.metric} was not measured for {side.name}"
        for side in (left, *candidates)
        if side.runs and not any(run.run in by_run for run in side.runs)
    ]
    if missing := "; ".join(filter(None, problems)):
        return Effects(levels, missing=missing, notes=notes)
    right, chooser = best_opponent(rule, candidates, evidence)
    if right.problem:
        return Effects(levels, missing=right.problem, notes=notes)
    if len(candidates) > 1 and chooser == "test":
        notes += ("The best opponent was chosen on the test split, since some lack the validation split",)
    sides = [[run for run in side.runs if run.run in by_run] for side in (left, right)]
    found, left_out = paired_effects(rule, *sides, evidence=evidence, deterministic=deterministic)
    if not found:
        return Effects(levels, missing=f"no seed has {rule.metric} on both sides", notes=notes)
    values = np.array(list(found.values()))
    numbers = [[run.run for run in side] for side in sides]
    return Effects(
        levels,
        values,
        tuple(found),
        log=isinstance(rule, Ratio),
        exact=_noiseless(rule, values),
        opponent=right.name,
        multiplicity=(len(candidates), 1) if picks_highest(rule) else (1, len(candidates)),
        notes=(*notes, *_without_result(left), *_without_result(right), *_left_out(left_out)),
        fairness=fairness(evidence, *numbers, matched=rule.matched),
    )


def _noiseless(rule: Rule, values: Values) -> bool:
    """Whether a single value is exact: one seed is enough for the rule, and the metric is no time."""
    return rule.seeds == 1 and values.size == 1 and metric_named(rule.metric).unit != "s"


def _without_result(side: Side) -> tuple[str, ...]:
    if not side.without_result:
        return ()
    of = f" of {side.name}" if side.name else ""
    return (f"{side.without_result} of {side.planned} runs{of} gave no result",)


def _left_out(seeds: int) -> tuple[str, ...]:
    if not seeds:
        return ()
    return (f"{seeds} seed{'s' if seeds > 1 else ''} left out, lacking a partner or a point",)
