"""What was measured in each cell of a rule: an effect for each seed, or the reason why there is none?

The cells are the combinations of the rule's `per` levels that the plan holds, so that a missing run is
noticed. A good run that by its page's design does not measure the rule's metric is no part of the rule;
where no run of a cell measured it, the cell is missing.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seqlab.analysis.bounds import bounded_comparison, bounded_slopes
from seqlab.analysis.evidence import Evidence, Run
from seqlab.analysis.fairness import fairness
from seqlab.analysis.intervals import Values
from seqlab.analysis.kinds import ALIKE, ROUNDING
from seqlab.analysis.looks import last_look, next_look
from seqlab.analysis.maturity import Gain, gain
from seqlab.analysis.pairing import deterministic_points, paired_effects
from seqlab.analysis.sides import (
    PlannedPoint,
    Point,
    Side,
    asked_for,
    best_opponent,
    harder_when_better,
    picks_highest,
    side_of,
)
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
    available: int = 0  # seeds with an effect; those beyond the last look are not in `values`
    near: float = 0.0  # the relative distance within which two values are of one kind, see `kinds`
    scale: float = math.nan  # how far an unseen value may lie where all are zero; NaN where unknown
    at_least: bool = False  # some effect may be larger than it was measured
    at_most: bool = False
    opponent: str = ""
    # The same against each other opponent. A cell passes only if it does so against all of them: validation
    # often picks a weaker one, and then "supported" would be wrong in up to 8 %, over four looks in 16 %.
    rivals: tuple["Effects", ...] = ()
    # What the trainings of left and right still gained at their ends; None for a side that did not train.
    gains: tuple[Gain | None, Gain | None] = (None, None)
    # Opponents of the sentence that the page has and the plan's budget leaves out: one may be the best.
    absent: tuple[str, ...] = ()
    harder: bool = True  # a better opponent makes it harder to pass, not to fail
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
    seeds_of: dict[Point, list[int]] = defaultdict(list)
    factors_of: dict[Point, Mapping[str, Level]] = {}
    for trial in planned:
        point = frozenset(trial.factors.items())
        seeds_of[point].append(trial.seed)
        factors_of[point] = trial.factors
    # More seeds of a planned point count; points that nobody planned are no part of the rule.
    runs_of: dict[Point, list[Run]] = defaultdict(list)
    for run in evidence.all_runs:
        runs_of[run.key[0]].append(run)
    points_of: dict[tuple[Level, ...], list[PlannedPoint]] = defaultdict(list)
    for point, factors in factors_of.items():
        if rule.has(factors):
            own = PlannedPoint(point, factors, tuple(seeds_of[point]), tuple(runs_of[point]))
            points_of[tuple(factors[name] for name in rule.per)].append(own)

    deterministic = deterministic_points(experiment)
    budget = experiment.budget(planned[0].budget) if planned else experiment.budgets[0]
    asked, whole = (
        asked_for(rule, one.points, points_of) if isinstance(rule, Comparison) else {}
        for one in (budget, experiment.budget("full"))
    )
    cells = []
    for key, points in points_of.items():
        levels = dict(zip(rule.per, key, strict=True))
        left, *rights = (side_of(side, points) for side in rule.sides)
        if isinstance(rule, Comparison):
            opponents = [right for right in rights if right.planned]
            if not left.planned or not (opponents or asked.get(key)):
                continue  # only one side is meant to be here: no comparison
            gone = [right.name for right in rights if right.name in asked.get(key, ()) and not right.planned]
            if gone:
                missing = f"{', '.join(gone)} left out of the plan; the rule names every opponent"
                cells.append(Effects(levels, missing=missing))
                continue
            found = _comparison(rule, levels, left, opponents, evidence, deterministic)
            here = {right.name for right in opponents}
            absent = tuple(right.name for right in rights if right.name in whole.get(key, set()) - here)
            cells.append(replace(found, absent=absent, notes=_absent(absent, budget.name) + found.notes))
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
    exact = _noiseless(rule, np.array(list(found.values())))
    seeds, waiting = _looked_at(found, exact)
    notes = _without_result(everything) + _left_out(left_out) + waiting
    if not_finite:
        notes += (f"{not_finite} values without a logarithm were left out",)
    values = np.array([found[seed] for seed in seeds])
    known = bounded_slopes(rule, everything.runs, seeds, evidence)
    return Effects(
        levels,
        values,
        seeds,
        exact=exact,
        available=len(found),
        at_least=known.at_least,
        at_most=known.at_most,
        notes=notes + known.notes,
    )


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
    against = [_against(rule, levels, left, side, evidence, deterministic) for side in (right, *candidates)]
    best, harder = against[0], harder_when_better(rule)
    if not best.values.size:
        return Effects(levels, missing=f"no seed has {rule.metric} on both sides", notes=notes)
    return replace(
        best,
        # Where a better opponent makes it easier to pass, the best one is enough.
        rivals=tuple(one for one in against[1:] if one.opponent != best.opponent and harder),
        harder=harder,
        multiplicity=(len(candidates), 1) if picks_highest(rule) else (1, len(candidates)),
        notes=notes + best.notes,
    )


def _against(
    rule: Comparison,
    levels: Mapping[str, Level],
    left: Side,
    right: Side,
    evidence: Evidence,
    deterministic: frozenset[Hashable],
) -> Effects:
    """Left against one opponent, paired by seed; without values where no seed has both."""
    by_run = evidence.run_values(rule.metric, rule.split)
    sides = [[run for run in side.runs if run.run in by_run] for side in (left, right)]
    found, left_out = paired_effects(rule, *sides, evidence=evidence, deterministic=deterministic)
    if not found:
        return Effects(levels, opponent=right.name)
    exact = _noiseless(rule, np.array(list(found.values())))
    seeds, waiting = _looked_at(found, exact)
    difference = not isinstance(rule, Ratio)
    known = bounded_comparison(rule, sides[0], sides[1], seeds, evidence)
    return Effects(
        levels,
        np.array([found[seed] for seed in seeds]),
        seeds,
        log=not difference,
        exact=exact,
        available=len(found),
        at_least=known.at_least,
        at_most=known.at_most,
        near=ALIKE if difference else 0.0,
        scale=max(abs(by_run[run.run]) for side in sides for run in side) if difference else math.nan,
        opponent=right.name,
        gains=(gain(rule, left.name, sides[0], evidence), gain(rule, right.name, sides[1], evidence)),
        notes=(
            *_without_result(left),
            *_without_result(right),
            *_left_out(left_out),
            *waiting,
            *known.notes,
        ),
        fairness=fairness(evidence, *([run.run for run in side] for side in sides), matched=rule.matched),
    )


def _noiseless(rule: Rule, values: Values) -> bool:
    """Whether a value is exact: one seed is enough for the rule, all agree, and the metric is no time."""
    agree = bool(np.ptp(values) <= ROUNDING * np.max(np.abs(values)))
    return rule.seeds == 1 and agree and metric_named(rule.metric).unit != "s"


def _looked_at(found: Mapping[int, float], exact: bool) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The seeds that count at the last look, and a note on those that wait for the next one."""
    seeds = tuple(sorted(found))
    look = len(seeds) if exact else last_look(len(seeds))
    if look == len(seeds):
        return seeds, ()
    return seeds[:look], (
        f"Of {len(seeds)} seeds the first {look} count; the next look is at {next_look(look)} seeds",
    )


def _absent(opponents: Sequence[str], budget: str) -> tuple[str, ...]:
    if not opponents:
        return ()
    return (f"without {', '.join(opponents)}, which the {budget} budget leaves out",)


def _without_result(side: Side) -> tuple[str, ...]:
    if not side.without_result:
        return ()
    of = f" of {side.name}" if side.name else ""
    return (f"{side.without_result} of {side.planned} runs{of} gave no result",)


def _left_out(seeds: int) -> tuple[str, ...]:
    if not seeds:
        return ()
    return (f"{seeds} seed{'s' if seeds > 1 else ''} left out, lacking a partner or a point",)
