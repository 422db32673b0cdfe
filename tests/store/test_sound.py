"""Can another's store, or one that another program wrote into, break anything here?"""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.errors import StoreError
from seqlab.notebook.metrics import Measurement
from seqlab.store import connection
from seqlab.store.database import FixedRule, Store
from seqlab.store.export import export
from seqlab.store.tables import load
from tests.store.test_database import ARTIFACTS, TRIAL, a_run

DEEP = "[" * 100_000 + "]" * 100_000

# What another program writes into the second of three runs: the table, the column and the value, and what the
# message says was expected.
POISON: list[tuple[str, str, object, str]] = [
    ("run", "seconds", "soon", "a finite number as seconds, found 'soon'"),
    ("run", "seconds", float("inf"), "a finite number as seconds, found inf"),
    ("run", "seconds", -1.0, "a time of 0 s or more as seconds"),
    ("run", "seconds", b"\x00\x01", "a finite number as seconds"),
    ("run", "seed", "first", "a whole number from 0"),
    ("run", "seed", -1, "a whole number from 0"),
    ("run", "seed", 1.5, "a whole number from 0"),
    ("run", "factors", "{", "JSON as factors"),
    ("run", "factors", DEEP, "JSON as factors"),
    ("run", "factors", '["LSTM"]', "names with levels as factors"),
    ("run", "factors", '{"model": ["LSTM"]}', "a text, a finite number, True or False as factors"),
    ("run", "factors", '{"model": {"a": 1}}', "a text, a finite number, True or False as factors"),
    ("run", "factors", '{"length": NaN}', "JSON as factors"),
    ("run", "factors", '{"length": 1e999}', "a text, a finite number, True or False as factors"),
    ("run", "factors", '{"status": "ok"}', "a factor with a name that no table has"),
    ("run", "factors", '{"estimate": 1}', "a factor with a name that no table has"),
    ("run", "factors", '{"": 1}', "a name of 1 to 200 printable letters as factors"),
    ("run", "factors", '{"model": "\\ud800"}', "a text without lone surrogates as factors"),
    ("run", "factors", b"{}", "JSON as factors"),
    ("run", "settings", "null", "names with levels as settings"),
    ("run", "experiment", b"rnn", "a name of 1 to 200 printable letters as experiment"),
    ("run", "experiment", "r" * 1000, "a name of 1 to 200 printable letters as experiment"),
    ("run", "experiment", "r\x1b[31m", r"found 'r\x1b"),
    ("run", "error", b"\xff", "a text of UTF-8 as error"),
    ("run", "status", "fine", "one of ok, failed"),
    ("run", "budget", "huge", "one of smoke, quick, full"),
    ("run", "started", "yesterday", "a date of ISO 8601"),
    ("run", "uid", b"\x01", "a name of 1 to 200 printable letters as uid"),
    ("run", "key", 3.5, ""),
    ("run", "provenance", 99, "the number of a provenance"),
    ("measurement", "value", "much", "a finite number as value, found 'much'"),
    ("measurement", "value", float("-inf"), "a finite number as value, found -inf"),
    ("measurement", "value", b"1", "a finite number as value"),
    ("measurement", "step", "x", "a whole number of at most 2^53, or nothing as step, found 'x'"),
    ("measurement", "step", 1.5, "found 1.5"),
    ("measurement", "step", 2**62, "a whole number of at most 2^53"),
    ("measurement", "metric", 99, "the number of a name"),
    ("measurement", "split", "test", "the number of a name"),
    ("exhibit", "name", b"text", "a name of 1 to 200 printable letters"),
    ("exhibit", "media", "text/html", "one of text/plain"),
    ("exhibit", "data", 7, "MiB of bytes"),
    ("provenance", "json", "{", "JSON as json"),
    ("provenance", "json", "[]", "an object of texts, numbers, true and false"),
    ("provenance", "json", "null", "an object of texts"),
    ("provenance", "json", '{"memory": "much"}', "an object of texts"),
    ("provenance", "json", '{"trials at once": "two"}', "an object of texts"),
    ("name", "text", b"loss", "a name of 1 to 200 printable letters as text"),
    ("name", "text", "lo\x00ss", "a name of 1 to 200 printable letters as text"),
]


def made(path: Path) -> Path:
    """A store of three runs with different circumstances, of which the second measured what no other did."""
    with Store(path) as store:
        for seed in range(3):
            measured = [
                replace(one, metric=("loss", "accuracy", "loss")[seed]) for one in a_run().measurements
            ]
            store.add(
                a_run(
                    replace(TRIAL, seed=seed),
                    provenance={"commit": str(seed)},
                    measurements=tuple(measured),
                    artifacts=ARTIFACTS,
                )
            )
        store.fix_rule(FixedRule("C01", "rnn", "d", "statement", "2026-01-01"))
    return path


def poisoned(path: Path, table: str, column: str, value: object) -> Path:
    made(path)
    where = {
        "run": "id = 2",
        "measurement": "rowid = (SELECT min(rowid) FROM measurement WHERE run = 2)",
        "exhibit": "rowid = (SELECT min(rowid) FROM exhibit WHERE run = 2)",
        "provenance": "id = 2",
        "name": "text = 'accuracy'",
        "rule": "place = 1",
    }[table]
    if isinstance(value, bytes) and value == b"\xff":
        by_hand(path, f"UPDATE {table} SET {column} = CAST(x'ff' AS TEXT) WHERE {where}")
    else:
        by_hand(path, f"UPDATE {table} SET {column} = ? WHERE {where}", value)
    return path


def by_hand(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement, values)


@pytest.mark.parametrize(("table", "column", "value", "expected"), POISON)
def test_a_store_with_a_bad_row_is_not_merged_and_is_used_without_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    table: str,
    column: str,
    value: object,
    expected: str,
) -> None:
    other = poisoned(tmp_path / "other.db", table, column, value)
    if not expected:  # SQLite makes a text of it
        with Store(other) as store:
            assert len(store.records("rnn")) == 3
        return
    with Store(tmp_path / "here.db") as store:
        with pytest.raises(StoreError) as refused:
            store.merge(other)
        assert expected in str(refused.value)
        assert f"{other}, row " in str(refused.value)
        assert "\n" not in str(refused.value)
        assert store.rows("SELECT count(*) FROM run") == [(0,)]

    with Store(other) as store:
        told = capsys.readouterr().err
        assert expected in told
        assert "1 of 3 runs" in told
        assert told.count("\n") == 1
        assert [record.seed for record in store.records("rnn")] == [0, 2]
        assert store.artifacts([1, 2, 3], "text").keys() == {1, 3}
        assert len(store.provenance([1, 2, 3])) == 2
        assert {run for run, *_ in store.measured([1, 2, 3])} == {1, 3}
        store.add(a_run(replace(TRIAL, seed=1)))  # which is due again
        store.fix_rule(FixedRule("C02", "rnn", "d", "statement", "2026-01-01"))
        assert list(load(store).runs["seed"]) == [0, 2, 1]
        export(store, tmp_path / "out", "json")
    assert len(json.loads((tmp_path / "out" / "runs.json").read_text())) == 3


@pytest.mark.parametrize(
    ("column", "value"), [("statement", b"\x01"), ("fixed", "then"), ("claim", b"\xff"), ("link", b"\x02")]
)
def test_a_bad_rule_is_set_aside_and_the_store_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, value: object
) -> None:
    other = poisoned(tmp_path / "other.db", "rule", column, value)
    with Store(tmp_path / "here.db") as store, pytest.raises(StoreError, match="row 1 of rule: expected"):
        store.merge(other)
    with Store(other) as store:
        assert "row 1 of rule" in capsys.readouterr().err
        assert store.fixed_rules() == []
        store.fix_rule(FixedRule("C02", "rnn", "d", "statement", "2026-01-01"))
        assert [rule.claim for rule in store.fixed_rules()] == ["C02"]
        assert "Rule 1 was removed." in store.rules_changed_afterwards()


ENDLESS = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, 'u' || i AS uid FROM n"
)


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (("ALTER TABLE run RENAME TO old", f"CREATE VIEW run AS {ENDLESS}"), "found the view 'run'"),
        (("CREATE VIEW more AS " + ENDLESS,), "found the view 'more'"),
        (("CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END",), "found the trigger 't'"),
        (("DROP TABLE measurement",), "found none called measurement"),
        (("DROP TABLE run_used", "DROP TABLE run"), "found none called run"),
        (("ALTER TABLE run DROP COLUMN error",), "found other columns in run"),
        (("ALTER TABLE run ADD COLUMN more INTEGER",), "found other columns in run"),
        (
            ("DROP TABLE name", "CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"),
            "found other columns in name",
        ),
    ],
)
def test_a_store_of_other_tables_is_refused_at_once(
    tmp_path: Path, statements: tuple[str, ...], found: str
) -> None:
    other = made(tmp_path / "other.db")
    for statement in ("PRAGMA foreign_keys = OFF", *statements):
        by_hand(other, statement)
    with Store(tmp_path / "here.db") as store:
        with pytest.raises(StoreError, match=found) as refused:
            store.merge(other)
        assert str(other) in str(refused.value)
        assert "here.db" not in str(refused.value)
    with pytest.raises(StoreError, match=found):
        Store(other)


def test_a_store_that_is_sound_is_read_whole_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, looks = made(tmp_path / "seqlab.db"), list[str]()
    monkeypatch.setattr("seqlab.store.sound.faults", lambda *_: looks.append("look") or iter(()))
    for expected in (1, 1):
        with Store(path):
            assert len(looks) == expected
    by_hand(path, "UPDATE run SET error = 'x' WHERE id = 1")
    for expected in (2, 2):
        with Store(path):
            assert len(looks) == expected


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_merging_and_comparing_leave_the_other_store_as_it_is(tmp_path: Path, mode: str) -> None:
    other = made(tmp_path / "there" / "other.db")
    by_hand(other, f"PRAGMA journal_mode = {mode}")
    (tmp_path / "there" / ".checked-other.db").unlink(missing_ok=True)
    before = other.read_bytes(), other.stat().st_mtime_ns, sorted(other.parent.iterdir())
    with Store(tmp_path / "here.db") as store, Store.copy_of(other) as copy:
        assert store.merge(other) == (3, 0)
        assert len(copy.records("rnn")) == 3
    assert (other.read_bytes(), other.stat().st_mtime_ns, sorted(other.parent.iterdir())) == before


def test_runs_that_another_program_is_still_writing_are_merged_too(tmp_path: Path) -> None:
    with Store(made(tmp_path / "other.db")) as busy:
        busy.add(a_run(replace(TRIAL, seed=3)))
        assert (tmp_path / "other.db-wal").stat().st_size
        with Store(tmp_path / "here.db") as store:
            assert store.merge(tmp_path / "other.db") == (4, 0)


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_flipped_bits_are_one_line(tmp_path: Path, place: int) -> None:
    """Wherever they are: the store is refused, or what it says is read, and no other error comes out."""
    path = made(tmp_path / "seqlab.db")
    content = bytearray(path.read_bytes())
    for each in range(4):
        content[(place * len(content) // 100 + each * 997) % len(content)] ^= 1 << each
    path.write_bytes(content)
    with suppress(StoreError), Store(path) as store:
        load(store)
        export(store, tmp_path / "out", "json")
        store.rules_changed_afterwards()
        store.add(a_run())


def test_a_store_that_may_not_be_written_to_is_looked_at_as_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "seqlab.db")
    before = path.read_bytes(), sorted(tmp_path.iterdir())
    monkeypatch.setattr("seqlab.store.database.is_writable", lambda _: False)
    with Store.reading(path) as store:
        assert store.path != path
        assert len(store.records("rnn")) == 3
        export(store, tmp_path / "out", "csv")
    shutil.rmtree(tmp_path / "out")
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == before
    assert len(load(path).runs) == 3


def test_a_run_that_no_store_may_hold_is_not_stored(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        for run, words in (
            (a_run(replace(TRIAL, factors={"n": 1})), "expected a factor .* as its factors"),
            (a_run(seconds=float("nan")), "a finite number as its seconds, found nan"),
            (a_run(provenance={"commit": ["a"]}), "an object of texts"),
        ):
            with pytest.raises(StoreError, match=words):
                store.add(run)
        assert store.records("rnn") == []
        store.add(a_run(status="failed", error="a\x1b[31m\ud800\n", traceback="\x00"))
        store.add(a_run(status="failed", error=f"begin {'x' * 20_000_000} end"))
        first, second = (record.error for record in store.records("rnn"))
        assert first == "a\\x1b[31m\\ud800\n"
        assert (second[:5], second[-3:], len(second) < 10_010) == ("begin", "end", True)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM run WHERE id = 3", "DELETE FROM run", "UPDATE witness SET number = 'x' WHERE number = 3"],
)
def test_a_store_from_which_runs_were_removed_by_hand_takes_new_ones(tmp_path: Path, statement: str) -> None:
    """And these inherit nothing of them."""
    path = made(tmp_path / "seqlab.db")
    by_hand(path, statement)
    with Store(made(tmp_path / "other.db")) as other:
        other.add(a_run(replace(TRIAL, seed=9)))
    by_hand(tmp_path / "other.db", "UPDATE run SET uid = 'b' || uid")
    with Store(path) as store:
        store.add(a_run(measurements=(Measurement("loss", 7.0),)))
        [number] = [record.id for record in store.records("rnn")[-1:]]
        assert [row[1:] for row in store.measured([number])] == [("loss", "", None, 7.0)]
        assert not store.artifacts([number], ARTIFACTS[0].name)
        assert store.merge(tmp_path / "other.db") == (4, 0)


def test_errors_of_the_disk_do_not_blame_the_file(tmp_path: Path) -> None:
    """Below a limit of file size, which stands for a quota or a failing disk."""
    code = f"""
import resource
from pathlib import Path
from seqlab.errors import StoreError
from seqlab.store.database import Store
from tests.store.test_database import a_run
for size in (0, 4_096, 60_000, 100_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, 1_000_000))
    try:
        with Store(Path({str(tmp_path)!r}) / f"{{size}}.db") as store:
            for _ in range(100):
                store.add(a_run())
    except StoreError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert not [line for line in lines if "damaged" in line or "Free some space" not in line]


def test_another_program_that_writes_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WAIT_SECONDS", 0.05)
    with Store(made(tmp_path / "seqlab.db")) as store:
        with closing(sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            threading.Timer(0.5, lambda: other.execute("COMMIT")).start()
            store.add(a_run())
        assert len(store.records("rnn")) == 4
        monkeypatch.setattr(connection, "PATIENCE_SECONDS", 0.1)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="Another program is writing to it; wait for it to end"):
                store.add(a_run())
