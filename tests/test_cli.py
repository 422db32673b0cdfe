"""Does the whole job work from the command line, on good days and bad ones?"""

import errno
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from seqlab.__main__ import main
from tests.project import BROKEN, CALM, FAILING, HERE, SEQLAB, make

Run = Callable[..., int]


@pytest.fixture
def seqlab(tmp_path: Path) -> Run:
    """Run a command on the project in `tmp_path`; returns the exit status."""

    def run(command: str, *arguments: str) -> int:
        return main([command, *arguments, "--root", str(tmp_path)])

    return run


def statuses(root: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(root / "results" / "seqlab.db") as connection:
        return connection.execute("SELECT experiment, status FROM run ORDER BY id").fetchall()


def html(root: Path) -> str:
    return (root / "results" / "report.html").read_text()


def started(root: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*SEQLAB, *arguments, "--root", str(root)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=HERE, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def wait_for_runs(root: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Until so many runs are stored. A minute is far more than it takes."""
    for _ in range(600):
        time.sleep(0.1)
        assert process.poll() is None, process.communicate()
        with suppress(sqlite3.OperationalError):  # the file comes before its tables
            if (root / "results" / "seqlab.db-wal").exists() and len(statuses(root)) >= count:
                return
    raise AssertionError("no run was stored within a minute")


def test_the_whole_job_and_a_second_time_nothing(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report") == 0
    shown = capsys.readouterr()
    assert "[10/10, 1 of 1 claim decided] calm:" in shown.err
    assert shown.out.split() == [str(tmp_path / "results" / f"report.{form}") for form in ("html", "pdf")]
    assert "Is a calm page calm?" in html(tmp_path)
    assert (tmp_path / "results" / "report.pdf").read_bytes().startswith(b"%PDF")
    before = (tmp_path / "results" / "report.html").stat().st_mtime_ns

    assert seqlab("report") == 0
    shown = capsys.readouterr()
    assert "up to date" in shown.out
    assert not shown.err
    assert len(statuses(tmp_path)) == 10
    assert (tmp_path / "results" / "report.html").stat().st_mtime_ns == before

    page = tmp_path / "experiments" / "calm.py"
    page.write_text(CALM + "# a comment\n")
    assert seqlab("report", "--dry-run") == 0
    assert "Nothing is due." in capsys.readouterr().out

    page.write_text(CALM.replace("LIFT = 0.5", "LIFT = 0.4"))
    assert seqlab("report", "--dry-run") == 0
    assert "10 of 10 trials are due" in capsys.readouterr().out


def test_a_second_time_no_page_is_read(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A glance at what everything depends on is enough, and it sees whatever changes."""
    make(tmp_path, calm=CALM)
    assert seqlab("report") == 0
    capsys.readouterr()

    class ReadError(Exception):
        pass

    def read(*_: object) -> None:
        raise ReadError

    monkeypatch.setattr("seqlab.notebook.discover.discover", read)
    assert seqlab("report") == 0
    assert "up to date" in capsys.readouterr().out
    for others in (("--seeds", "2"), ("--force",), ("--only", "calm"), ("--set", "steps=4"), ("--no-run",)):
        with pytest.raises(ReadError):
            seqlab("report", *others)
    (tmp_path / "results" / "report.pdf").unlink()
    with pytest.raises(ReadError):
        seqlab("report")


def test_a_report_of_some_pages_says_that_it_took_the_place_of_the_whole_one(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report") == 0
    assert "alone" not in capsys.readouterr().out
    for _ in range(2):  # the second one has nothing to do
        assert seqlab("report", "--only", "calm") == 0
        assert "about calm alone; `seqlab report` makes that of all pages" in capsys.readouterr().out


def test_a_report_with_a_failure_is_never_taken_for_finished(
    tmp_path: Path, seqlab: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, calm=CALM, failing=FAILING)
    assert seqlab("report") == 1
    assert seqlab("report") == 1  # its trials were due again


def test_a_changed_rule_keeps_the_evidence_and_is_reported(tmp_path: Path, seqlab: Run) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report") == 0
    assert "No rule changed" in html(tmp_path)
    (tmp_path / "experiments" / "calm.py").write_text(CALM.replace("above=0.1", "below=-0.3"))
    assert seqlab("report") == 0
    assert len(statuses(tmp_path)) == 10
    assert "Rules that changed after evidence" in html(tmp_path)
    with sqlite3.connect(tmp_path / "results" / "seqlab.db") as connection:
        connection.execute("DELETE FROM rule WHERE place = 1")
    connection.close()
    assert seqlab("report", "--smoke") == 0
    assert "Rule 1 was removed" in html(tmp_path)


def test_run_prints_the_pages_table_and_verdicts(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("run", "calm", "--seeds", "6") == 0
    shown = capsys.readouterr().out
    assert "Accuracy" in shown
    assert "C38: supported" in shown
    assert "n = 6" in shown
    assert len(statuses(tmp_path)) == 12


def test_a_failing_page_is_shown_and_the_rest_goes_on(tmp_path: Path, seqlab: Run) -> None:
    make(tmp_path, calm=CALM, failing=FAILING, broken=BROKEN)
    assert seqlab("report") == 1
    found = statuses(tmp_path)
    assert found.count(("calm", "ok")) == 10
    assert found.count(("failing", "failed")) == 10
    text = re.sub(r"\s+", " ", html(tmp_path))
    assert "on purpose" in text
    assert "nothing_of_this_name" in text
    section = text[text.index('id="sec-c41"') :]
    assert "not tested" in section[: section.index("</section>")]
    assert seqlab("report") == 1  # a failed trial is tried again
    assert statuses(tmp_path).count(("failing", "failed")) == 20
    assert statuses(tmp_path).count(("calm", "ok")) == 10


def test_an_empty_store_still_renders_and_says_so(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report", "--no-run") == 3
    assert "Nothing has been measured yet" in html(tmp_path)
    assert "the report is empty" in capsys.readouterr().err


def test_a_full_project_can_be_looked_at(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "a", calm=CALM)
    make(tmp_path / "b", calm=CALM.replace("LIFT = 0.5", "LIFT = 0.0"))
    for name in ("a", "b"):
        assert main(["run", "calm", "--root", str(tmp_path / name)]) == 0
    here, there = ["--root", str(tmp_path / "a")], str(tmp_path / "b" / "results" / "seqlab.db")
    capsys.readouterr()

    def said(*command: str) -> str:
        assert main([*command, *here]) == 0
        return capsys.readouterr().out

    assert "Is a calm page calm?" in said("list")
    claims = said("claims")
    assert "supported" in claims
    assert "true with conditions" in claims
    assert "('" not in claims
    assert "calm" in said("results")
    assert "nothing to compare yet" in said("diff")
    assert "not supported" in said("diff", there)
    exported = said("results", "export", str(tmp_path / "out"))
    assert (tmp_path / "out" / "runs.csv").is_file()
    assert "measurements.csv" in exported
    for form in ("json", "parquet"):
        said("results", "export", str(tmp_path / "out"), "--format", form)
        assert (tmp_path / "out" / f"runs.{form}").is_file()
    assert "10 runs added, 0 were known" in said("results", "merge", there)
    assert "pandoc" in said("doctor")


def test_a_claim_and_a_page_are_shown_in_80_columns_and_the_report_is_opened(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report") == 0
    capsys.readouterr()
    for name in ("c38", "calm"):
        assert seqlab("show", name) == 0
        shown = capsys.readouterr().out
        assert "supported" in shown
        assert "n = 5" in shown
        assert "Run again: nox -s calm" in shown
        assert max(map(len, shown.splitlines())) <= 80
    assert seqlab("show", "C99") == 2
    assert "unknown claim or experiment 'C99'" in capsys.readouterr().err
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    assert seqlab("open") == 0
    assert opened == [(tmp_path / "results" / "report.html").as_uri()]
    assert capsys.readouterr().out == f"{tmp_path / 'results' / 'report.html'}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["run", "clam"], 2, "unknown experiment 'clam'; known: calm. Did you mean 'calm'?"),
        (["run", "calm", "--seeds", "0"], 2, "--seeds must be 1 or more, found 0"),
        (["run", "calm", "--set", "steps"], 2, "--set expects NAME=VALUE, found 'steps'"),
        (["run", "calm", "--set", "stepz=3"], 2, "Did you mean 'steps'?"),
        (["run", "calm", "--set", "steps=few"], 2, "expects a whole number, found 'few'"),
        (["run", "calm", "--memory", "-1"], 2, "--memory must be above 0 GiB"),
        (["run", "calm", "--memory", "nan"], 2, "--memory must be above 0 GiB"),
        (["run", "calm", "--jobs", "0"], 2, "--jobs must be 1 or more"),
        (["report", "--only", "clam"], 2, "Did you mean 'calm'?"),
        (["report", "--engine", "quarto"], 4, "Quarto"),
        (["results", "export"], 2, "found none. Run `seqlab report` first"),
        (["results", "merge"], 2, "seqlab results merge OTHER.db"),
        (["diff"], 2, "Run `seqlab report` first"),
        (["show", "C38"], 2, "Run `seqlab report` first"),
        (["open"], 2, "Run `seqlab report` first"),
    ],
)
def test_a_wrong_command_is_one_clear_line(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], status: int, words: str,
) -> None:  # fmt: skip
    make(tmp_path, calm=CALM)
    monkeypatch.setenv("QUARTO_PATH", str(tmp_path / "no-quarto-here"))
    assert seqlab(*arguments) == status
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "results" / "seqlab.db").exists() or not statuses(tmp_path)


def test_an_unwritable_results_folder_is_one_clear_line(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    (tmp_path / "results").write_text("a file where a folder should be")
    assert seqlab("report") == 2
    assert "choose another with --results" in capsys.readouterr().err


def test_a_render_that_fails_costs_no_result(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    methods = tmp_path / "report" / "templates" / "methods.qmd"
    whole = methods.read_text()
    methods.write_text(whole + "\nSee @fig-of-nothing.\n")
    assert seqlab("report") == 4
    assert "fig-of-nothing" in capsys.readouterr().err
    assert len(statuses(tmp_path)) == 10
    methods.write_text(whole)
    assert seqlab("report") == 0
    assert len(statuses(tmp_path)) == 10


def test_a_report_that_cannot_be_written_costs_no_result(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "report").write_text("a file where a folder should be")
    assert seqlab("report") == 4
    assert "every result is safe" in capsys.readouterr().err
    assert len(statuses(tmp_path)) == 10


def test_a_report_of_other_trials_is_not_taken_for_this_one(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report") == 0
    assert seqlab("report", "--set", "model=LSTM") == 0
    assert "No trial was planned" in html(tmp_path)
    assert "--set model=LSTM" in html(tmp_path)
    capsys.readouterr()
    assert main(["claims", "--root", str(tmp_path)]) == 0
    assert "supported" in capsys.readouterr().out  # a part of a budget is no judgement of it
    assert seqlab("report") == 0
    assert "No trial was planned" not in html(tmp_path)


def test_every_rule_of_a_claim_has_its_verdict_in_the_list(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that the page has given up has none, though its verdict stays in the store."""
    start = CALM.index("        Claim(\n")
    rule = CALM[start : CALM.index("    ),\n    figures=")]
    strict = rule.replace("above=0.1", "below=-0.3").replace("more often", "nearly always")
    make(tmp_path, calm=CALM.replace(rule, rule + strict))
    assert seqlab("report") == 0

    def verdicts() -> list[str]:
        capsys.readouterr()
        assert main(["claims", "--root", str(tmp_path)]) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if "C38" in line]
        return ["not supported" if "not supported" in line else "supported" for line in lines]

    assert sorted(verdicts()) == ["not supported", "supported"]
    (tmp_path / "experiments" / "calm.py").write_text(CALM)
    assert verdicts() == ["supported"]


def test_failures_of_this_command_set_its_exit_status(
    tmp_path: Path, seqlab: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsteady = CALM.replace(
        "    lift = LIFT", '    1 / (not os.environ.get("SEQLAB_TEST_FAILS"))\n    lift = LIFT'
    )
    make(tmp_path, calm=unsteady.replace("import time", "import os\nimport time"))
    assert seqlab("report") == 0
    monkeypatch.setenv("SEQLAB_TEST_FAILS", "1")
    assert seqlab("report", "--force") == 1  # the good runs still stand, and yet


def test_without_running_a_changed_rule_is_reported_too(tmp_path: Path, seqlab: Run) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report") == 0
    (tmp_path / "experiments" / "calm.py").write_text(CALM.replace("above=0.1", "above=0.45"))
    assert seqlab("report", "--no-run") == 0
    assert "Rules that changed after evidence" in html(tmp_path)


def test_two_commands_at_once_are_refused(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    process = started(tmp_path, "run", "calm", "--set", "pause=0.5")
    wait_for_runs(tmp_path, 1, process)
    assert seqlab("report") == 2
    assert "another seqlab is at work" in capsys.readouterr().err
    process.kill()
    process.communicate()


def test_a_file_system_without_locks_is_one_clear_line(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, calm=CALM)

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("seqlab.store.workspace.fcntl.flock", no_locks)
    assert seqlab("report") == 2
    assert "No locks available. Its file system has no locks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "times"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGTERM, 2), (signal.SIGHUP, 1)]
)
def test_an_interrupt_keeps_what_is_finished_and_the_same_command_continues(
    tmp_path: Path, seqlab: Run, number: signal.Signals, times: int
) -> None:
    make(tmp_path, calm=CALM)
    process = started(tmp_path, "run", "calm", "--set", "pause=0.3")
    wait_for_runs(tmp_path, 2, process)
    for _ in range(times):
        os.killpg(process.pid, number)  # as a terminal does: to the whole group
        time.sleep(0.05)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Finished trials are stored; run the same command again to continue." in error
    assert "Traceback" not in error
    finished = len(statuses(tmp_path))
    assert 2 <= finished < 10
    assert seqlab("run", "calm", "--set", "pause=0.3") == 0
    assert statuses(tmp_path) == [("calm", "ok")] * 10


def test_a_killed_command_loses_nothing_and_leaves_no_process(tmp_path: Path, seqlab: Run) -> None:
    make(tmp_path, calm=CALM)
    process = started(tmp_path, "run", "calm", "--set", "pause=0.3")
    wait_for_runs(tmp_path, 2, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)  # returns once every process that holds its pipes is gone
    finished = len(statuses(tmp_path))
    assert 2 <= finished < 10
    assert seqlab("run", "calm", "--set", "pause=0.3") == 0
    assert statuses(tmp_path) == [("calm", "ok")] * 10


def test_runs_of_changed_code_are_told_from_no_runs(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    assert seqlab("report", "--no-run", "--engine", "embedded") == 3
    assert "nothing is stored" in capsys.readouterr().err
    assert seqlab("run", "calm") == 0
    page = tmp_path / "experiments" / "calm.py"
    page.write_text(page.read_text().replace("def run(", "CHANGED = 1\n\n\ndef run("))
    assert seqlab("report", "--no-run", "--engine", "embedded") == 3
    assert re.search(r"none of the \d+ stored runs counts", capsys.readouterr().err)


def test_a_report_is_made_anew_when_data_that_a_trial_read_has_changed(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "lift.npz"  # neither among the sources nor with an ending that counts as one
    data.write_text("0.5")
    make(tmp_path, calm=CALM.replace("lift = LIFT", f"lift = float(open({str(data)!r}).read())"))
    assert seqlab("report") == 0
    assert "calm: its trials also used lift.npz, which" in capsys.readouterr().out
    assert seqlab("report") == 0
    assert "up to date" in capsys.readouterr().out
    data.write_text("0.7")
    assert seqlab("report", "--dry-run") == 0
    assert "lift.npz changed since its run of" in capsys.readouterr().out
    assert seqlab("report") == 0
    printed = capsys.readouterr()
    assert "up to date" not in printed.out
    assert "also used" not in printed.out
    assert len(statuses(tmp_path)) >= 15  # those that read it, and those that ran in the same process later


@pytest.mark.parametrize("name", ["results/.lock", "results/.fingerprints.json", "report/claims.toml"])
def test_a_pipe_where_a_file_belongs_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    make(tmp_path, calm=CALM)
    (tmp_path / "results").mkdir()
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    for command in (["run", "calm"], ["report"]):
        assert main([*command, "--root", str(tmp_path)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_broken_page_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, broken=BROKEN)
    assert main(["report", "--engine", "embedded", "--root", str(tmp_path)]) == 1
    assert "seqlab: broken: cannot be used: ModuleNotFoundError" in capsys.readouterr().err


def test_results_that_are_a_link_to_themselves_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    (tmp_path / "results").symlink_to("results")
    for command in (["run", "calm"], ["report"], ["claims"]):
        assert main([*command, "--root", str(tmp_path)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_without_permission_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: object) -> int:
        raise PermissionError(13, "Permission denied", "report/reference")

    monkeypatch.setattr("seqlab.__main__._dispatch", refused)
    assert main(["list"]) == 2
    said = capsys.readouterr().err
    assert said == (
        "seqlab: expected to be allowed to use report/reference, found: Permission denied. "
        "Change its permissions.\n"
    )
