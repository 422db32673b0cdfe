"""Does the tutorial work, taken literally from an empty file to a judged claim in the report?"""

import re
import shutil
from pathlib import Path

import pytest

from seqlab.__main__ import main

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "first-page.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_each_step_of_the_tutorial_works_as_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, trial, plain, claiming = blocks("python")
    (claim,) = blocks("toml")
    page = tmp_path / "experiments" / "layers.py"
    page.parent.mkdir()
    shutil.copytree(ROOT / "report", tmp_path / "report", ignore=shutil.ignore_patterns("_output"))
    where = ["--root", str(tmp_path)]
    ledger = tmp_path / "report" / "claims.toml"
    ledger.write_text(ledger.read_text().partition('[[claim]]\nid = "L01"')[0])  # if it was followed here

    page.write_text(head + trial + plain)
    assert main(["run", "layers", "--budget", "smoke", *where]) == 0
    assert "4/4" in capsys.readouterr().err
    assert main(["run", "layers", "--dry-run", *where]) == 0
    assert "10 trials are due." in capsys.readouterr().out

    page.write_text(head + trial + "\n\n" + claiming)
    assert main(["run", "layers", "--budget", "smoke", *where]) == 2  # the claim is not in the ledger yet
    assert "Add a new one to report/claims.toml." in capsys.readouterr().err
    ledger.write_text(ledger.read_text() + "\n" + claim)
    assert main(["run", "layers", "--budget", "smoke", *where]) == 0
    shown = capsys.readouterr()
    assert "4/4" not in shown.err  # a rule is no part of what produced the results
    assert "smoke: works" in shown.out
    assert "L01" not in shown.out

    few = ["--seeds", "2", "--set", "steps=5", *where]  # the same trials, asked for by the default budget
    assert main(["report", "--only", "layers", "--engine", "embedded", *few]) == 0
    assert "4/4" not in capsys.readouterr().err
    assert main(["run", "layers", *few]) == 0
    assert "L01: inconclusive" in capsys.readouterr().out  # two seeds, where a rule asks for five
    html = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert "A second layer makes a small minGRU better" in html
    assert "Does a second layer help a minGRU" in html
    assert "written after its first runs" in html  # those of smoke, before there was a claim
