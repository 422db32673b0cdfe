"""Do stores that meet only at the end give the same, in whichever order and however often they are merged?"""

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seqlab.__main__ import main
from seqlab.notebook.metrics import Measurement
from seqlab.running.plan import runs_that_count
from seqlab.store.database import FixedRule, Store
from tests.project import CALM, make
from tests.store.test_database import TRIAL, a_run

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
CONTENTS = (
    "SELECT run.id, uid, key, started, json FROM run JOIN provenance p ON p.id = provenance ORDER BY run.id",
    "SELECT run, text, step, value FROM measurement JOIN name ON name.id = metric ORDER BY measurement.rowid",
    "SELECT place, claim, fixed, link FROM rule ORDER BY place",
    "SELECT kind, number, place FROM witness ORDER BY kind, number",
)


def stores(folder: Path, count: int) -> list[Path]:
    """So many machines' stores: each has seeds of its own, seed 0 with another value, and a rule."""
    folder.mkdir()
    paths = []
    for number in range(count):
        paths.append(folder / f"{number}.db")
        with Store(paths[-1]) as store:
            store.fix_rule(FixedRule(f"C0{number % 3}", "rnn", "d", "s", f"2026-01-{1 + number % 28:02}"))
            for seed in (0, 1 + number):
                value = Measurement("accuracy", number / count, "test")
                # The last to begin is in the middle of the list.
                began = BEGAN + timedelta(hours=(number + count // 2) % count)
                run = a_run(replace(TRIAL, seed=seed), started=began, provenance={"machine": str(number)})
                store.add(replace(run, measurements=(value,)))
    return paths


def merged(folder: Path, *arguments: Path) -> int:
    where = ["--root", str(folder), "--results", str(folder / "results")]
    return main(["results", "merge", *map(str, arguments), *where])


def project(folder: Path) -> Path:
    (folder / "experiments").mkdir(parents=True)
    return folder


def contents(folder: Path) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(folder / "results" / "seqlab.db")) as connection:
        return [connection.execute(query).fetchall() for query in CONTENTS]


def counting(folder: Path) -> dict[int, str]:
    """The run that counts for each seed, by what tells it from all others."""
    with Store(folder / "results" / "seqlab.db") as store:
        trials = [replace(TRIAL, seed=seed) for seed in range(7)]
        numbers = runs_that_count(
            trials, store.records("rnn"), fingerprint="f", device="cpu (test)", mlx="0.0"
        )
        return {
            seed: uid
            for number, uid, seed in store.rows("SELECT id, uid, seed FROM run")
            if number in numbers
        }


def test_neither_the_order_nor_a_second_time_changes_anything(tmp_path: Path) -> None:
    paths = stores(tmp_path / "stores", 6)
    one, two, apart = (project(tmp_path / name) for name in ("one", "two", "apart"))
    assert merged(one, *paths) == 0
    shuffled = random.Random(3).sample(paths, len(paths))
    assert shuffled != paths
    assert merged(two, *shuffled) == 0
    assert contents(one) == contents(two)
    before = contents(two)
    assert merged(two, *paths, paths[0]) == 0
    assert contents(two) == before

    for path in reversed(
        paths
    ):  # by a command each: the same runs and the same that count, not their numbers
        assert merged(apart, path) == 0
    assert counting(apart) == counting(one)
    assert {row[1:4] for row in contents(apart)[0]} == {row[1:4] for row in contents(one)[0]}


def test_both_sides_of_a_conflict_are_named_and_the_later_one_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = stores(tmp_path / "stores", 3)
    here = project(tmp_path / "here")
    assert merged(here, first, second) == 0
    said = capsys.readouterr().out
    assert (
        f"conflict: rnn: length=8, model=LSTM, seed 0: accuracy 0.0 ({first}) and 0.3333333333333333 "
        f"({second}); the latter counts"
    ) in said
    assert said.count("conflict: ") == 1
    assert merged(here, third) == 0
    assert f"accuracy 0.6666666666666666 ({third}) and 0.0 (this store)" in capsys.readouterr().out
    with Store(second) as store:
        uid = store.rows("SELECT uid FROM run WHERE seed = 0")[0][0]
    assert counting(here)[0] == uid
    assert merged(here, third) == 0
    assert "conflict: " not in capsys.readouterr().out


def test_times_are_no_conflict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = stores(tmp_path / "stores", 2)
    for number, path in enumerate(paths):
        with Store(path) as store:
            timed = Measurement("step_time", 1.0 + number, "train")
            store.add(a_run(replace(TRIAL, seed=50), measurements=(timed,)))
            value = Measurement("accuracy", 0.5, "test")
            store.add(a_run(replace(TRIAL, seed=51), measurements=(value,)))
    assert merged(project(tmp_path / "here"), *paths) == 0
    assert not {"seed 50", "seed 51"} & set(capsys.readouterr().out.replace(":", ",").split(", "))


def test_a_hostile_store_is_refused_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = stores(tmp_path / "stores", 4)
    with closing(sqlite3.connect(paths[1], isolation_level=None)) as connection:
        connection.execute("UPDATE measurement SET value = 'many'")
    paths[2].write_bytes(b"no database")
    here = project(tmp_path / "here")
    assert merged(here, *paths, tmp_path / "absent.db") == 2
    said = capsys.readouterr()
    assert "4 runs added from 2 stores; 3 refused." in said.out
    lines = said.err.splitlines()
    for refused in (*paths[1:3], tmp_path / "absent.db"):
        assert sum(str(refused) in line for line in lines) == 1
    assert len(lines) == 3
    with Store(here / "results" / "seqlab.db") as store:
        assert store.rows("SELECT count(*) FROM run") == [(4,)]


def test_the_verdicts_are_the_same_in_whichever_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, names = make(tmp_path / "project", calm=CALM), [f"machine-{seed}" for seed in range(5)]
    for seed, name in enumerate(names):
        there = ["--root", str(root), "--results", str(tmp_path / name)]
        assert main(["run", "calm", "--seed", str(seed), *there]) == 0
    paths = [tmp_path / name / "seqlab.db" for name in names]
    orders = ([paths], [paths[::-1]], [[path] for path in random.Random(1).sample(paths, 5)])
    said = set()
    for number, commands in enumerate(orders):
        here = ["--root", str(root), "--results", str(tmp_path / f"merged-{number}")]
        for arguments in commands:
            assert main(["results", "merge", *map(str, arguments), *here]) == 0
        capsys.readouterr()
        assert main(["run", "calm", *here]) == 0  # nothing is due
        said.add(capsys.readouterr().out)
    (only,) = said
    assert "C38: supported" in only
    assert "n = 5" in only
