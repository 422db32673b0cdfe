"""Is the table of what the reference reached made from its runs and its goals alone?"""

from pathlib import Path

import pytest

from seqlab.commands import goals
from seqlab.errors import UsageError
from seqlab.notebook.discover import discover
from seqlab.notebook.ledger import read
from tests.reference.made import an_entry, make_reference

ROOT = Path(__file__).parents[1]
GOAL = """
[[goal]]
page = "calm"
where = { model = "Transformer" }
what = "share that is right"
metric = "accuracy"
split = "test"
goal = 0.5
beside = "guessing 0.1"
"""
PAGES = discover(ROOT / "experiments", read(ROOT / "report" / "claims.toml")).experiments


@pytest.mark.parametrize("goal", goals.read(ROOT / goals.FILE), ids=lambda goal: f"{goal.page} {goal.metric}")
def test_every_goal_is_about_trials_that_its_page_plans(goal: goals.Goal) -> None:
    planned = [point.factors for point in PAGES[goal.page].budget("full").points]
    assert any(goals.matches(factors, goal.where) for factors in planned)


@pytest.mark.parametrize(
    ("score", "shown"), [(0.75, "0.750"), (0.25, "0.250: missed"), (None, "not measured yet")]
)
def test_the_table_says_what_was_reached(tmp_path: Path, score: float | None, shown: str) -> None:
    given = {("accuracy", "test"): [(None, score)], ("accuracy", "valid"): [(1, 0.9)]} if score else {}
    make_reference(tmp_path, found=[an_entry("Transformer", series=given)])
    (tmp_path / "report" / "goals.toml").write_text(GOAL)
    assert goals.write(tmp_path, tmp_path / "report" / "reference")
    row = (tmp_path / goals.TABLE).read_text().splitlines()[-1]
    seeds = 0 if score is None else 1
    assert row == f"| `calm` | share that is right | at least 0.5 | {shown} | {seeds} | guessing 0.1 |"
    assert not goals.write(tmp_path, tmp_path / "report" / "reference")  # as before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOAL.replace("split", "spilt"), "missing or unknown: spilt, split"),
        (GOAL.replace("accuracy", "acuracy"), "accuracy"),
        ("[[goal]", "expected .*goal"),
    ],
)
def test_a_goal_that_is_not_understood_is_a_usage_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "goals.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        goals.read(path)
