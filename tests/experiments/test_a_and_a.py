"""A comparison of a model with itself comes out inconclusive, and would not by a harness that is unfair.

The page `tests/pages/a_and_a.py` says why chance cannot make this test fail.
"""

from pathlib import Path

import pytest

from seqlab.notebook.claims import Outcome, Verdict
from seqlab.notebook.experiment import BudgetName
from seqlab.pipeline import Options, analyse, configure, evidence_runs, measure
from seqlab.running.plan import Request
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace
from tests.project import make

PAGE = Path(__file__).parent / "pages" / "a_and_a.py"


def verdict(folder: Path, budget: BudgetName, **changes: str) -> Verdict:
    """What the whole way from the plan to the judgement says of the page's only claim."""
    workspace = Workspace.of(make(folder, a_and_a=PAGE.read_text()), None)
    request = Request(budget, changes=changes)
    workspace.results.mkdir()
    with Store(workspace.database) as store:
        work = configure(workspace, request, store, names=["a_and_a"], kind=None)
        assert measure(workspace, work, store, Options()) == 0
        (found,) = analyse(work, evidence_runs(work, store), store, request=request)
    (only,) = found.verdicts
    return only


def judged(found: Verdict) -> None:
    """A verdict on the intervals themselves, not on seeds or measurements that were wanting."""
    assert len(found.cells) == 3
    assert found.n >= found.rule.seeds
    assert all(record.ok for record in found.fairness)
    assert all(0 < cell.low < cell.high for cell in found.cells)


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["quick", "full"])
def test_a_model_does_not_differ_from_itself(tmp_path: Path, budget: BudgetName) -> None:
    found = verdict(tmp_path, budget)
    judged(found)
    assert found.outcome is Outcome.INCONCLUSIVE, found.cells


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "outcome"), [("drawn", Outcome.INCONCLUSIVE), ("fixed", Outcome.NOT_SUPPORTED)]
)
def test_where_steps_tire_a_drawn_order_is_fair_and_a_fixed_one_is_not(
    tmp_path: Path, order: str, outcome: Outcome
) -> None:
    found = verdict(tmp_path, "quick", order=order, clock="tiring")
    judged(found)
    assert found.outcome is outcome, found.cells
