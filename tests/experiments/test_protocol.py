"""Do the budgets of every page share their trials, so that a second hour goes on where the first ended?"""

from pathlib import Path

import pytest

from seqlab.notebook.discover import BEFORE_PROTOCOLS, discover
from seqlab.notebook.experiment import BudgetName, Experiment
from seqlab.notebook.ledger import read
from seqlab.running.plan import Request, trials

ROOT = Path(__file__).parents[2]
PAGES = discover(ROOT / "experiments", read(ROOT / "report" / "claims.toml")).experiments
# Of quick's trials, those that full does without: it looks for the best step among larger ones.
NOT_SHARED = {"utilisation": 6}


def keys(page: Experiment, budget: BudgetName) -> set[str]:
    return {trial.key(device="cpu", mlx="1.0") for trial in trials(page, Request(budget))}


@pytest.mark.parametrize("name", sorted(PAGES.keys() - BEFORE_PROTOCOLS))
def test_full_has_the_trials_of_quick(name: str) -> None:
    quick, full = keys(PAGES[name], "quick"), keys(PAGES[name], "full")
    assert len(quick - full) == NOT_SHARED.get(name, 0)
    assert not PAGES[name].departures()


@pytest.mark.parametrize("name", sorted(BEFORE_PROTOCOLS))
def test_the_list_of_pages_without_a_protocol_names_no_other(name: str) -> None:
    page = PAGES[name]
    assert page.departures()
    assert not keys(page, "quick") & keys(page, "full")
