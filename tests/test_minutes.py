"""Does a limited time work from the command line: some trials now, the others by the same command again?"""

import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.__main__ import main
from tests.project import CALM, FAILING, make

Run = Callable[..., int]
SLOW = CALM.replace('"pause": 0.0', '"pause": 0.5')


@pytest.fixture
def seqlab(tmp_path: Path) -> Run:
    """Run a command on the project in `tmp_path`; returns the exit status."""

    def run(command: str, *arguments: str) -> int:
        return main([command, *arguments, "--root", str(tmp_path)])

    return run


def keys(root: Path) -> list[str]:
    with sqlite3.connect(root / "results" / "seqlab.db") as connection:
        return [row[0] for row in connection.execute("SELECT key FROM run ORDER BY id")]


def test_the_quick_report_takes_no_longer_than_it_says(
    tmp_path: Path, seqlab: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, slow=SLOW)
    monkeypatch.setattr("seqlab.pipeline.options.QUICK_SECONDS", 7.0)
    assert seqlab("report") == 0
    assert "Stopped after" in capsys.readouterr().err
    first = len(keys(tmp_path))
    assert first < 10
    html = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert re.search(rf"left out\s+{10 - first}\s+of the\s+trials", html)
    assert seqlab("report", "--only", "slow") == 0  # what is named runs whole
    assert "Stopped after" not in capsys.readouterr().err
    assert len(keys(tmp_path)) == len(set(keys(tmp_path))) == 10


def test_a_trial_that_failed_is_not_told_as_left_out(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, failing=FAILING)
    assert seqlab("run", "failing", "--hours", "1") == 1
    shown = capsys.readouterr().err
    assert "10/10" in shown
    assert "left out" not in shown


def test_a_limit_of_nothing_is_refused(
    seqlab: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, slow=SLOW)
    assert seqlab("report", "--no-run", "--minutes", "2") == 2
    assert "--no-run runs nothing, so --minutes and --hours limit nothing. Leave one out." in (
        capsys.readouterr().err
    )


def test_the_same_command_goes_on_until_nothing_is_due_and_no_trial_runs_twice(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, slow=SLOW)
    counts, decided = [0], []
    while counts[-1] < 10:
        begin = time.monotonic()
        assert seqlab("report", "--minutes", "0.12") == 0
        assert (tmp_path / "results" / "report.html").is_file()
        shown = capsys.readouterr().err
        counts.append(len(keys(tmp_path)))
        assert counts[-1] > counts[-2]  # each command gets on
        decided.append(int(re.findall(r"(\d) of 1 claim decided", shown)[-1]))
        if counts[-1] < 10:
            assert time.monotonic() - begin < 60  # far from exact where other tests run too
            assert f"{counts[-1] - counts[-2]} ran, {10 - counts[-1]} left out" in shown
            assert "Another hour would likely decide 1 more: C38 (slow: " in shown
    assert len(counts) > 2  # it took more than one command
    assert decided == sorted(decided)
    assert decided[-1] == 1
    assert len(keys(tmp_path)) == len(set(keys(tmp_path))) == 10

    before = (tmp_path / "results" / "report.html").stat().st_mtime_ns
    for arguments in (("--minutes", "0.12"), ("--hours", "2"), ()):
        assert seqlab("report", *arguments) == 0
        assert "up to date" in capsys.readouterr().out
    assert (tmp_path / "results" / "report.html").stat().st_mtime_ns == before
    assert len(keys(tmp_path)) == 10


def test_one_trial_runs_however_short_the_time(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    for count in (1, 2):
        assert seqlab("run", "calm", "--minutes", "0.0001") == 0
        shown = capsys.readouterr()
        assert "C38: " in shown.out
        assert "1 ran" in shown.err
        assert len(set(keys(tmp_path))) == count
    assert seqlab("report", "--hours", "0.0001") == 0
    assert "7 left out" in capsys.readouterr().err
    assert seqlab("report") == 0  # a report that left something out is never taken for finished
    assert len(set(keys(tmp_path))) == len(keys(tmp_path)) == 10


def test_ample_time_is_no_limit(tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report", "--hours", "1") == 0
    shown = capsys.readouterr().err
    assert "[10/10, 1 of 1 claim decided]" in shown
    assert "left out" not in shown
    assert len(keys(tmp_path)) == 10


def test_a_decided_claim_gives_way(tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, first=CALM, second=CALM.replace("C38", "C41"))
    assert seqlab("run", "first") == 0
    capsys.readouterr()
    assert seqlab("report", "--seeds", "6", "--hours", "1") == 0
    pages = re.findall(r"\] (first|second): ", capsys.readouterr().err)
    assert pages == ["second"] * 12 + ["first"] * 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--minutes", "0"], "--minutes must be above 0 and finite, found 0."),
        (["--minutes", "-5"], "--minutes must be above 0 and finite, found -5."),
        (["--hours", "nan"], "--hours must be above 0 and finite, found nan."),
        (["--hours", "inf"], "--hours must be above 0 and finite, found inf."),
        (["--minutes", "5", "--budget", "smoke"], "--minutes needs --budget quick or full, found smoke"),
        (["--hours", "1", "--smoke"], "--hours needs --budget quick or full, found smoke"),
        (["--minutes", "5", "--hours", "1"], "expected --minutes or --hours, found both"),
        (["--minutes", "5", "--force"], "--force begins again"),
    ],
)
def test_a_wrong_time_is_one_clear_line(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    make(tmp_path, calm=CALM)
    for command in (["run", "calm"], ["report"]):
        assert seqlab(*command, *arguments) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    assert not (tmp_path / "results").exists()
