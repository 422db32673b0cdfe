"""Does the smoke budget say whether pages work, and nothing about a claim?"""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.__main__ import main
from tests.project import CALM, FAILING, make

Run = Callable[..., int]
SMOKE = ("--smoke", "--engine", "embedded")
OUTCOMES = ("supported", "inconclusive", "not tested")


@pytest.fixture
def seqlab(tmp_path: Path) -> Run:
    """Run a command on the project in `tmp_path`; returns the exit status."""
    return lambda *command: main([*command, "--root", str(tmp_path)])


def verdicts(root: Path) -> int:
    with sqlite3.connect(root / "results" / "seqlab.db") as connection:
        return int(connection.execute("SELECT count(*) FROM verdict").fetchone()[0])


def sections(root: Path) -> dict[str, str]:
    """The words of the report's parts, each from its label on."""
    html = (root / "results" / "report.html").read_text(encoding="utf-8")
    labels = ("sec-summary", "sec-calm", "sec-failing", "sec-claims", "sec-methods", "sec-failures")
    places = sorted((html.index(f'id="{label}"'), label) for label in labels if f'id="{label}"' in html)
    ends = [place for place, _ in places[1:]] + [len(html)]
    words = [
        re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", html[a:b])) for (a, _), b in zip(places, ends, strict=True)
    ]
    return dict(zip((label for _, label in places), words, strict=True))


def test_a_smoke_run_says_that_the_page_works_and_judges_nothing(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("run", "calm", "--smoke") == 0
    shown = capsys.readouterr().out
    assert "Accuracy" in shown  # the table
    assert shown.rstrip().endswith("smoke: works")
    assert "C38" not in shown
    assert seqlab("report", *SMOKE) == 0
    assert verdicts(tmp_path) == 0
    said = sections(tmp_path)
    for part in ("sec-summary", "sec-calm", "sec-claims"):
        assert "smoke: works" in said[part]
        assert not [outcome for outcome in OUTCOMES if outcome in said[part]], part
    assert "Accuracy of both." in said["sec-calm"]

    capsys.readouterr()
    for command in ("claims", "diff"):
        assert seqlab(command) == 0
        last = capsys.readouterr().out.splitlines()[-1]
        assert (
            last == "Only the smoke budget ran here, which judges no claim; `seqlab report` gives verdicts."
        )
    assert seqlab("diff", str(tmp_path / "results" / "seqlab.db")) == 0
    assert "Only the smoke budget ran there" in capsys.readouterr().out

    assert seqlab("run", "calm") == 0  # by the same trials: the page has no toy settings
    assert verdicts(tmp_path) == 1
    assert "smoke" not in capsys.readouterr().out
    assert seqlab("diff") == 0
    assert "smoke" not in capsys.readouterr().out


def test_a_smoke_run_says_which_trials_did_not_work(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, failing=FAILING)
    assert seqlab("run", "failing", "--smoke") == 1
    assert "smoke: of 10 trials 10 failed" in capsys.readouterr().out
    assert seqlab("report", *SMOKE) == 1
    said = sections(tmp_path)
    for part in ("sec-summary", "sec-failing", "sec-claims"):
        assert "smoke: of 10 trials 10 failed" in said[part]
    assert "on purpose" in said["sec-failures"]


def test_a_smoke_report_without_any_run_says_so(tmp_path: Path, seqlab: Run) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report", *SMOKE, "--no-run") == 3
    said = sections(tmp_path)
    assert "Nothing has been measured yet" in said["sec-summary"]
    assert "smoke: of 10 trials 10 not run" in said["sec-calm"]


def test_a_rule_that_cannot_be_judged_is_found_by_smoke_too(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    page = CALM.replace('"accuracy"', '"influence"').replace('split="test", ', "")
    page = page.replace(
        '"test")', '"test")\n    for step in (1, 2):\n        yield Measurement("influence", 0.5, "", step)'
    )
    make(tmp_path, calm=page)  # one value for each position, not for each run
    assert seqlab("run", "calm", "--smoke") == 1
    told = capsys.readouterr().err
    assert "calm: its runs cannot be judged: expected one value of 'influence' for each run" in told
