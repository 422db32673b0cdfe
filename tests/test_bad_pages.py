"""Does a page that cannot be shown, read or finished cost that page alone?"""

import os
import re
import shlex
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.__main__ import main
from seqlab.analysis import findings
from seqlab.document import compose
from seqlab.document.artifacts import _shortened
from seqlab.errors import RenderError
from seqlab.notebook.experiment import Experiment
from tests.project import CALM, HERE, SEQLAB, make

ODD = "a b[c]'d"  # a page's name
ERROR = "😀 漢字 \\ud800 \\x1b[31mred"


def report(root: Path, *arguments: str) -> int:
    return main(["report", "--engine", "embedded", "--root", str(root), *arguments])


def seen(root: Path) -> str:
    """What a reader of the HTML sees, without tags."""
    text = (root / "results" / "report.html").read_text(encoding="utf-8")
    return re.sub(r"<[^>]+>", "", text.rpartition("</style>")[2])


def test_any_name_text_and_character_of_a_page_renders_in_both_formats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = CALM.replace(
        "    lift = LIFT if", f"    if trial.seed == 1: raise ValueError('{ERROR}')\n    lift = LIFT if"
    )
    texts = CALM.replace("a made score", "an unknown @mx.compile, 😀 漢字").replace(
        "Accuracy of both.", "See @fig-none."
    )
    levels = CALM.replace('"LSTM"', '"LSTM 漢 😀"')
    make(tmp_path, calm=CALM, failing=failing, texts=texts, levels=levels, **{ODD: CALM})
    assert report(tmp_path) == 1
    told = capsys.readouterr().err
    assert "seqlab: texts: its text has @mx.compile, which is neither in references.bib nor a label" in told
    assert "seqlab: texts: a caption has @fig-none" in told
    assert "\x1b" not in told
    text = seen(tmp_path)
    assert "Part of this page could not be shown" in text
    assert "an unknown @mx.compile, 😀 漢字" in text
    assert "See @fig-none." in text
    assert "nox -s &#39;a b[c]&#39;&quot;&#39;&quot;&#39;d&#39;" in text or "nox -s 'a b[c]'\"'\"'d'" in text
    assert "LSTM 漢 😀" in text
    assert text.count("Is a calm page calm?") >= 5
    assert (tmp_path / "results" / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_page_deleted_during_its_trials_costs_that_page_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ending = """    if trial.seed == 2:
        __import__("pathlib").Path(__file__).unlink(missing_ok=True)
        __import__("os")._exit(1)
"""
    make(tmp_path, calm=CALM, gone=CALM.replace("    lift = LIFT if", f"{ending}    lift = LIFT if"))
    assert report(tmp_path) == 1
    assert (
        "gone: gone.py, or what it imports, was changed since this command began" in capsys.readouterr().err
    )
    with sqlite3.connect(tmp_path / "results" / "seqlab.db") as store:
        runs = store.execute("SELECT experiment, count(*) FROM run WHERE status = 'ok' GROUP BY 1").fetchall()
    assert dict(runs)["calm"] == 10
    assert 4 <= dict(runs)["gone"] < 10
    assert (tmp_path / "results" / "report.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&1 | head -1", "2>&-", ">&- 2>&-"])
def test_progress_that_cannot_be_printed_costs_no_trial(tmp_path: Path, redirection: str) -> None:
    make(tmp_path, calm=CALM)
    command = [*SEQLAB, "run", "calm", "--root", str(tmp_path)]
    subprocess.run(
        ["bash", "-c", f"{shlex.join(command)} {redirection}"], cwd=HERE, capture_output=True, check=False
    )
    with sqlite3.connect(tmp_path / "results" / "seqlab.db") as store:
        assert store.execute("SELECT count(*) FROM run WHERE status = 'ok'").fetchone() == (10,)


def test_a_result_that_cannot_be_printed_is_told(tmp_path: Path) -> None:
    command = [*SEQLAB, "list", "--root", str(make(tmp_path, calm=CALM))]
    done = subprocess.run(
        ["bash", "-c", f"{shlex.join(command)} >/dev/full"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("seqlab: cannot print to standard output: [Errno 28]")
    assert done.stderr.count("\n") == 1


def test_a_terminal_of_another_encoding_gets_escapes(tmp_path: Path) -> None:
    make(tmp_path, calm=CALM.replace("a calm page calm", "a 漢字 page calm"))
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*SEQLAB, "list", "--root", str(tmp_path)], cwd=HERE, env=environment, capture_output=True, check=True
    )
    assert rb"\u6f22" in done.stdout


def test_a_timeout_can_be_raised_and_lowered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, calm=CALM.replace('"pause": 0.0', '"pause": 3.0'))
    arguments = ["run", "calm", "--root", str(tmp_path), "--seed", "0", "--timeout"]
    assert main([*arguments, "0.5"]) == 1
    assert "took longer than its 0.5 s; raise it with --timeout" in capsys.readouterr().err
    assert main([*arguments, "60"]) == 0
    assert main([*arguments, "-1"]) == 2
    assert "--timeout must be above 0 s, found -1" in capsys.readouterr().err


def test_a_page_whose_runs_cannot_be_judged_or_drawn_costs_that_page_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, calm=CALM, undrawn=CALM, unjudged=CALM)

    def failing(name: str, whole: Callable[..., object]) -> Callable[..., object]:
        def call(*given: Any, **named: Any) -> object:
            page = given[0] if isinstance(given[0], Experiment) else given[1].experiment
            if page.name == name:
                raise KeyError("estimate")
            return whole(*given, **named)

        return call

    monkeypatch.setattr(compose, "_image", failing("undrawn", compose._image))
    monkeypatch.setattr(findings, "judge_among", failing("unjudged", findings.judge_among))
    assert report(tmp_path) == 1
    told = capsys.readouterr().err
    assert "seqlab: unjudged: its runs cannot be judged: KeyError: 'estimate'" in told
    assert "seqlab: undrawn: figure 1 could not be drawn: KeyError: 'estimate' (test_bad_pages.py" in told
    text = seen(tmp_path)
    assert text.count("Accuracy of both.") == 1
    assert text.count("The same in numbers.") == 2
    assert (tmp_path / "results" / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_chapter_that_no_engine_renders_is_found_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the check of its text does not know, rendering finds."""
    make(tmp_path, calm=CALM, other=CALM.replace("a made score", "a made @nobody2020"))
    monkeypatch.setattr("seqlab.engines.prose.faults", lambda texts, known: [""] * len(texts))
    assert report(tmp_path) == 1
    told = capsys.readouterr().err
    assert "looking for the page that is the cause" in told
    assert "seqlab: other: could not be rendered. expected every citation in the bibliography" in told
    assert seen(tmp_path).count("Accuracy of both.") == 1


def test_a_pdf_that_fails_costs_no_html(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_pdf(*_: object) -> None:
        raise RenderError("Typst cannot compile it.")

    make(tmp_path, calm=CALM)
    monkeypatch.setattr("seqlab.engines.pandoc._pdf", no_pdf)
    assert report(tmp_path) == 4
    shown = capsys.readouterr()
    assert "Typst cannot compile it." in shown.err
    assert shown.out.split() == [str(tmp_path / "results" / "report.html")]
    assert "Is a calm page calm?" in seen(tmp_path)


def test_a_network_of_which_every_run_diverged_is_a_finding(tmp_path: Path) -> None:
    diverging = "    if trial['model'] == 'LSTM': yield Measurement('accuracy', float('nan'), 'test')\n"
    make(tmp_path, calm=CALM.replace("    lift = LIFT if", f"{diverging}    lift = LIFT if"))
    assert report(tmp_path) == 1
    text = " ".join(seen(tmp_path).split())
    assert "it did not learn with these settings: model=LSTM (5 runs)." in text
    assert "very opponent diverged in every run" in text


def test_a_text_of_many_megabytes_is_cut() -> None:
    shown = _shortened("word " * 2_000_000)
    assert len(shown) < 41_000
    assert shown.endswith("[… 9,960,000 further characters are in the results.]")
    assert _shortened("short") == "short"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "calm", "--seed", "3", "--seeds", "5"), "--seed 3 is one seed, --seeds 5 so many"),
        (("run", "calm", "--seeds", "1000000"), "expected at most 100,000 trials of calm, found 2,000,000"),
        (
            ("run", "calm", "--set", f"steps={'9' * 2000}"),
            "--set steps expects up to 1000 printable characters",
        ),
        (("run", "calm", "--set", "steps=\ud800"), "--set steps expects up to 1000 printable characters"),
        (("run", "calm", "--set", "steps=\x1b[31m"), "--set steps expects up to 1000 printable characters"),
    ],
)
def test_what_could_only_fail_late_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    make(tmp_path, calm=CALM)
    assert main([*arguments, "--root", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


def test_narrow_tables_cut_no_word_and_results_are_shown_of_one_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    root = ("--root", str(make(tmp_path, calm=CALM, other=CALM)))
    assert main(["run", "calm", *root]) == 0
    capsys.readouterr()
    assert main(["claims", *root]) == 0
    shown = capsys.readouterr().out
    assert not re.search(r"\w…", shown)
    assert max(map(len, shown.splitlines())) <= 80
    assert main(["results", "show", "calm", *root]) == 0
    assert "calm" in capsys.readouterr().out
    assert main(["results", "show", "other", *root]) == 2
    assert "unknown experiment with results 'other'; known: calm" in capsys.readouterr().err
