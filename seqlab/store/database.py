"""Where are results kept, so that nothing measured is ever lost?

SQLite in WAL mode, one transaction a run. Nothing is overwritten: a rerun adds a run, old ones stay
as history. A writer that is killed at any moment leaves every finished run readable. Metric and
split names are stored once, in `name`, which keeps a million measurements small and quick to load.
Artifacts lie in a table of their own, which nothing reads but what shows or exports them.
"""

import json
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

from seqlab.errors import StoreError
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.claims import Verdict
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement

Status = Literal["ok", "failed", "timed out", "out of memory", "diverged"]

APPLICATION_ID = 0x5E91AB  # marks an SQLite file as ours
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE provenance (id INTEGER PRIMARY KEY, digest TEXT UNIQUE NOT NULL, json TEXT NOT NULL);
    CREATE TABLE run (
        id INTEGER PRIMARY KEY, uid TEXT UNIQUE NOT NULL, key TEXT NOT NULL, experiment TEXT NOT NULL,
        seed INTEGER NOT NULL, budget TEXT NOT NULL, factors TEXT NOT NULL, settings TEXT NOT NULL,
        status TEXT NOT NULL, error TEXT NOT NULL, traceback TEXT NOT NULL, seconds REAL NOT NULL,
        started TEXT NOT NULL, device TEXT NOT NULL, mlx TEXT NOT NULL, fingerprint TEXT NOT NULL,
        provenance INTEGER NOT NULL REFERENCES provenance (id)
    );
    CREATE INDEX run_by_experiment ON run (experiment, key);
    CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT UNIQUE NOT NULL);
    CREATE TABLE measurement (
        run INTEGER NOT NULL REFERENCES run (id), metric INTEGER NOT NULL REFERENCES name (id),
        split INTEGER NOT NULL REFERENCES name (id), step INTEGER, value REAL NOT NULL
    );
    CREATE INDEX measurement_by_run ON measurement (run);
    CREATE TABLE rule (
        claim TEXT NOT NULL, experiment TEXT NOT NULL, digest TEXT NOT NULL, statement TEXT NOT NULL,
        fixed TEXT NOT NULL, PRIMARY KEY (claim, experiment, digest)
    );
    CREATE TABLE verdict (
        id INTEGER PRIMARY KEY, claim TEXT NOT NULL, experiment TEXT NOT NULL, budget TEXT NOT NULL,
        outcome TEXT NOT NULL, effect REAL, low REAL, high REAL, n INTEGER NOT NULL, scope TEXT NOT NULL,
        reason TEXT NOT NULL, rule TEXT NOT NULL, judged TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE exhibit (
        run INTEGER NOT NULL REFERENCES run (id), name TEXT NOT NULL, media TEXT NOT NULL,
        data BLOB NOT NULL, PRIMARY KEY (run, name)
    );
    """,
)


@dataclass(frozen=True)
class Run:
    """What happened when a trial was run. `seconds` is wall-clock time, `started` is UTC."""

    trial: Trial
    status: Status
    seconds: float
    started: datetime
    device: str
    mlx: str
    fingerprint: str
    provenance: Mapping[str, Any]
    measurements: tuple[Measurement, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    error: str = ""
    traceback: str = ""
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Record:
    """The outline of a stored run: enough to plan with, without loading its measurements."""

    id: int
    key: str
    seed: int
    budget: str
    factors: str
    settings: str
    status: Status
    error: str
    started: str
    device: str
    mlx: str
    fingerprint: str
    seconds: float


@dataclass(frozen=True)
class FixedRule:
    """A claim's rule as it stood when it was first run."""

    claim: str
    experiment: str
    digest: str
    statement: str
    fixed: str


class Store:
    """An open results database. Use it as a context manager; `StoreError` says what is wrong with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"cannot open {path}: {error}. "
                "The results folder must be writable; choose one with --results."
            ) from error
        try:
            with self._explained("open"):
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = str(error)
            if "full" in text or "readonly" in text or "unable to open" in text:
                advice = "Free some space or make the folder writable, then give the same command again"
            elif "locked" in text:
                advice = (
                    "Another program is writing to it; wait for it to end, then give the same command again"
                )
            else:
                advice = (
                    "The file is damaged or is no SQLite database; move it aside, "
                    "or name another with --results"
                )
            raise StoreError(
                f"cannot {doing} {self.path}: {text}. {advice}. Nothing stored before was changed."
            ) from error

    def _prepare(self) -> None:
        """Check that the file is whole and ours, then bring its schema up to date."""
        execute = self._connection.execute
        execute("BEGIN")  # another program may be about to make the same store
        version = self._version()
        application = execute("PRAGMA application_id").fetchone()[0]
        empty = execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        execute("COMMIT")
        if not empty and application != APPLICATION_ID:
            raise StoreError(
                f"{self.path} is an SQLite file of another program, not Seqlab's results. "
                "Move it aside, or name another results folder with --results."
            )
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self.path} has schema {version}, written by a newer Seqlab; this one knows up to "
                f"{len(MIGRATIONS)}. Update Seqlab, or name another results folder with --results."
            )
        found = execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(
                f"{self.path} is damaged ({found.strip().splitlines()[-1]}). It was not touched; "
                "restore a copy or move it aside, then give the same command again."
            )
        execute("PRAGMA journal_mode = WAL")
        # In WAL mode NORMAL survives a killed process; only a power cut may cost the last runs.
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA foreign_keys = ON")
        if version < len(MIGRATIONS):
            with self._transaction():
                for script in MIGRATIONS[self._version() :]:  # another may have done it meanwhile
                    for statement in script.split(";"):
                        execute(statement)
                execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
                execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._explained("write to"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise

    def add(self, run: Run) -> int:
        """Store one run whole, in one transaction; returns its number in this database."""
        trial, execute = run.trial, self._connection.execute
        with self._transaction():
            about = json.dumps(run.provenance, sort_keys=True)
            digest = sha256(about.encode()).hexdigest()
            execute("INSERT OR IGNORE INTO provenance (digest, json) VALUES (?, ?)", (digest, about))
            provenance = execute("SELECT id FROM provenance WHERE digest = ?", (digest,)).fetchone()[0]
            cursor = execute(
                "INSERT INTO run VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run.uid,
                    trial.key(device=run.device, mlx=run.mlx),
                    trial.experiment,
                    trial.seed,
                    trial.budget,
                    canonical(trial.factors),
                    canonical(trial.settings),
                    run.status,
                    run.error,
                    run.traceback,
                    run.seconds,
                    run.started.astimezone(UTC).isoformat(timespec="milliseconds"),
                    run.device,
                    run.mlx,
                    run.fingerprint,
                    provenance,
                ),
            )
            number = int(cursor.lastrowid or 0)
            self._add_measurements(number, run.measurements)
            self._connection.executemany(
                "INSERT INTO exhibit VALUES (?, ?, ?, ?)",
                [(number, shown.name, shown.media, shown.data) for shown in run.artifacts],
            )
        return number

    def _add_measurements(self, run: int, measurements: Iterable[Measurement]) -> None:
        rows = list(measurements)
        texts = {text for row in rows for text in (row.metric, row.split)}
        self._connection.executemany(
            "INSERT OR IGNORE INTO name (text) VALUES (?)", [(text,) for text in sorted(texts)]
        )
        names = {text: number for number, text in self._connection.execute("SELECT id, text FROM name")}
        self._connection.executemany(
            "INSERT INTO measurement VALUES (?, ?, ?, ?, ?)",
            [(run, names[row.metric], names[row.split], row.step, row.value) for row in rows],
        )

    def records(self, experiment: str) -> list[Record]:
        """Every stored run of an experiment, oldest first."""
        with self._explained("read"):
            rows = self._connection.execute(
                "SELECT id, key, seed, budget, factors, settings, status, error, started, device, mlx, "
                "fingerprint, seconds FROM run WHERE experiment = ? ORDER BY id",
                (experiment,),
            )
            return [Record(*row) for row in rows]

    def experiments(self) -> list[str]:
        """The names of all experiments that have runs."""
        return [row[0] for row in self.rows("SELECT DISTINCT experiment FROM run ORDER BY experiment")]

    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Read with a query of your own."""
        with self._explained("read"):
            return self._connection.execute(query, parameters).fetchall()

    def artifacts(self, runs: Iterable[int], name: str) -> dict[int, Artifact]:
        """The artifact of that name of each run that has one, by the run's number."""
        rows = self.rows(
            "SELECT run, name, media, data FROM exhibit "
            "WHERE name = ? AND run IN (SELECT value FROM json_each(?))",
            (name, json.dumps(list(runs))),
        )
        return {run: Artifact(*artifact) for run, *artifact in rows}

    def provenance(self, runs: Iterable[int]) -> list[dict[str, Any]]:
        """The distinct circumstances under which the runs were measured."""
        wanted = json.dumps(list(runs))
        rows = self.rows(
            "SELECT DISTINCT p.id, p.json FROM provenance p JOIN run r ON r.provenance = p.id "
            "WHERE r.id IN (SELECT value FROM json_each(?)) ORDER BY p.id",
            (wanted,),
        )
        return [json.loads(row[1]) for row in rows]

    def fix_rule(self, rule: FixedRule) -> None:
        """Keep a rule and its date the first time it is run; later calls change nothing."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO rule VALUES (?, ?, ?, ?, ?)",
                (rule.claim, rule.experiment, rule.digest, rule.statement, rule.fixed),
            )

    def fixed_rules(self) -> list[FixedRule]:
        """Every rule that was ever run, oldest first."""
        return [FixedRule(*row) for row in self.rows("SELECT * FROM rule ORDER BY fixed, claim")]

    def add_verdict(self, verdict: Verdict, *, budget: str) -> bool:
        """Keep a verdict as history, unless it repeats the last one by this rule. True if it was new."""
        row = (
            verdict.outcome.value,
            verdict.effect,
            verdict.low,
            verdict.high,
            verdict.n,
            verdict.scope,
            verdict.reason,
            verdict.rule.digest(),
        )
        last = self.rows(
            "SELECT outcome, effect, low, high, n, scope, reason, rule FROM verdict "
            "WHERE claim = ? AND experiment = ? AND budget = ? AND rule = ? ORDER BY id DESC LIMIT 1",
            (verdict.claim, verdict.experiment, budget, verdict.rule.digest()),
        )
        if last and last[0] == row:
            return False
        judged = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction():
            self._connection.execute(
                "INSERT INTO verdict VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (verdict.claim, verdict.experiment, budget, *row, judged),
            )
        return True

    def state(self) -> str:
        """A short text that changes whenever a run or a rule is added."""
        runs = self.rows("SELECT count(*), max(id), max(uid) FROM run")[0]
        rules = self.rows("SELECT count(*), max(fixed) FROM rule")[0]
        return repr((runs, rules))

    def merge(self, other: Path) -> tuple[int, int]:
        """Bring in another database's runs; returns how many were new and how many were known."""
        if not other.is_file():
            raise StoreError(f"expected a results database at {other}, found none. Check the path.")
        if other.samefile(self.path):
            raise StoreError(f"{other} is this very store; expected another one to merge.")
        with Store(other):  # checks that it is whole, ours, and brings it to this schema
            pass
        with self._explained("merge into"):
            self._connection.execute("ATTACH DATABASE ? AS other", (os.fspath(other),))
        try:
            with self._transaction():
                return self._merge_attached()
        finally:
            self._connection.execute("DETACH DATABASE other")

    def _merge_attached(self) -> tuple[int, int]:
        execute = self._connection.execute
        total = execute("SELECT count(*) FROM other.run").fetchone()[0]
        before = execute("SELECT count(*) FROM run").fetchone()[0]
        execute("INSERT OR IGNORE INTO provenance (digest, json) SELECT digest, json FROM other.provenance")
        execute("INSERT OR IGNORE INTO name (text) SELECT text FROM other.name")
        execute(
            "CREATE TEMP TABLE arriving AS SELECT id, uid FROM other.run "
            "WHERE uid NOT IN (SELECT uid FROM main.run)"
        )
        execute(
            "INSERT INTO run SELECT NULL, r.uid, r.key, r.experiment, r.seed, r.budget, r.factors, "
            "r.settings, r.status, r.error, r.traceback, r.seconds, r.started, r.device, r.mlx, "
            "r.fingerprint, p.id FROM other.run r JOIN temp.arriving a ON a.id = r.id "
            "JOIN other.provenance q ON q.id = r.provenance "
            "JOIN main.provenance p ON p.digest = q.digest ORDER BY r.id"
        )
        execute(
            "INSERT INTO measurement SELECT mine.id, metric.id, split.id, m.step, m.value "
            "FROM other.measurement m JOIN temp.arriving a ON a.id = m.run "
            "JOIN main.run mine ON mine.uid = a.uid "
            "JOIN other.name om ON om.id = m.metric JOIN main.name metric ON metric.text = om.text "
            "JOIN other.name os ON os.id = m.split JOIN main.name split ON split.text = os.text "
            "ORDER BY m.rowid"
        )
        execute(
            "INSERT INTO exhibit SELECT mine.id, e.name, e.media, e.data FROM other.exhibit e "
            "JOIN temp.arriving a ON a.id = e.run JOIN main.run mine ON mine.uid = a.uid ORDER BY e.rowid"
        )
        execute("INSERT OR IGNORE INTO rule SELECT * FROM other.rule")
        execute("DROP TABLE temp.arriving")
        added = execute("SELECT count(*) FROM run").fetchone()[0] - before
        return added, total - added


def canonical(values: Mapping[str, object]) -> str:
    """Factors or settings as JSON with sorted names: equal values give equal text."""
    return json.dumps(dict(values), sort_keys=True)
