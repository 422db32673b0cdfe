"""Does `seqlab atlas` measure each cell once, in an order that pays, and does `seqlab choose` answer?"""

import csv
import inspect
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.__main__ import main
from seqlab.commands.atlas import cell_of, seed_of
from seqlab.notebook.discover import load
from seqlab.running.plan import DueTrial, Plan, Request
from seqlab.running.plan import trials as plan_trials
from seqlab.running.schedule import as_asked
from tests.analysis import atlas_planted
from tests.charts.boxes import outside, overlaps
from tests.project import CALM, make

Run = Callable[..., int]

# A page like the real one, whose times are made: of the known formula, with a little noise.
PAGE = f'''"""Which network is the fastest, by a formula?"""

import math
import random

from seqlab.notebook import Budget, Experiment, Measurement, Point

NETWORKS = {atlas_planted.NETWORKS!r}


{inspect.getsource(atlas_planted.seconds).replace("cell: Cell", "cell")}

class Sizes:
    def __init__(self, trial):
        self.sizes = trial["length"], trial["width"], trial["batch"]


def run(trial):
    noise = random.Random(trial.seed)
    for name in NETWORKS:
        for block in range(trial["blocks"]):
            taken = seconds(name, Sizes(trial)) * math.exp(noise.gauss(0, 0.01))
            metric = {{"train": "step_time", "decode": "token_time"}}[trial["task"]]
            yield Measurement(metric, taken, name, block)


experiment = Experiment(
    run=run,
    protocol={{"blocks": 3}},
    budgets=tuple(
        Budget(
            name,
            tuple(
                Point({{"task": task, "length": length, "width": width, "batch": batch}}, seeds=1)
                for task in ("train", "decode")
                for length in (4, 64, 1024)
                for width in (32, 128)
                for batch in (1, 16)
            ),
        )
        for name in ("quick", "smoke")
    ),
)
'''


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose atlas is measured; what was printed is in `printed.txt`."""
    root = make(tmp_path_factory.mktemp("atlas"), calm=CALM)
    (root / "experiments" / "aside").mkdir()
    (root / "experiments" / "aside" / "atlas.py").write_text(PAGE)
    assert main(["atlas", "--root", str(root)]) == 0
    return root


@pytest.fixture
def root(tmp_path: Path, measured: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(measured, tmp_path / "project"))


@pytest.fixture
def seqlab(root: Path) -> Run:
    def run(command: str, *arguments: str) -> int:
        return main([command, *arguments, "--root", str(root)])

    return run


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only measuring is looked at: judging and drawing take seconds."""
    monkeypatch.setattr("seqlab.commands.atlas_report._scored", lambda found: [])
    monkeypatch.setattr("seqlab.commands.atlas_report._maps", lambda *arguments: [])


def stored(root: Path) -> list[tuple[str, int, int, int]]:
    """The cells of all runs, in the order of measuring."""
    with sqlite3.connect(root / "results" / "seqlab.db") as connection:
        rows = connection.execute("SELECT factors FROM run WHERE experiment = 'atlas' ORDER BY id").fetchall()
    found = [json.loads(text) for (text,) in rows]
    return [(one["task"], one["length"], one["width"], one["batch"]) for one in found]


def table(root: Path, name: str) -> Iterator[dict[str, str]]:
    with (root / "results" / "atlas" / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


@pytest.mark.usefixtures("unjudged")
def test_coarse_cells_come_first_each_once_and_what_is_predicted_too_long_never(
    root: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = stored(root)
    assert len(cells) == len(set(cells))
    lengths = [length for _, length, *_ in cells]
    assert 64 not in lengths[: lengths.index(64)]
    assert set(lengths[: lengths.index(64)]) == {4, 1_024}
    # A training step of 1,024 tokens, batch 16 and width 128 takes 0.8 s by the formula.
    assert seqlab("atlas", "--longest", "0.5", "--widths", "128", "256", "--tasks", "train") == 0
    shown = capsys.readouterr().out
    new = stored(root)[len(cells) :]
    assert new
    assert {width for _, _, width, _ in new} == {256}
    assert ("train", 1_024, 256, 16) not in new
    assert "Left out, since a step is predicted to take more than the limit (a bound, not a" in shown
    assert "train, length 1,024, width 256, batch 16" in shown


@pytest.mark.usefixtures("unjudged")
def test_the_same_command_goes_on_and_then_measures_nothing(
    root: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored(root)
    assert seqlab("atlas") == 0
    assert stored(root) == before
    with sqlite3.connect(root / "results" / "seqlab.db") as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM run WHERE id > 20")
        connection.execute("DELETE FROM measurement WHERE run > 20")
        connection.execute("DELETE FROM run_used WHERE run > 20")
        connection.execute("DELETE FROM witness WHERE kind = 'run' AND number > 20")
    capsys.readouterr()
    assert seqlab("atlas", "--dry-run") == 0
    assert f"{len(before) - 20} cells are due." in capsys.readouterr().out
    assert seqlab("atlas") == 0
    assert sorted(stored(root)) == sorted(before)


def test_what_it_says_it_writes_and_draws(
    root: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seqlab("atlas", "--no-run") == 0
    shown = capsys.readouterr().out
    assert "24 cells, " in shown
    assert "goals 95 % right, 10 % regret" in shown
    folder = root / "results" / "atlas"
    for path in folder.iterdir():
        assert str(path) in shown
    rows = list(table(root, "cells.csv"))
    assert len(rows) == 24 * len(atlas_planted.NETWORKS)
    scores = [row for row in table(root, "scores.csv") if row["over"] == "all"]
    # Without all cells of a width, or of a batch, too few would be left to predict from.
    assert {(row["task"], row["by"]) for row in scores} == {
        (task, by) for task in ("train", "decode") for by in ("cell", "length")
    }
    drawn = sorted(folder.glob("*.svg"))
    assert [path.name.partition("-")[0] for path in drawn] == ["decode", "train"]
    for path in drawn:
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert not overlaps(path.read_text())
        assert not outside(path.read_text())


def test_on_a_cluster_every_cell_can_go_to_another_worker(root: Path) -> None:
    page = replace(load(root / "experiments" / "aside" / "atlas.py"), name="atlas")
    trials = plan_trials(page, Request())
    apart = [replace(trial, seed=seed_of(cell_of(trial))) for trial in trials]
    plan = Plan(page, root, "", tuple(apart), tuple(DueTrial(trial, "never run") for trial in apart))
    blocks = as_asked([plan], apart=True)
    assert [len(block.trials) for block in blocks] == [1] * len(trials)
    assert len({block.group for block in blocks}) == len(trials)
    assert all(block.alone for block in blocks)


def test_no_report_has_the_page_and_its_cells_count_for_none(
    root: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seqlab("list") == 0
    assert "atlas" not in capsys.readouterr().out
    assert seqlab("report", "--dry-run") == 0
    assert "10 trials are due." in capsys.readouterr().out


def test_a_measured_cell_is_answered_by_its_measurement(
    seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seqlab("choose", "--task", "train", "--length", "4", "--width", "32") == 0
    shown = capsys.readouterr().out
    assert "Transformer is the fastest: measured." in shown
    assert "This is about speed alone" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_another_is_predicted_with_its_uncertainty_its_neighbours_and_its_range(
    root: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("choose", "--task", "train", "--width", "100", "--batch", "2")
    assert seqlab(*asked, "--length", "16") == 0
    shown = capsys.readouterr().out
    assert "sure, predicted and not measured" in shown
    assert "Transformer is the fastest" in shown
    assert "It lies within what was measured: length 4 to 1,024, width 32 to 128" in " ".join(shown.split())
    assert "length 64, width 128, batch 1: " in shown
    assert "On the 12 measured cells, with a tenth of them held out" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80

    assert seqlab(*asked, "--length", "65536") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "This is an extrapolation: no measured cell reaches so far, by a factor of 64." in shown

    (root / "results" / "atlas" / "scores.csv").unlink()
    assert seqlab(*asked, "--length", "16") == 0
    assert "`seqlab atlas --no-run` says how often" in capsys.readouterr().out


def test_stores_of_two_machines_meet_and_each_device_has_its_answer(
    root: Path,
    tmp_path: Path,
    seqlab: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "other.db"
    shutil.copy(root / "results" / "seqlab.db", other)
    with sqlite3.connect(other) as connection:
        connection.execute("UPDATE run SET device = 'another machine', uid = 'b' || substr(uid, 2)")
        connection.execute("UPDATE measurement SET value = value / 2")
    assert seqlab("results", "merge", str(other)) == 0
    assert seqlab("choose", "--task", "decode", "--length", "20", "--width", "64") == 0
    shown = capsys.readouterr().out
    assert shown.count("is the fastest") == 2
    assert "another machine" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--task", "train", "--width", "64"), "expected --length, found none. For example: seqlab choose"),
        (("--task", "play", "--length", "8", "--width", "8"), "unknown task 'play'; known: decode, train."),
        (("--task", "train", "--length", "-3", "--width", "8"), "--length expects a whole number from 1 to"),
        (("--task", "train", "--length", "8", "--width", "1e99"), "--width expects a whole number from 1 to"),
    ],
)
def test_a_bad_question_is_one_line(
    seqlab: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert seqlab("choose", *arguments) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"seqlab: {said}")
    assert told.err.count("\n") == 1
    assert not told.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--widths", "100"), "--widths takes multiples of 8"),
        (("--lengths", "0"), "--lengths takes sizes from 1 to"),
        (("--longest", "0"), "--longest must be above 0 s"),
        (("--lengths", *map(str, range(1, 66))), "--lengths takes at most 64 sizes, found 65."),
        (
            (
                "--lengths",
                "1",
                "2",
                "3",
                "4",
                "--batches",
                *tuple(map(str, range(1, 65))),
                "--widths",
                *map(str, range(8, 8 * 45, 8)),
            ),
            "expected at most 10,000 cells, found 11,264.",
        ),
        (("--budget", "smoke", "--minutes", "1"), "--minutes needs --budget quick or full"),
    ],
)
def test_a_bad_plan_is_one_line(
    seqlab: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert seqlab("atlas", *arguments) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"seqlab: {said}")
    assert told.err.count("\n") == 1


def test_the_smoke_budget_shows_that_the_page_works_and_answers_nothing(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--root", str(measured), "--results", str(tmp_path / "smoke")]
    assert main(["atlas", "--budget", "smoke", *folders]) == 0
    assert "only shows that the page works" in capsys.readouterr().out
    assert main(["choose", "--task", "train", "--length", "4", "--width", "32", *folders]) == 3
    assert main(["atlas", "--no-run", *folders]) == 3


def test_where_nothing_is_measured_a_line_tells_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, calm=CALM)
    asked = ["choose", "--task", "train", "--length", "8", "--width", "8", "--root", str(tmp_path)]
    assert main(asked) == 3
    told = capsys.readouterr()
    assert told.err.startswith("seqlab: no cell of the atlas is measured. Run `nox -s atlas`")
    assert told.err.count("\n") == 1
    assert not (tmp_path / "results").exists()
