"""Where are results kept, so that nothing measured is ever lost?

SQLite in WAL mode, one transaction for each run. Nothing is overwritten: a rerun adds a run, and old runs
stay as history. A writer that is killed at any moment leaves every finished run readable.
"""

import json
import re
import sqlite3
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import astuple, dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

from seqlab.errors import StoreError
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.claims import Verdict
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.store import chain, sound
from seqlab.store.connection import connect, is_writable, transaction
from seqlab.store.explained import errors_explained
from seqlab.store.merge import attached, copy_new_runs
from seqlab.store.numbers import unused
from seqlab.store.snapshot import snapshot

LONGEST_ERROR, LONGEST_TRACEBACK = 10_000, 1_000_000  # letters

OWN, REFERENCE = "own", "reference"  # on which runs a verdict rests

Status = Literal["ok", "failed", "timed out", "out of memory", "diverged"]


@dataclass(frozen=True)
class Run:
    """What happened when a trial was run. `seconds` is wall-clock time, `started` is UTC.

    `used` has the names of the files and packages that it used, with what tells the state of each
    (`seqlab.running.identity`); empty where that is not known.
    """

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
    used: Mapping[str, str] = field(default_factory=dict)
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Record:
    """The summary of a stored run: enough to plan with, without loading its measurements."""

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
    used: int = 0  # the number of what it used, in `Store.used`; 0 where that is not known


@dataclass(frozen=True)
class FixedRule:
    """A claim's rule as it stood when it was first run."""

    claim: str
    experiment: str
    digest: str
    statement: str
    fixed: str


@dataclass(frozen=True)
class StoredVerdict:
    """What one judgement said of a claim, by the rule of that digest. `judged` is UTC, ISO 8601.

    `evidence` is `own`, for runs of this store, or `reference`.
    """

    claim: str
    experiment: str
    budget: str
    rule: str
    outcome: str
    effect: float | None
    low: float | None
    high: float | None
    n: int
    judged: str
    evidence: str
    scope: str = ""

    @property
    def device(self) -> str:
        """The devices that its scope names; empty for what is the same on all."""
        return "; ".join(part for part in self.scope.split("; ") if DEVICE.fullmatch(part))


DEVICE = re.compile(r"[cg]pu( \(.*\))?")
VERDICT_COLUMNS = ", ".join(item.name for item in fields(StoredVerdict))


class Store:
    """An open results database. Use it as a context manager; `StoreError` says what is wrong with it.

    Rows that no Seqlab wrote are set aside, as if they were not there; a line on standard error says so.
    """

    def __init__(self, path: Path, *, called: Path | None = None) -> None:
        self.path = path
        self._name = called or path  # in messages
        self._connection, told = connect(path, called=called)
        if told:
            print(f"seqlab: {told}", file=sys.stderr)

    @classmethod
    @contextmanager
    def reading(cls, path: Path) -> Iterator[Self]:
        """A store to look at alone: of a folder that may not be written to, a copy of what is there now."""
        if is_writable(path) or not path.exists():
            with cls(path) as store:
                yield store
        else:
            with cls.copy_of(path) as store:
                yield store

    @classmethod
    @contextmanager
    def copy_of(cls, path: Path) -> Iterator[Self]:
        """A copy of another's store, for as long as it is looked at. That one is not changed."""
        with snapshot(path) as copy, cls(copy, called=path) as store:
            yield store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _transaction(self) -> AbstractContextManager[None]:
        return transaction(self._connection, self._name)

    def add(self, run: Run) -> int:
        """Store one run whole, in one transaction; returns its number in this database."""
        with self._transaction():
            return self._insert(run)

    def add_all(self, runs: Iterable[Run]) -> None:
        """Store these runs in one transaction: all of them or none."""
        with self._transaction():
            for run in runs:
                self._insert(run)

    def _insert(self, run: Run) -> int:
        trial, execute = run.trial, self._connection.execute
        text = json.dumps(run.provenance, sort_keys=True)
        digest = sha256(text.encode()).hexdigest()
        row = {
            "uid": run.uid,
            "key": trial.key(device=run.device, mlx=run.mlx),
            "experiment": trial.experiment,
            "seed": trial.seed,
            "budget": trial.budget,
            "factors": canonical_json(trial.factors),
            "settings": canonical_json(trial.settings),
            "status": run.status,
            "error": printable(run.error, LONGEST_ERROR),
            "traceback": printable(run.traceback, LONGEST_TRACEBACK),
            "seconds": run.seconds,
            "started": run.started.astimezone(UTC).isoformat(timespec="milliseconds"),
            "device": run.device,
            "mlx": run.mlx,
            "fingerprint": run.fingerprint,
        }
        sound.check_new("provenance", {"json": text})
        sound.check_new("run", row)
        execute("INSERT OR IGNORE INTO main.provenance (digest, json) VALUES (?, ?)", (digest, text))
        provenance = execute("SELECT id FROM provenance WHERE digest = ?", (digest,)).fetchone()[0]
        columns, number = ", ".join(row), unused(self._connection, "run")
        execute(
            f"INSERT INTO main.run (id, {columns}, provenance) VALUES (?, {', '.join('?' * len(row))}, ?)",
            (number, *row.values(), provenance),
        )
        self._add_measurements(number, run.measurements)
        self._connection.executemany(
            "INSERT INTO main.exhibit VALUES (?, ?, ?, ?)",
            [(number, one.name, one.media, one.data) for one in run.artifacts],
        )
        if run.used:
            self._add_used(number, run.used)
        chain.witness(self._connection, "run", number)
        return number

    def _add_used(self, run: int, used: Mapping[str, str]) -> None:
        text, execute = canonical_json(used), self._connection.execute
        digest = sha256(text.encode()).hexdigest()
        execute("INSERT OR IGNORE INTO main.used (digest, json) VALUES (?, ?)", (digest, text))
        execute("INSERT INTO main.run_used SELECT ?, id FROM used WHERE digest = ?", (run, digest))

    def _add_measurements(self, run: int, measurements: Iterable[Measurement]) -> None:
        rows = list(measurements)
        texts = {text for row in rows for text in (row.metric, row.split)}
        self._connection.executemany(
            "INSERT OR IGNORE INTO main.name (text) VALUES (?)", [(text,) for text in sorted(texts)]
        )
        names = {text: number for number, text in self._connection.execute("SELECT id, text FROM name")}
        self._connection.executemany(
            "INSERT INTO main.measurement VALUES (?, ?, ?, ?, ?)",
            [(run, names[row.metric], names[row.split], row.step, row.value) for row in rows],
        )

    def records(self, experiment: str) -> list[Record]:
        """Every stored run of an experiment, oldest first, in whichever order merging brought them."""
        with errors_explained(self._name, "read"):
            rows = self._connection.execute(
                "SELECT id, key, seed, budget, factors, settings, status, error, started, device, mlx, "
                "fingerprint, seconds, coalesce(used, 0) FROM run LEFT JOIN run_used ON run = id "
                "WHERE experiment = ? ORDER BY started, id",
                (experiment,),
            )
            return [Record(*row) for row in rows]

    def used(self, experiment: str | None = None) -> dict[int, dict[str, str]]:
        """What runs of the experiment used, or runs of all experiments, by the number in their records."""
        rows = self.rows(
            "SELECT id, json FROM used WHERE id IN (SELECT used FROM run_used JOIN run ON run.id = run "
            "WHERE ?1 IS NULL OR experiment = ?1)",
            (experiment,),
        )
        return {number: used for number, text in rows if (used := _used_of(text))}

    def experiments(self) -> list[str]:
        """The names of all experiments that have runs."""
        return [row[0] for row in self.rows("SELECT DISTINCT experiment FROM run ORDER BY experiment")]

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """The connection, for whoever reads more than `rows` should hold; its errors become `StoreError`."""
        with errors_explained(self._name, "read"):
            yield self._connection

    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of an SQL query that reads."""
        with self.connected() as connection:
            return connection.execute(query, parameters).fetchall()

    def measured(self, runs: Iterable[int]) -> list[tuple[int, str, str, int | None, float]]:
        """All that these runs measured, as (run, metric, split, step, value), in the order of measuring."""
        return self.rows(
            "SELECT run, metric.text, split.text, step, value FROM measurement "
            "JOIN name AS metric ON metric.id = metric JOIN name AS split ON split.id = split "
            "WHERE run IN (SELECT value FROM json_each(?)) ORDER BY measurement.rowid",
            (json.dumps(list(runs)),),
        )

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
            chain.append(self._connection, *astuple(rule))

    def fixed_rules(self) -> list[FixedRule]:
        """Every rule that was ever run, oldest first."""
        query = f"SELECT {chain.COLUMNS} FROM rule ORDER BY fixed, claim"
        return [FixedRule(*row) for row in self.rows(query)]

    def rules_changed_afterwards(self) -> list[str]:
        """Which rules were edited, removed or dated anew since they were fixed; empty where none was."""
        with errors_explained(self._name, "read"):
            return chain.findings(self._connection)

    def last_rule(self) -> tuple[int, str]:
        """The place of the last rule in their chain, from 1, and its link; (0, "") without any."""
        with errors_explained(self._name, "read"):
            return chain.head(self._connection)

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
            REFERENCE if verdict.origin else OWN,
        )
        last = self.rows(
            "SELECT outcome, effect, low, high, n, scope, reason, rule, evidence FROM verdict "
            "WHERE claim = ? AND experiment = ? AND budget = ? AND rule = ? ORDER BY id DESC LIMIT 1",
            (verdict.claim, verdict.experiment, budget, verdict.rule.digest()),
        )
        if last and last[0] == row:
            return False
        judged = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction():
            number = unused(self._connection, "verdict")
            self._connection.execute(
                "INSERT INTO main.verdict (id, claim, experiment, budget, outcome, effect, low, high, n, "
                "scope, reason, rule, evidence, judged) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, verdict.claim, verdict.experiment, budget, *row, judged),
            )
            chain.witness(self._connection, "verdict", number)
        return True

    def verdicts(self) -> list[StoredVerdict]:
        """Every verdict in the history, oldest first for each claim, page, budget and rule.

        Those of the smoke budget, which once gave verdicts too, are left out.
        """
        query = (
            f"SELECT {VERDICT_COLUMNS} FROM verdict WHERE budget != 'smoke' "
            "ORDER BY claim, experiment, budget, rule, id"
        )
        return [StoredVerdict(*row) for row in self.rows(query)]

    def latest_verdicts(self, evidence: str = "%") -> list[StoredVerdict]:
        """The last verdict for each claim, page, budget and rule: by claim, oldest first; none of smoke.

        `evidence` keeps those on `OWN` runs or those on the `REFERENCE` alone.
        """
        query = (
            f"SELECT {VERDICT_COLUMNS} FROM verdict WHERE budget != 'smoke' AND id IN "
            "(SELECT max(id) FROM verdict WHERE evidence LIKE ? GROUP BY claim, experiment, budget, rule) "
            "ORDER BY claim, id"
        )
        return [StoredVerdict(*row) for row in self.rows(query, (evidence,))]

    def has_smoke_alone(self) -> bool:
        """Whether all runs were asked for by the smoke budget, which judges no claim."""
        return self.rows("SELECT DISTINCT budget FROM run") == [("smoke",)]

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
            raise StoreError(f"expected another database to merge, found this very store: {other}.")
        with (
            snapshot(other) as copy,
            errors_explained(self._name, "merge into"),
            _checked(copy, other),
            attached(self._connection, copy),
            self._transaction(),
        ):
            return copy_new_runs(self._connection)


@contextmanager
def _checked(copy: Path, other: Path) -> Iterator[None]:
    """Check that the copy of another store is whole, sound and ours; bring it to this schema."""
    connection, _ = connect(copy, called=other, strict=True)
    with closing(connection), errors_explained(other, "read"):
        changed = chain.findings(connection)
    if changed:  # here they would begin a new chain, which would be sound
        raise StoreError(
            f"{other} has rules that were changed after they were fixed: {changed[0]} Nothing was merged; "
            "restore a copy of it from before."
        )
    yield


def _used_of(text: str) -> dict[str, str]:
    """What was stored as used; empty where another program wrote something else."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return {}
    return found


def printable(text: str, longest: int) -> str:
    """The text without lone surrogates, and without control characters but tabs and ends of lines.

    Of a longer one the middle is left out.
    """
    if len(text) > longest:
        text = f"{text[: longest // 2]} … {text[-longest // 2 :]}"
    kept = text.encode(errors="backslashreplace").decode()
    return "".join(one if one.isprintable() or one in "\n\t" else f"\\x{ord(one):02x}" for one in kept)


def canonical_json(values: Mapping[str, object]) -> str:
    """Factors or settings as JSON with sorted names: equal values give equal text."""
    return json.dumps(dict(values), sort_keys=True)
