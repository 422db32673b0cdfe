"""Does `seqlab tune` try every network at equally many rates, until no best is at an edge, and keep them?"""

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.__main__ import main
from seqlab.commands.tune import best_rates, wider_grid
from tests.project import CALM, make

Run = Callable[..., int]

# Each network is best at a rate of its own; one diverges at the highest.
TUNED = '''"""Which rate suits whom?"""

import math

from seqlab.notebook import Budget, Experiment, Measurement, Tuning, grid
from seqlab.training.rates import trial_rate
from seqlab.training.tried import TriedRates

BEST = {"Transformer": 0.01, "LSTM": 0.03}
RATES = TriedRates.beside(__file__)


def run(trial):
    before = RATES.search(trial) if not trial["rate"] else None
    rate = yield from trial_rate(trial, before, lambda trials: None)
    if trial["model"] == "LSTM" and rate > 0.2:
        yield Measurement("loss", math.inf, "train", 1)
    off = abs(math.log(rate / BEST[trial["model"]]))
    for step in (10, 20):
        yield Measurement("accuracy", 1 / (1 + off) - 0.1 * (step == 20), "valid", step)
    yield Measurement("accuracy", rate, "test")


experiment = Experiment(
    run=run,
    protocol={"steps": 100, "rate": 0.0},
    tuning=Tuning(grid(model=tuple(BEST)), by=("model",), settings={"steps": 25}),
    budgets=(Budget("quick", grid(model=tuple(BEST), seeds=2)),),
)
'''


@pytest.fixture
def seqlab(tmp_path: Path) -> Run:
    """Run a command on the project in `tmp_path`; returns the exit status."""
    make(tmp_path, tuned=TUNED, calm=CALM)

    def run(command: str, *arguments: str) -> int:
        return main([command, *arguments, "--root", str(tmp_path)])

    return run


def stored(root: Path) -> list[tuple[int, float, int]]:
    with sqlite3.connect(root / "results" / "seqlab.db") as connection:
        rows = connection.execute("SELECT seed, settings FROM run").fetchall()
    return [(seed, json.loads(text)["rate"], json.loads(text)["steps"]) for seed, text in rows]


def test_all_networks_are_tried_at_the_same_rates_and_the_best_is_taken(
    tmp_path: Path, seqlab: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seqlab("tune", "tuned") == 0
    shown = capsys.readouterr().out
    assert "tuned: model=Transformer: rate 0.01 of 5 tried\n" in shown
    assert "tuned: model=LSTM: rate 0.03 of 5 tried\n" in shown  # 0.03 was the highest, so 0.1 was tried too
    rates = [0.001, 0.003, 0.01, 0.03, 0.1]
    with (tmp_path / "experiments" / "rates" / "tuned.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["rate"]) for row in rows if row["model"] == "LSTM"] == rates
    assert [float(row["rate"]) for row in rows if row["model"] == "Transformer"] == rates
    assert min(rows, key=lambda row: float(row["score"]))["score"] == "-1"
    tried = stored(tmp_path)
    assert sorted(tried) == sorted([(1000, rate, 25) for rate in rates] * 2)

    assert seqlab("tune", "tuned") == 0  # nothing is due
    assert stored(tmp_path) == tried

    assert seqlab("run", "tuned") == 0
    with sqlite3.connect(tmp_path / "results" / "seqlab.db") as connection:
        taken = connection.execute(
            "SELECT json_extract(factors, '$.model'), value FROM run JOIN measurement ON run.id = run "
            "JOIN name ON name.id = metric WHERE text = 'learning_rate'"
        ).fetchall()
    assert sorted(taken) == [("LSTM", 0.03)] * 2 + [("Transformer", 0.01)] * 2

    record = tmp_path / "experiments" / "rates" / "tuned.csv"
    record.write_text(record.read_text().replace(",0.03,-1", ",0.03,-0.1"))
    capsys.readouterr()
    assert seqlab("run", "tuned", "--dry-run") == 0  # trials depend on what was tried
    shown = capsys.readouterr().out
    assert "tuned: 4 of 4 trials are due" in shown
    assert "tuned.csv changed" in shown
    assert seqlab("tune", "tuned", "--minutes", "1") == 0  # what was tried does not
    assert stored(tmp_path)[: len(tried)] == tried
    assert len(stored(tmp_path)) == len(tried) + 4


def test_a_rate_that_diverges_is_told_and_not_taken(tmp_path: Path, seqlab: Run) -> None:
    page = tmp_path / "experiments" / "tuned.py"
    page.write_text(TUNED.replace('"LSTM": 0.03', '"LSTM": 0.1'))
    assert seqlab("tune", "tuned") == 1  # a trial diverged
    with (tmp_path / "experiments" / "rates" / "tuned.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["score"] for row in rows if (row["model"], row["rate"]) == ("LSTM", "0.3")] == ["diverged"]


def test_a_page_that_trains_nothing_cannot_be_tuned(seqlab: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert seqlab("tune", "calm") == 2
    assert "calm says nothing of tuning. Give its Experiment a tuning=Tuning(points, by)." in (
        capsys.readouterr().err
    )


def test_the_grid_grows_where_a_best_rate_is_at_an_edge() -> None:
    grid = (0.001, 0.003, 0.01, 0.03)

    def scores(*best: float) -> dict[tuple[int, float], float]:
        return {(point, rate): abs(rate - own) for point, own in enumerate(best) for rate in grid}

    assert wider_grid(grid, scores(0.003, 0.01)) == grid
    assert wider_grid(grid, scores(0.003, 0.03)) == (*grid, 0.1)
    assert wider_grid(grid, scores(0.001, 0.03)) == (0.0003, *grid, 0.1)
    assert wider_grid((0.3, 1.0), {(0, 0.3): 1.0, (0, 1.0): 0.0}) == (0.3, 1.0)  # not beyond
    assert best_rates(scores(0.003, 0.03)) == {0: 0.003, 1: 0.03}
