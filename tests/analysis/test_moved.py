"""Does a report know what it moved: verdicts, effects, evidence, and why?"""

from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.analysis.moved import last_report, moves
from seqlab.notebook.claims import Difference, Outcome, Verdict
from seqlab.store.database import Store

RULE = Difference(metric="accuracy", left={"model": "A"}, right={"model": "B"}, above=0.1)
FIRST = Verdict(
    "C38", "calm", Outcome.SUPPORTED, RULE, "says", "reason", effect=0.5, low=0.4, high=0.6, n=5, scope="here"
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "seqlab.db")


def judged(store: Store, verdict: Verdict, day: int) -> None:
    """Keep the verdict as one of that day's report."""
    assert store.add_verdict(verdict, budget="quick")
    with store._transaction():
        store._connection.execute(
            "UPDATE verdict SET judged = ? WHERE id = (SELECT max(id) FROM verdict)",
            (f"2026-11-{day:02}T10:00:0{day % 10}+00:00",),
        )


def test_the_first_report_moves_nothing(store: Store) -> None:
    assert moves(store, "quick") == []
    judged(store, FIRST, 1)
    assert moves(store, "quick") == []


def test_a_changed_verdict_is_told_with_its_seeds(store: Store) -> None:
    judged(store, FIRST, 1)
    judged(store, replace(FIRST, outcome=Outcome.INCONCLUSIVE, n=10), 2)
    [move] = moves(store, "quick")
    assert (move.kind, move.causes) == ("verdict", ("5 seeds before, 10 now",))
    assert move.before
    assert (move.before.outcome, move.after.outcome) == ("supported", "inconclusive")
    assert moves(store, "full") == []


def test_an_effect_moves_only_beyond_its_interval(store: Store) -> None:
    judged(store, FIRST, 1)
    judged(store, replace(FIRST, effect=0.58), 2)
    assert moves(store, "quick") == []
    judged(store, replace(FIRST, effect=0.9, low=0.8, high=1.0), 3)
    assert [move.kind for move in moves(store, "quick")] == ["effect"]


def test_evidence_comes_and_goes(store: Store) -> None:
    nothing = replace(FIRST, outcome=Outcome.NOT_TESTED, effect=None, low=None, high=None, n=0)
    judged(store, FIRST, 1)
    judged(store, replace(nothing, claim="C39"), 1)
    judged(store, nothing, 2)
    judged(store, replace(FIRST, claim="C39"), 2)
    other = replace(RULE, above=0.2)
    judged(store, replace(FIRST, rule=other), 2)
    found = [(move.kind, move.after.claim, move.causes) for move in moves(store, "quick")]
    assert found[0] == ("lost", "C38", ("5 seeds before, 0 now",))
    assert ("new", "C39", ("0 seeds before, 5 now",)) in found
    assert ("new", "C38", ("a rule of this claim was changed or added",)) in found


def test_judgements_of_one_report_lie_close_together() -> None:
    times = [f"2026-11-30T10:{minute}+00:00" for minute in ("00:00", "30:00", "30:50", "31:30")]
    assert last_report(times) == times[1]
    assert last_report([]) == ""
