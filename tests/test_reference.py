"""Does a report rest on the reference as it should: in a fresh clone, beside own runs, if it is damaged?"""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab import pipeline
from seqlab.__main__ import main
from seqlab.commands import reference
from seqlab.running import replication
from seqlab.running.plan import Request
from seqlab.store.workspace import Workspace
from tests.project import make
from tests.reference.made import LEARNING, an_entry, entries, make_reference

Run = Callable[..., int]
SHOWN = "reference: 5 seeds, AMD EPYC 9454 48-Core, 12 December 2026; here: 0 trials"
LONGER = LEARNING.replace('"pause": 0.0', '"pause": 0.5')


@pytest.fixture
def seqlab(tmp_path: Path) -> Run:
    """Run a command on the project in `tmp_path`; returns the exit status."""

    def run(command: str, *arguments: str) -> int:
        return main([command, *arguments, "--root", str(tmp_path)])

    return run


def chapter(root: Path, page: str = "calm", claim: str = "c38") -> str:
    """The source of the page's chapter and of its claim's section, without escapes."""
    folder = root / "results" / "report"
    (section,) = re.findall(
        rf"^### [^\n]*{{#sec-{claim}}}.*?(?=^##)",
        (folder / "report.qmd").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    return ((folder / f"_chapter-{page}.qmd").read_text() + section).replace("\\", "")


def keys(root: Path, results: str = "results") -> list[str]:
    with sqlite3.connect(root / results / "seqlab.db") as connection:
        return [row[0] for row in connection.execute("SELECT key FROM run ORDER BY id")]


def test_a_fresh_clone_has_a_report_from_the_reference_alone(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make_reference(make(tmp_path, calm=LEARNING))
    assert seqlab("report", "--no-run") == 0
    shown = chapter(tmp_path)
    assert "[supported]{.verdict .supported} The Transformer is right more often." in shown
    assert SHOWN in shown
    assert "its code changed: experiments/calm.py changed." in shown
    assert shown.count("n = 5 seeds; reference: AMD EPYC 9454 48-Core, 12 December 2026") == 2  # chart, table
    assert "No trial of this page has run here yet: what it shows is the reference" in shown
    assert seqlab("show", "C38") == 0
    assert "C38: supported" in capsys.readouterr().out
    front = (tmp_path / "results" / "report" / "report.qmd").read_text().replace("\\", "")
    assert "Machine and software of the reference." in front
    assert "Nothing was run here, so there is nothing to list." in front
    assert keys(tmp_path) == []
    capsys.readouterr()

    assert seqlab("report", "--no-run") == 0
    assert "up to date" in capsys.readouterr().out
    for arguments, evidence in (([], "reference"), (["--no-reference"], "not tested")):
        assert seqlab("claims", *arguments) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if " C38 " in line]
        assert evidence in line

    assert seqlab("report", "--no-run", "--no-reference") == 3
    assert "the report is empty" in capsys.readouterr().err


def test_without_a_reference_all_is_as_ever(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=LEARNING)
    (tmp_path / "report" / "reference").mkdir()
    assert seqlab("report", "--dry-run") == 0
    assert "calm: 10 of 10 trials are due\n" in capsys.readouterr().out
    assert seqlab("run", "calm") == 0
    assert "eference" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "due"),
    [
        ([], 0),
        (["--only", "calm"], 10),
        (["--no-reference"], 10),
        (["--force"], 10),
        (["--set", "steps=4"], 10),
        (["--seeds", "7"], 4),
        (["--budget", "smoke"], 10),
    ],
)
def test_what_the_reference_has_is_due_only_if_asked_for(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], due: int
) -> None:
    make_reference(make(tmp_path, calm=LEARNING))
    assert seqlab("report", "--dry-run", *arguments) == 0
    shown = capsys.readouterr().out
    assert f"calm: {due} of " in shown
    assert ("10 are in the reference" in shown) == (due < 10)


def test_what_measures_time_is_always_due(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    exclusive = LEARNING.replace("    parallel_over=", '    exclusive={"model": "LSTM"},\n    parallel_over=')
    alone = LEARNING.replace('    parallel_over=("model",),\n', "")
    root = make(tmp_path, calm=exclusive, alone=alone.replace("C38", "C41"))
    make_reference(root)
    assert seqlab("report", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "calm: 5 of 10 trials are due, 5 are in the reference" in shown
    assert "alone: 10 of 10 trials are due\n" in shown
    assert "model=Transformer" not in shown.partition("calm:")[2]


def test_some_of_it_runs_here_too_and_then_nothing(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(tmp_path, calm=LONGER)
    settings = {"pause": 0.5, "steps": 3}
    make_reference(root, found=entries(settings=settings, seconds=0.5))
    monkeypatch.setitem(replication.SECONDS, "quick", 2.0)  # type: ignore[arg-type]
    assert seqlab("report", "--jobs", "1") == 0
    shown = capsys.readouterr()
    count = len(keys(root))
    assert 1 <= count <= 4
    assert "The reference has 10 of the trials; 4 of them run here too." in shown.err
    assert f"here: {count} trial" in chapter(root)
    assert "reference: 5 seeds" in chapter(root)

    assert seqlab("report", "--jobs", "1") == 0
    assert "up to date" in capsys.readouterr().out
    assert len(keys(root)) == count
    file = root / "report" / "reference" / "calm.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])  # a report that is up to date looks at it too
    assert seqlab("report", "--jobs", "1") == 2
    file.write_bytes(whole)
    drawn = json.loads((root / "results" / ".replication.json").read_text())
    assert len(drawn["trials"]) == 4

    # A limited time is used up; then all has run here, and the reference is no longer needed.
    assert seqlab("report", "--minutes", "10") == 0
    assert len(set(keys(root))) == len(keys(root)) == 10
    assert "reference: " not in chapter(root)
    assert seqlab("report", "--minutes", "10") == 0
    assert "up to date" in capsys.readouterr().out


def test_progress_counts_what_the_reference_decides(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = LEARNING.replace('    parallel_over=("model",),\n', "").replace("C38", "C41")
    make_reference(make(tmp_path, calm=LEARNING, alone=alone))
    monkeypatch.setitem(replication.SECONDS, "quick", 0.0)  # type: ignore[arg-type]
    assert seqlab("report") == 0
    assert "[1/10, 1 of 2 claims decided] alone:" in capsys.readouterr().err


def test_a_comment_is_no_change_and_a_constant_is(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path, calm=LEARNING)
    page = root / "experiments" / "calm.py"
    assert seqlab("reference", "--run", "--results", str(root / "results" / "reference")) == 0
    assert "report/reference: 10 runs, 10 of them new" in capsys.readouterr().out
    page.write_text(f"{LEARNING}\n# a comment\n")
    assert seqlab("report", "--no-run") == 0
    assert "reference: 5 seeds" in chapter(root)
    assert "changed:" not in chapter(root)
    page.write_text(LEARNING.replace("LIFT = 0.5", "LIFT = 0.4"))
    assert seqlab("report", "--no-run") == 0
    assert "Since the reference was measured, its code changed: experiments/calm.py changed." in chapter(root)

    # Measured anew, the new runs take the place of the old ones, and nothing has changed since.
    capsys.readouterr()
    assert seqlab("reference", "--run", "--results", str(root / "results" / "reference")) == 0
    assert "report/reference: 10 runs, 0 of them new" in capsys.readouterr().out
    assert seqlab("report", "--no-run") == 0
    assert "changed:" not in chapter(root)


def test_it_goes_on_where_it_stopped_and_exports_what_there_is(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path, calm=LONGER)
    there = ["--results", str(root / "results" / "reference")]
    counts = []
    while len(counts) < 12 and (not counts or counts[-1] < 10):
        assert seqlab("reference", "--run", *there, "--minutes", "0.04") == 0
        counts.append(int(re.findall(r"report/reference: (\d+) runs", capsys.readouterr().out)[-1]))
    assert counts == sorted(set(counts))
    assert counts[-1] == 10
    assert len(set(keys(root, "results/reference"))) == len(keys(root, "results/reference")) == 10

    # In another folder, what the reference has of this machine is not measured again.
    assert seqlab("reference", "--run", "--dry-run", "--results", str(root / "elsewhere")) == 0
    assert "calm: 0 of 10 trials are due, 10 are in the reference" in capsys.readouterr().out


def test_an_interruption_exports_what_has_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make(tmp_path, calm=LEARNING)
    measure = pipeline.measure

    def interrupted(*arguments: object, **named: object) -> int:
        measure(*arguments, **named)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "measure", interrupted)
    workspace = Workspace.of(root, root / "results" / "reference")
    with pytest.raises(KeyboardInterrupt):
        reference.run(
            workspace, Request("full", seeds=2), names=["calm"], options=pipeline.Options(), runs=True
        )
    assert len((root / "report" / "reference" / "calm.jsonl").read_text().splitlines()) == 4


def test_a_damaged_reference_is_one_line_and_may_be_left_out(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path, calm=LEARNING)
    assert seqlab("run", "calm", "--seeds", "2") == 0
    folder = make_reference(root)
    file = folder / "calm.jsonl"
    whole = file.read_bytes()
    for damaged in (whole[:-30], whole.replace(b"0.41", b"0.91"), b"\x00"):
        file.write_bytes(damaged)
        for command in (["report"], ["report", "--no-run"], ["run", "calm"], ["reference"]):
            capsys.readouterr()
            assert seqlab(*command) == 2
            error = capsys.readouterr().err
            assert error.count("\n") == 1
            assert "expected report/reference/calm.jsonl as it was written" in error
            assert "--no-reference" in error
            assert file.read_bytes() == damaged
    assert seqlab("report", "--no-run", "--no-reference") == 0
    assert seqlab("report", "--no-run", "--budget", "smoke") in (0, 3)  # it needs no reference
    file.write_bytes(whole)
    capsys.readouterr()
    assert seqlab("report", "--no-run") == 0
    assert "here: 4 trials" in chapter(root)
    assert len(keys(root)) == 4


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--budget", "smoke"], 2, "the reference needs --budget quick or full, found smoke"),
        (["timed"], 2, "expected pages that train networks side by side, found timed"),
        (["clam"], 2, "Did you mean 'calm'?"),
        (["--minutes", "5"], 2, "no --run was given"),
        (["--run", "--minutes", "0"], 2, "--minutes must be above 0"),
        ([], 3, "may be in the reference. `nox -s reference` makes some."),
    ],
)
def test_a_wrong_request_for_a_reference_is_one_clear_line(
    tmp_path: Path,
    seqlab: Run,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    timed = LEARNING.replace('    parallel_over=("model",),\n', "").replace("C38", "C41")
    make(tmp_path, calm=LEARNING, timed=timed)
    assert seqlab("reference", *arguments) == status
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "report" / "reference" / "manifest.json").exists()


def test_only_settings_of_the_page_get_into_the_reference(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=LEARNING)
    assert seqlab("reference", "calm", "--run", "--set", "steps=9", "--seeds", "1") == 3
    assert seqlab("reference", "calm", "--run", "--set", "model=LSTM", "--seeds", "7") == 0
    assert "report/reference: 7 runs" in capsys.readouterr().out


def test_times_and_texts_come_with_their_origin(tmp_path: Path, seqlab: Run) -> None:
    """A column of times shows what was measured here, beside quality from the reference."""
    page = LEARNING.replace('metrics=("accuracy",)', 'metrics=("accuracy", "training_time")')
    root = make(
        tmp_path, calm=page.replace("    lift =", '    yield Measurement("training_time", 3.0)\n    lift =')
    )
    there = {("accuracy", "test"): [(None, 0.5)], ("training_time", ""): [(None, 77.0)]}
    make_reference(
        root,
        found=[an_entry(model, seed, series=there) for model in ("Transformer", "LSTM") for seed in range(5)],
    )
    assert seqlab("report", "--no-run") == 0
    shown = chapter(root)
    assert "| LSTM | 0.500 |" in shown  # no time was measured here, so there is no column of times
    assert "times and sizes: measured here" not in shown
    assert seqlab("run", "calm", "--seed", "0") == 0
    assert seqlab("report", "--no-run") == 0
    shown = chapter(root)
    assert "| LSTM | 0.500 | 3.00 |" in shown
    assert "times and sizes: measured here" in shown


def test_a_rule_has_the_date_of_where_the_reference_was_measured(tmp_path: Path, seqlab: Run) -> None:
    """Written after the runs that it is judged by, it is said to be, whenever the clone was made."""
    root = make(tmp_path, calm=LEARNING)
    assert seqlab("reference", "--run", "--results", str(root / "results" / "reference")) == 0
    assert seqlab("report", "--no-run") == 0
    assert "**Rule:** fixed before its runs (on " in chapter(root)
    (root / "experiments" / "calm.py").write_text(LEARNING.replace("above=0.1", "above=0.15"))
    assert seqlab("report", "--no-run") == 0
    assert "**Rule:** written after its first runs" in chapter(root)


def test_the_reference_serves_the_quick_budget_too(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Points of the quick budget that the full one lacks are measured for it."""
    quick = re.search(r'Budget\("quick".*?\)\)', LEARNING)
    assert quick is not None
    full = quick[0].replace("quick", "full")
    more = quick[0].replace('("Transformer", "LSTM")', '("Transformer", "LSTM", "RNN")')
    make(tmp_path, calm=LEARNING.replace(quick[0], f"{more}, {full}"))
    assert seqlab("reference", "--run", "--dry-run") == 0
    assert "calm: 15 of 15 trials are due" in capsys.readouterr().out
    assert seqlab("reference", "--run", "--dry-run", "--budget", "quick", "--set", "model=LSTM") == 0
    assert "calm: 5 of 5 trials are due" in capsys.readouterr().out


def test_a_check_runs_some_of_it_anew_and_compares(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    source = LEARNING.replace('model=("Transformer"', 'model=("GRU", "Transformer"')
    root = make(tmp_path, calm=source)
    page = root / "experiments" / "calm.py"
    assert seqlab("reference", "--check", "4") == 3
    assert "the reference holds no trial of these pages" in capsys.readouterr().err
    assert seqlab("reference", "--run", "--results", str(root / "results" / "reference")) == 0
    before = {path: path.read_bytes() for path in (root / "report" / "reference").iterdir()}
    capsys.readouterr()

    assert seqlab("reference", "--check", "4", "--dry-run") == 0
    assert "calm: 4 of 4 trials are due" in capsys.readouterr().out
    assert seqlab("reference", "--check", "4") == 0
    shown = capsys.readouterr().out
    assert shown.count("inside  calm: model=") == 4
    assert "4 of 4 trials lie within the prediction intervals of the reference seeds" in shown
    assert len(keys(root)) == 4
    assert seqlab("reference", "--check", "4") == 0  # the same ones, which have run
    assert shown.splitlines()[-1] in capsys.readouterr().out
    assert len(keys(root)) == 4

    page.write_text(source.replace("LIFT = 0.5", "LIFT = 0.4"))  # another model under the same name
    assert seqlab("reference", "--check", "100", "calm") == 0
    shown = capsys.readouterr().out
    assert shown.count("OUTSIDE calm: model=Transformer") == shown.count("inside  calm: model=LSTM") == 5
    assert "5 of 10 trials lie within" in shown  # no claim compares the GRU's
    assert {path: path.read_bytes() for path in (root / "report" / "reference").iterdir()} == before

    for arguments, said in ((["0"], "1 or more, found 0"), (["3", "--budget", "smoke"], "smoke budget")):
        assert seqlab("reference", "--check", *arguments) == 2
        assert said in capsys.readouterr().err
