"""`seqlab tune`: which learning rate is best for each network of a page, after equally many trials?

Every network trains at every rate of a grid, on a seed that no verdict uses, in trials that are stored like
any others. Where a best rate lies at an edge, the grid grows for all networks of the page alike. What was
found is written beside the page (`training.tried`).
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace

from seqlab import pipeline
from seqlab.commands.common import workspace_of
from seqlab.errors import UsageError
from seqlab.notebook.experiment import TUNING_SEED, Experiment, Trial, Tuning
from seqlab.notebook.metrics import Measurement
from seqlab.running.plan import Plan, Request, runs_that_count
from seqlab.store.database import Store

Scores = Mapping[tuple[int, float], float]  # (number of the point, rate) -> score, lower is better

RATES = (1e-3, 3e-3, 1e-2, 3e-2)
LOWEST, HIGHEST = 1e-5, 1.0  # a grid does not grow beyond


def run(options: argparse.Namespace) -> int:
    """Tune the named pages, one after another; returns the exit status."""
    workspace, how = workspace_of(options), pipeline.Options.of(options)
    failed = 0
    with workspace.locked(), Store(workspace.database) as store:
        for name in options.names:
            work = pipeline.configure(workspace, Request(budget="full"), store, names=[name], kind=how.device)
            (plan,) = work.plans
            tuning = _tuning(plan.experiment)
            rates: tuple[float, ...] = RATES
            while True:
                plan = replace(plan, planned=tuple(trials_of(plan.experiment, tuning, rates)))
                work = replace(work, plans=pipeline.due_now([plan], store, work.device))
                failed += pipeline.measure(workspace, work, store, how)
                scores = _scores(plan, store, work.device, tuning, rates)
                if how.limit and len(scores) < len(plan.planned):
                    print(
                        f"{name}: {len(scores)} of {len(plan.planned)} trials done; the same command goes on."
                    )
                    return 1 if failed else 0
                wider = wider_grid(rates, scores)
                if wider == rates:
                    break
                rates = wider
            _write(plan, tuning, rates, scores)
    return 1 if failed else 0


def trials_of(experiment: Experiment, tuning: Tuning, rates: Sequence[float]) -> list[Trial]:
    """A trial for each point and rate, point by point."""
    budget = experiment.budget("full")
    settings = {**experiment.settings(budget), **tuning.settings}
    return [
        Trial(
            experiment.name,
            dict(point.factors),
            TUNING_SEED,
            "full",
            {**settings, "rate": rate},
            budget.timeout,
        )
        for point in tuning.points
        for rate in rates
    ]


def wider_grid(rates: Sequence[float], scores: Scores) -> tuple[float, ...]:
    """The grid with a further rate at each edge where some point's best lies; the same where none does.

    Neighbours are about a factor of three apart.
    """
    best = set(best_rates(scores).values())
    lower = [_third(min(rates))] if min(rates) in best and min(rates) > 3 * LOWEST else []
    higher = [_triple(max(rates))] if max(rates) in best and max(rates) < HIGHEST / 3 else []
    return (*lower, *rates, *higher)


def best_rates(scores: Scores) -> dict[int, float]:
    """The best rate of each point; of those that all diverged, the lowest."""
    from seqlab.training.tried import best_rate

    found = {}
    for point in dict.fromkeys(point for point, _ in scores):
        tried = [(rate, score) for (number, rate), score in scores.items() if number == point]
        diverged = all(score == float("inf") for _, score in tried)
        found[point] = min(rate for rate, _ in tried) if diverged else best_rate(tried)
    return found


def _triple(rate: float) -> float:
    """The next of 1, 3, 10, 30 …"""
    return float(f"{rate * (3 if f'{rate:e}'[0] == '1' else 10 / 3):.0e}")


def _third(rate: float) -> float:
    return float(f"{rate / (3 if f'{rate:e}'[0] == '3' else 10 / 3):.0e}")


def _tried(tuning: Tuning, rates: Sequence[float]) -> list[tuple[int, float]]:
    """The number of the point and the rate of each trial, in the order of `trials_of`."""
    return [(point, rate) for point in range(len(tuning.points)) for rate in rates]


def _tuning(experiment: Experiment) -> Tuning:
    if experiment.tuning is None:
        raise UsageError(
            f"{experiment.name} says nothing of tuning. Give its Experiment a tuning=Tuning(points, by)."
        )
    return experiment.tuning


def _scores(
    plan: Plan, store: Store, device: tuple[str, str, str], tuning: Tuning, rates: Sequence[float]
) -> Scores:
    """The best validation value of each trial that ran, infinite where it diverged."""
    _, name, mlx = device
    records = store.records(plan.experiment.name)
    counted = set(
        runs_that_count(
            plan.planned, records, fingerprint=plan.fingerprint, device=name, mlx=mlx, changes=plan.changes
        )
    )
    of_key = {record.key: record for record in records if record.id in counted}
    found = {}
    for number, trial in zip(_tried(tuning, rates), plan.planned, strict=True):
        record = of_key.get(trial.key(device=name, mlx=mlx))
        if record and record.status == "ok":
            found[number] = _best(store, record.id)
        elif record and record.status == "diverged":
            found[number] = float("inf")
    return found


def _best(store: Store, run: int) -> float:
    """The best value of the metric that chose the weights, signed so that lower is better."""
    from seqlab.training.rates import validation_score

    return validation_score(
        Measurement(metric, value, split, step)
        for _, metric, split, step, value in store.measured([run])
        if step is not None
    )


def _write(plan: Plan, tuning: Tuning, rates: Sequence[float], scores: Scores) -> None:
    """Write the record, and say what was chosen."""
    from seqlab.training import tried

    asked = _tried(tuning, rates)
    if missing := len(set(asked) - scores.keys()):
        raise UsageError(
            f"{plan.experiment.name}: {missing} tuning trials gave no result, so no rate is chosen. "
            "See what failed above, mend it and run the same command again."
        )
    path = plan.page.parent / tried.FOLDER / f"{plan.experiment.name}.csv"
    settings = plan.experiment.settings(plan.experiment.budget("full"))
    rows = [(tuning.points[point].factors, settings, rate, scores[point, rate]) for point, rate in asked]
    tried.write(path, tuning.by, rows)
    for point, rate in best_rates(scores).items():
        levels = ", ".join(f"{name}={tuning.points[point].factors[name]}" for name in tuning.by)
        edge = " (at the edge of the grid)" if rate in (min(rates), max(rates)) else ""
        print(f"{plan.experiment.name}: {levels}: rate {rate:g} of {len(rates)} tried{edge}")
