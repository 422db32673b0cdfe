"""Do the budgets of every page share their trials, so that a second hour goes on where the first ended?"""

import csv
import json
from pathlib import Path

import pytest

from seqlab.notebook.discover import discover
from seqlab.notebook.experiment import BudgetName, Experiment, Tuning
from seqlab.notebook.learning_curve import FEWEST, last_quarter
from seqlab.notebook.ledger import read
from seqlab.running.plan import Request, trials
from seqlab.training import tried
from seqlab.training.rates import constant_part

ROOT = Path(__file__).parents[2]
PAGES = discover(ROOT / "experiments", read(ROOT / "report" / "claims.toml")).experiments
# Of quick's trials, those that full does without: it looks for the best step among larger ones.
NOT_SHARED = {"utilisation": 6}
TUNED = {name: page.tuning for name, page in PAGES.items() if page.tuning is not None}
ONE_PASS = {"scaling"}  # its rule does not ask whether a training is finished


def keys(page: Experiment, budget: BudgetName) -> set[str]:
    return {trial.key(device="cpu", mlx="1.0") for trial in trials(page, Request(budget))}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_full_has_the_trials_of_quick(name: str) -> None:
    quick, full = keys(PAGES[name], "quick"), keys(PAGES[name], "full")
    assert len(quick - full) == NOT_SHARED.get(name, 0)
    assert not PAGES[name].departures()


@pytest.mark.parametrize("name", sorted(TUNED))
def test_rates_are_tuned_before_and_smoke_looks_for_none(name: str) -> None:
    page = PAGES[name]
    assert page.protocol["rate"] == 0
    assert float(page.settings(page.budget("smoke"))["rate"]) > 0


@pytest.mark.parametrize("name", sorted(TUNED.keys() - ONE_PASS))
def test_the_last_quarter_of_a_training_is_measured(name: str) -> None:
    """At the cap, on any validation curve; a training that ends early has had as many evaluations."""
    steps, evaluations = int(PAGES[name].protocol["steps"]), int(PAGES[name].protocol["evaluations"])
    every, constant = max(1, steps // evaluations), constant_part(steps)
    curve = [(step, 0.0) for step in range(every, steps + 1, every)]
    assert last_quarter(curve, constant, higher=True, fewest=FEWEST) is not None
    assert sum(3 / 4 * constant < step <= constant for step, _ in curve) >= 2


@pytest.mark.parametrize("name", sorted(TUNED))
def test_rates_are_tuned_at_points_of_the_page(name: str) -> None:
    """And for every network, alone: seeds that train side by side would be trained for nothing."""
    page, tuning = PAGES[name], TUNED[name]
    planned = [dict(point.factors) for point in page.budget("full").points]
    assert all(dict(point.factors) in planned for point in tuning.points)
    levels = [tuple(point.factors[factor] for factor in tuning.by) for point in tuning.points]
    assert len(set(levels)) == len(levels)  # a trial takes the rate of one of them
    assert tuning.settings.keys() <= page.protocol.keys()
    assert {**page.protocol, **tuning.settings}.get("together", 1) == 1


@pytest.mark.parametrize("name", sorted(TUNED))
def test_the_record_of_rates_is_of_this_protocol(name: str) -> None:
    """Equally many rates for every network, and none is the best at the edge of what was tried."""
    path = ROOT / "experiments" / tried.FOLDER / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"{name} was not tuned yet")
    found = scores(path, TUNED[name])
    settings = tried.tried_for(PAGES[name].settings(PAGES[name].budget("full")))
    assert {of for _, of in found} == {settings}
    asked = [tuple(str(point.factors[by]) for by in TUNED[name].by) for point in TUNED[name].points]
    assert sorted(levels for levels, _ in found) == sorted(asked)
    grids = {tuple(sorted(rates)) for rates in found.values()}
    assert len(grids) == 1
    for levels, rates in found.items():
        best = tried.best_rate(rates.items())
        within = [score for rate, score in rates.items() if min(rates) < rate < max(rates)]
        # A task that is solved at an edge and within alike needs no wider grid.
        assert min(rates) < best < max(rates) or min(within) <= rates[best], (levels, best)


def scores(path: Path, tuning: Tuning) -> dict[tuple[tuple[str, ...], str], dict[float, float]]:
    """Of each network, with the settings that it was tried for: the score of each rate."""
    found: dict[tuple[tuple[str, ...], str], dict[float, float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            score = float("inf") if row[tried.SCORE] == "diverged" else float(row[tried.SCORE])
            key = tuple(row[by] for by in tuning.by), row[tried.TRIED_FOR]
            assert float(row[tried.RATE]) not in found.setdefault(key, {}), json.dumps(row)
            found[key][float(row[tried.RATE])] = score
    return found
