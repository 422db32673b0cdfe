"""Is what was measured kept, whatever happens to the program or the file?"""

import json
import sqlite3
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seqlab.errors import StoreError
from seqlab.notebook.artifacts import Artifact, Panel
from seqlab.notebook.claims import Exact, Outcome, Verdict
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.store.database import FixedRule, Run, Store
from seqlab.store.export import export
from seqlab.store.schema import APPLICATION_ID, MIGRATIONS
from seqlab.store.tables import load

TRIAL = Trial("rnn", {"model": "LSTM", "length": 8}, 0, "smoke", {"steps": 5})
ARTIFACTS = (
    Artifact.text("text", "To be, or not to be,\n\ttḧat — ‮is\r\n"),
    Artifact.images("map", [Panel("Attention", ((0.1, 0.9), (0.5, 0.5)))]),
    Artifact.file("song", "audio/midi", b"MThd\x00\xff"),
)


def a_run(trial: Trial = TRIAL, **changes: object) -> Run:
    run = Run(
        trial=trial,
        status="ok",
        seconds=1.5,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        device="cpu (test)",
        mlx="0.0",
        fingerprint="f",
        provenance={"commit": "abc"},
        measurements=(
            Measurement("loss", 2.5, "train", 0),
            Measurement("loss", 1.5, "train", 10),
            Measurement("parameters", 100),
        ),
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def test_a_run_comes_back_as_two_tables(tmp_path: Path) -> None:
    path = tmp_path / "seqlab.db"
    with Store(path) as store:
        store.add(a_run())
        store.add(a_run(replace(TRIAL, factors={"model": "RNN", "bias": 1.0}, seed=3)))
    runs, measurements = load(path)
    assert list(runs["seed"]) == [0, 3]
    assert list(runs["model"]) == ["LSTM", "RNN"]
    assert runs.loc[0, "length"] == 8
    assert isinstance(runs.loc[0, "length"], int)
    assert runs["length"].isna().tolist() == [False, True]
    assert measurements.groupby("run").size().to_dict() == {1: 3, 2: 3}
    first = measurements[measurements["run"] == 1]
    assert list(first["metric"]) == ["loss", "loss", "parameters"]
    assert list(first["split"]) == ["train", "train", ""]
    assert first["step"].tolist()[:2] == [0, 10]
    assert first["step"].isna().iloc[2]
    assert list(first["value"]) == [2.5, 1.5, 100.0]


def test_only_the_wanted_runs_are_loaded(tmp_path: Path) -> None:
    path = tmp_path / "seqlab.db"
    with Store(path) as store:
        for seed in range(4):
            store.add(a_run(replace(TRIAL, seed=seed)))
    runs, measurements = load(path, runs=[2, 4])
    assert list(runs["run"]) == [2, 4]
    assert set(measurements["run"]) == {2, 4}


def test_an_empty_store_gives_empty_tables(tmp_path: Path) -> None:
    path = tmp_path / "seqlab.db"
    with Store(path):
        pass
    runs, measurements = load(path)
    assert runs.empty
    assert measurements.empty


def test_history_is_kept(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        store.add(a_run(status="failed", error="boom"))
        store.add(a_run())
        assert [record.status for record in store.records("rnn")] == ["failed", "ok"]


def test_a_writer_killed_between_runs_leaves_the_finished_ones(tmp_path: Path) -> None:
    path = tmp_path / "seqlab.db"
    script = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from tests.store.test_database import a_run
        from seqlab.store.database import Store
        store = Store(Path({str(path)!r}))
        store.add(a_run())
        store.add(a_run())
        store._connection.execute("BEGIN IMMEDIATE")
        store._connection.execute("DELETE FROM measurement")
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9
    with Store(path) as store:
        assert len(store.records("rnn")) == 2
    assert len(load(path).measurements) == 6


def test_a_truncated_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "seqlab.db"
    with Store(path) as store:
        for _ in range(200):
            store.add(a_run())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        Store(path)
    assert path.read_bytes() == whole[: len(whole) // 2]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "seqlab.db"
    path.write_text("this is not a database, however long it may be " * 50)
    with pytest.raises(StoreError, match="no SQLite database"):
        Store(path)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "seqlab.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    with pytest.raises(StoreError, match="another program"):
        Store(path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "seqlab.db"
    newer = sqlite3.connect(path)
    newer.executescript(
        f"CREATE TABLE run (id); PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99;"
    )
    newer.close()
    with pytest.raises(StoreError, match="newer Seqlab"):
        Store(path)


def test_an_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--results"):
        Store(tmp_path / "file" / "seqlab.db")


def test_a_full_disk_is_one_clear_error_and_nothing_stored_is_lost(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        store.add(a_run())
        pages = store.rows("PRAGMA page_count")[0][0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        many = tuple(Measurement("loss", 1.0, "train", step) for step in range(20_000))
        with pytest.raises(StoreError, match="Free some space"):
            store.add(a_run(measurements=many))
        assert len(store.records("rnn")) == 1


def test_a_write_that_fails_at_its_end_leaves_the_store_usable(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        store._connection.execute("PRAGMA defer_foreign_keys = ON")
        with pytest.raises(StoreError, match="FOREIGN KEY"), store._transaction():
            store._connection.execute("INSERT INTO measurement VALUES (7, 7, 7, NULL, 1.0)")
        store.add(a_run())
        assert len(store.records("rnn")) == 1


def test_programs_that_make_the_same_store_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    errors: list[str] = []

    def open_it(path: Path, together: threading.Barrier) -> None:
        together.wait()
        try:
            Store(path)._connection.close()
        except StoreError as error:
            errors.append(str(error))

    for number in range(5):
        together = threading.Barrier(8)
        threads = [
            threading.Thread(target=open_it, args=(tmp_path / f"{number}.db", together)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all("is locked" in error for error in errors), errors  # told to wait, which is true


def test_an_export_as_json_keeps_every_digit(tmp_path: Path) -> None:
    values = (1.2345678901234567e-12, 1 / 3, 1e300)
    with Store(tmp_path / "seqlab.db") as store:
        store.add(a_run(measurements=tuple(Measurement("loss", value, "train") for value in values)))
        store.add(a_run(replace(TRIAL, factors={"model": "RNN"}), measurements=()))
    export(tmp_path / "seqlab.db", tmp_path, "json")
    rows = json.loads((tmp_path / "measurements.json").read_text())
    assert [row["value"] for row in rows] == list(values)
    assert rows[0] == {"run": 1, "metric": "loss", "value": values[0], "split": "train", "step": None}
    assert [row["length"] for row in json.loads((tmp_path / "runs.json").read_text())] == [8, None]


def test_merging_brings_in_what_is_new_once(tmp_path: Path) -> None:
    with Store(tmp_path / "here.db") as here, Store(tmp_path / "there.db") as there:
        here.add(a_run())
        there.add(a_run(replace(TRIAL, seed=1), measurements=(Measurement("accuracy", 0.5, "test"),)))
        there.add(a_run(replace(TRIAL, seed=2)))
        assert here.merge(tmp_path / "there.db") == (2, 0)
        assert here.merge(tmp_path / "there.db") == (0, 2)
    runs, measurements = load(tmp_path / "here.db")
    assert list(runs["seed"]) == [0, 1, 2]
    arrived = measurements[measurements["run"] == 2]
    assert [*arrived["metric"], *arrived["split"], *arrived["value"]] == ["accuracy", "test", 0.5]


def test_merging_a_missing_database_creates_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "here.db") as store, pytest.raises(StoreError, match="found none"):
        store.merge(tmp_path / "absent.db")
    assert not (tmp_path / "absent.db").exists()


def test_merging_a_store_into_itself_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path / "here.db") as store, pytest.raises(StoreError, match="this very store"):
        store.merge(tmp_path / "here.db")


def test_a_rule_keeps_its_first_date(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        store.fix_rule(FixedRule("C01", "rnn", "d", "statement", "2026-01-01"))
        store.fix_rule(FixedRule("C01", "rnn", "d", "statement", "2027-01-01"))
        assert [rule.fixed for rule in store.fixed_rules()] == ["2026-01-01"]


def test_a_verdict_is_history_only_when_it_changes(tmp_path: Path) -> None:
    verdict = Verdict("C01", "rnn", Outcome.SUPPORTED, Exact(metric="loss", below=1.0), "reads", "reason")
    with Store(tmp_path / "seqlab.db") as store:
        assert store.add_verdict(verdict, budget="quick")
        assert not store.add_verdict(verdict, budget="quick")
        assert store.add_verdict(replace(verdict, outcome=Outcome.INCONCLUSIVE), budget="quick")


def test_the_state_changes_with_each_run(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        before = store.state()
        store.add(a_run())
        assert store.state() != before


def test_artifacts_come_back_byte_by_byte(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        for artifacts in (ARTIFACTS, (), ARTIFACTS[:1]):
            store.add(a_run(artifacts=artifacts))
        assert store.artifacts([1, 2, 3], "text") == {1: ARTIFACTS[0], 3: ARTIFACTS[0]}
        assert store.artifacts([1], "song") == {1: ARTIFACTS[2]}
        assert store.artifacts([2, 3], "song") == {}


def test_a_run_whose_artifacts_cannot_be_stored_is_not_stored_at_all(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        with pytest.raises(StoreError, match="UNIQUE"):
            store.add(a_run(artifacts=(ARTIFACTS[0], ARTIFACTS[0])))
        assert store.records("rnn") == []
        assert store.rows("SELECT count(*) FROM measurement") == [(0,)]


def of_schema_1(path: Path) -> None:
    """A store as the first Seqlab left it, with one run in it."""
    old = sqlite3.connect(path)
    old.executescript(str(MIGRATIONS[0]))
    old.executescript(
        f"""
        PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;
        INSERT INTO provenance VALUES (1, 'digest', '{{}}');
        INSERT INTO name VALUES (1, 'loss'), (2, '');
        INSERT INTO run VALUES (1, 'uid', 'key', 'rnn', 0, 'smoke', '{{"model": "LSTM"}}', '{{}}', 'ok', '',
            '', 1.0, '2026-01-01T00:00:00+00:00', 'cpu', '0', 'f', 1);
        INSERT INTO measurement VALUES (1, 1, 2, NULL, 0.5);
        """
    )
    old.close()


def test_a_store_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    of_schema_1(tmp_path / "seqlab.db")
    with Store(tmp_path / "seqlab.db") as store:
        assert store.artifacts([1], "text") == {}
        store.add(a_run(artifacts=ARTIFACTS))
    with Store(tmp_path / "seqlab.db") as store:
        assert store.rows("PRAGMA user_version") == [(len(MIGRATIONS),)]
        assert store.artifacts([1, 2], "song") == {2: ARTIFACTS[2]}
    assert load(tmp_path / "seqlab.db").measurements["value"].iloc[0] == 0.5


def test_merging_brings_artifacts_along_and_an_old_store_without_any(tmp_path: Path) -> None:
    of_schema_1(tmp_path / "old.db")
    with Store(tmp_path / "here.db") as here, Store(tmp_path / "there.db") as there:
        here.add(a_run(artifacts=ARTIFACTS[:1]))
        there.add(a_run(replace(TRIAL, seed=1), artifacts=ARTIFACTS[1:]))
        assert here.merge(tmp_path / "there.db") == (1, 0)
        assert here.merge(tmp_path / "there.db") == (0, 1)
        assert here.merge(tmp_path / "old.db") == (1, 0)
        assert here.artifacts([1, 2, 3], "text") == {1: ARTIFACTS[0]}
        assert here.artifacts([1, 2, 3], "song") == {2: ARTIFACTS[2]}
        assert here.rows("SELECT count(*) FROM exhibit") == [(3,)]


def test_an_export_writes_artifacts_as_files_that_the_table_names(tmp_path: Path) -> None:
    strange = replace(TRIAL, experiment="../r n", factors={"model": "a/b\\c: *é*", "length": 8})
    with Store(tmp_path / "seqlab.db") as store:
        store.add(a_run(strange, artifacts=ARTIFACTS))
        store.add(a_run(strange, artifacts=(ARTIFACTS[0], Artifact.text("TEXT", "upper"))))
        store.add(a_run(replace(strange, factors={"model": "x" * 400}), artifacts=ARTIFACTS[:1]))
    written = export(tmp_path / "seqlab.db", tmp_path / "out", "json")
    rows = json.loads((tmp_path / "out" / "exhibits.json").read_text())
    assert [(row["run"], row["exhibit"], row["media"]) for row in rows[:3]] == [
        (1, one.name, one.media) for one in ARTIFACTS
    ]
    assert rows[0]["file"] == "exhibits/run1-r-n-length-8-model-a-b-c-seed0-text.txt"
    kept = [*ARTIFACTS, ARTIFACTS[0], Artifact.text("TEXT", "upper"), ARTIFACTS[0]]
    assert [(tmp_path / "out" / row["file"]).read_bytes() for row in rows] == [one.data for one in kept]
    names = [Path(row["file"]).name for row in rows]
    assert len({name.casefold() for name in names}) == len(names) == 6
    assert max(map(len, names)) < 130
    assert tmp_path / "out" / "exhibits" in written
    assert sorted(path.name for path in (tmp_path / "out" / "exhibits").iterdir()) == sorted(names)


def test_what_runs_used_is_stored_once_and_merged(tmp_path: Path) -> None:
    used = {"experiments/rnn.py": "code 1", "package numpy": "2.4.1"}
    with Store(tmp_path / "other.db") as other:
        other.add(a_run(used={"data.csv": "bytes 2"}))
        for seed in (1, 2):
            other.add(a_run(replace(TRIAL, seed=seed), used=used))
        other.add(a_run(replace(TRIAL, seed=3)))  # not known
        first, second, third, last = other.records("rnn")
        assert other.used("rnn") == {first.used: {"data.csv": "bytes 2"}, second.used: used}
        assert (second.used == third.used, last.used, other.used("vit")) == (True, 0, {})
    with Store(tmp_path / "seqlab.db") as store:
        store.add(a_run(replace(TRIAL, seed=9), used=used))
        assert store.merge(tmp_path / "other.db") == (4, 0)
        mine, *arrived, unknown = store.records("rnn")
        assert [store.used()[record.used] for record in arrived] == [{"data.csv": "bytes 2"}, used, used]
        assert (arrived[-1].used == mine.used, unknown.used) == (True, 0)


def test_what_another_program_wrote_as_used_is_not_known(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        store.add(a_run(used={"data.csv": "bytes 2"}))
        for text in ("", "{", "[]", "{}", "null", '{"data.csv": 2}', b"\xff"):
            with sqlite3.connect(store.path) as connection:
                connection.execute("UPDATE used SET json = ?", (text,))
            connection.close()
            assert store.used() == {}
