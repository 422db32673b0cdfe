"""Made-up pages with known effects: what the analysis must find in them is known beforehand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from seqlab.analysis.evidence import Evidence
from seqlab.analysis.verdicts import judge
from seqlab.notebook.claims import Claim, Rule, Verdict
from seqlab.notebook.experiment import Budget, Experiment, Point, Trial
from seqlab.notebook.figures import Level

# Given equally to both sides, so that a comparison of planted values is fair unless a test says otherwise.
FAIR = {"parameters": 1e5, "step_flops": 1e9, "step_limit": 300, "train_examples": 5000, "tuning_trials": 3}


@dataclass(frozen=True)
class Done:
    """A run that happened. `measured` maps "metric" or "metric@split" to a value or to several."""

    factors: Mapping[str, Level]
    seed: int
    measured: Mapping[str, float | Sequence[float]] = field(default_factory=dict)
    status: str = "ok"


def evidence(done: Iterable[Done]) -> Evidence:
    """The two tables as the store gives them; several values get the steps 0, 1, 2, …"""
    runs, measurements = [], []
    for number, run in enumerate(done):
        own = {
            "run": number,
            "experiment": "planted",
            "seed": run.seed,
            "status": run.status,
            "device": "cpu (test)",
        }
        runs.append(own | dict(run.factors))
        for name, values in run.measured.items():
            metric, _, split = name.partition("@")
            several = isinstance(values, Sequence | np.ndarray)
            for step, value in enumerate(values if several else [values]):
                measurements.append([number, metric, float(value), split, step if several else None])
    table = pd.DataFrame(runs)
    for name in table.columns.difference(["run", "experiment", "seed", "status", "device"]):
        table[name] = table[name].astype(object)
    columns = ["run", "metric", "value", "split", "step"]
    return Evidence(table, pd.DataFrame(measurements, columns=columns).astype({"step": "Int64"}))


def trials(done: Iterable[Done]) -> list[Trial]:
    """The plan that asks for exactly these runs."""
    return [Trial("planted", run.factors, run.seed, "quick", {}) for run in done]


def planted_page(*rules: Rule, points: Sequence[Done] = ()) -> Experiment:
    """A page with these rules. A point that has seed -1 is deterministic by its grid."""
    return Experiment(
        run=lambda trial: iter(()),
        budgets=(
            Budget("quick", tuple(Point(run.factors, None if run.seed == -1 else 5) for run in points)),
        ),
        claims=tuple(Claim(f"C{number:02}", rule, "made up") for number, rule in enumerate(rules)),
        name="planted",
    )


def verdicts(
    rules: Sequence[Rule], done: Sequence[Done], *, also_planned: Sequence[Done] = ()
) -> tuple[Verdict, ...]:
    """Judge a page with these rules, on runs that were all planned."""
    planned = [*done, *also_planned]
    return judge(planted_page(*rules, points=planned), evidence(done), trials(planned))


def verdict(rule: Rule, done: Sequence[Done], *, also_planned: Sequence[Done] = ()) -> Verdict:
    """Judge a page with one rule."""
    return verdicts([rule], done, also_planned=also_planned)[0]


def duel(
    left: Mapping[Level, Sequence[float]],
    right: Mapping[Level, Sequence[float]],
    *,
    metric: str = "accuracy@test",
    along: str = "length",
    given: Mapping[str, float] = FAIR,
    given_right: Mapping[str, float] | None = None,
) -> list[Done]:
    """Runs of models A and B: for each level of a factor, one value a seed."""
    sides = {"A": (left, given), "B": (right, given if given_right is None else given_right)}
    return [
        Done({"model": model, along: level}, seed, {metric: value} | fair)
        for model, (levels, fair) in sides.items()
        for level, values in levels.items()
        for seed, value in enumerate(values)
    ]
