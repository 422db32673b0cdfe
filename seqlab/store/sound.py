"""Is every row of a store one that Seqlab could have written? One table says what each column may hold.

SQLite keeps whatever a program writes, a text in a column of numbers included. So a store that another
program made or changed is checked before it is read: types, ranges, the shape of JSON, lengths, encodings,
names. What a run of this machine stores is checked by the same table, in `check_new`.

What a run used may be anything, since what is not understood is taken for not known.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from seqlab.errors import StoreError
from seqlab.notebook import allowed
from seqlab.notebook.artifacts import SUFFIXES
from seqlab.notebook.experiment import BUDGETS

STATUSES = ("ok", "failed", "timed out", "out of memory", "diverged")
Check = Callable[[Any], str]  # what was expected, where the value is something else; else nothing


@dataclass(frozen=True)
class Fault:
    """A row that no Seqlab wrote, and what is wrong with it, in words."""

    table: str
    row: int
    text: str


class Undecodable(bytes):
    """A text of the store that is no UTF-8."""


def _json(check: Check) -> Check:
    # Many runs have the same factors and settings.
    @lru_cache(maxsize=512)
    def checked(value: Any) -> str:
        if not isinstance(value, str):
            return "JSON"
        try:
            return check(json.loads(value, parse_constant=_no_constant))
        except (ValueError, RecursionError):
            return "JSON"

    return checked


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _one_of(*known: str) -> Check:
    return lambda value: "" if value in known else f"one of {', '.join(known)}"


def _whole(least: int, most: int = 2**63 - 1) -> Check:
    def check(value: Any) -> str:
        fits = isinstance(value, int) and least <= value <= most
        return "" if fits else f"a whole number from {least} to {most}"

    return check


def _seconds(value: Any) -> str:
    return allowed.number(value) or ("" if value >= 0 else "a time of 0 s or more")


def _date(value: Any) -> str:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return "a date of ISO 8601"
    return ""


def _maybe_number(value: Any) -> str:
    return "" if value is None or isinstance(value, float) else "a number, or nothing"


def _circumstances(value: Any) -> str:
    """What `provenance.gather` finds: texts, numbers and yes or no by name, or named texts."""
    expected = "an object of texts, numbers, true and false"
    if not isinstance(value, dict) or _wrong_whole(value, "trials at once", "memory", "buffer cache"):
        return expected
    parts = [part for one in value.values() for part in (one.values() if isinstance(one, dict) else [one])]
    return expected if any(part is not None and allowed.level(part) for part in parts) else ""


def _wrong_whole(value: Mapping[str, Any], *names: str) -> bool:
    return any(allowed.number(value.get(name, 0)) != "" for name in names)


COLUMNS: Mapping[str, Mapping[str, Check]] = {
    "provenance": {"digest": allowed.name, "json": _json(_circumstances)},
    "run": {
        "uid": allowed.name,
        "key": allowed.name,
        "experiment": allowed.name,
        "seed": _whole(0),
        "budget": _one_of(*BUDGETS),
        "factors": _json(allowed.factors),
        "settings": _json(allowed.settings),
        "status": _one_of(*STATUSES),
        "error": allowed.text,
        "traceback": allowed.text,
        "seconds": _seconds,
        "started": _date,
        "device": allowed.name,
        "mlx": allowed.name_or_empty,
        "fingerprint": allowed.name_or_empty,
    },
    "name": {"text": allowed.name_or_empty},
    "exhibit": {"name": allowed.name, "media": _one_of(*SUFFIXES)},
    "rule": {
        "claim": allowed.name,
        "experiment": allowed.name,
        "digest": allowed.name,
        "statement": allowed.text,
        "fixed": _date,
        "seal": allowed.text,
        "link": allowed.text,
    },
    "verdict": {
        "claim": allowed.name,
        "experiment": allowed.name,
        "budget": _one_of(*BUDGETS),
        "outcome": allowed.name,  # earlier versions had other ones
        "effect": _maybe_number,
        "low": _maybe_number,
        "high": _maybe_number,
        "n": _whole(0),
        "scope": allowed.text,
        "reason": allowed.text,
        "rule": allowed.text,
        "judged": _date,
        "evidence": _one_of("own", "reference"),
    },
}

# The tables that may have a million rows, or rows of many megabytes, are searched by SQLite itself: what is
# wrong, where it is so, and the value to show.
_LARGE = (
    (
        "measurement",
        "value",
        "a finite number",
        "typeof(value) NOT IN ('real', 'integer') OR abs(value) > 1.7976931348623157e308",
    ),
    (
        "measurement",
        "step",
        "a whole number of at most 2^53, or nothing",
        "step IS NOT NULL AND (typeof(step) != 'integer' OR abs(step / 2) > 4503599627370496)",
    ),
    ("measurement", "metric", "the number of a name", "metric NOT IN (SELECT id FROM {0}.name)"),
    ("measurement", "split", "the number of a name", "split NOT IN (SELECT id FROM {0}.name)"),
    ("measurement", "run", "the number of a run", "run NOT IN (SELECT id FROM {0}.run)"),
    ("exhibit", "data", f"at most {allowed.MOST_BYTES >> 20} MiB of bytes",
     f"typeof(data) != 'blob' OR length(data) > {allowed.MOST_BYTES}"),
    ("exhibit", "run", "the number of a run", "run NOT IN (SELECT id FROM {0}.run)"),
    ("run", "provenance", "the number of a provenance", "provenance NOT IN (SELECT id FROM {0}.provenance)"),
)  # fmt: skip


def faults(connection: sqlite3.Connection, schema: str = "main") -> Iterator[Fault]:
    """Every row of the database that holds what it should not; one fault a row at least."""
    with _any_text(connection):
        for table, columns in COLUMNS.items():
            query = f"SELECT rowid, {', '.join(columns)} FROM {schema}.{table} ORDER BY rowid"
            checks = list(columns.items())
            for number, *values in connection.execute(query):
                for (column, check), value in zip(checks, values, strict=True):
                    if expected := _expected(check, value):
                        yield _fault(table, number, column, expected, value)
                        break
        for table, column, expected, wrong in _LARGE:
            query = f"SELECT rowid, {_short(column)} FROM {schema}.{table} WHERE {wrong.format(schema)}"
            for number, value in connection.execute(query):
                yield _fault(table, number, column, expected, value)


def check_new(table: str, row: Mapping[str, Any]) -> None:
    """Raise `StoreError` unless this row may be written."""
    for column, check in COLUMNS[table].items():
        if column in row and (expected := _expected(check, row[column])):
            raise StoreError(
                f"cannot store a run: expected {expected} as its {column}, found "
                f"{allowed.shown(row[column])}. Correct the page."
            )


def _expected(check: Check, value: Any) -> str:
    if isinstance(value, Undecodable):
        return "a text of UTF-8"
    return check(value)


def _fault(table: str, row: int, column: str, expected: str, found: object) -> Fault:
    value = bytes(found) if isinstance(found, Undecodable) else found
    said = f"row {row} of {table}: expected {expected} as {column}, found {allowed.shown(value)}"
    return Fault(table, row, said)


def _short(column: str) -> str:
    """Never whole: a blob may have a gigabyte."""
    cut = f"substr({column}, 1, 80)"
    return f"CASE WHEN typeof({column}) IN ('blob', 'text') THEN {cut} ELSE {column} END"


@contextmanager
def _any_text(connection: sqlite3.Connection) -> Iterator[None]:
    def decoded(data: bytes) -> str | Undecodable:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return Undecodable(data)

    before = connection.text_factory
    connection.text_factory = decoded
    try:
        yield
    finally:
        connection.text_factory = before


def set_aside(connection: sqlite3.Connection, found: Sequence[Fault]) -> int:
    """Hide the rows with faults from this connection, and the runs that rest on them; returns how many runs.

    Views of the connection's own take the tables' names, so what is written must name `main`. The file stays
    as it is.
    """
    execute = connection.execute
    execute("CREATE TEMP TABLE aside (kind TEXT, row INTEGER, PRIMARY KEY (kind, row)) WITHOUT ROWID")
    connection.executemany(
        "INSERT OR IGNORE INTO temp.aside VALUES (?, ?)", [(fault.table, fault.row) for fault in found]
    )
    row_of = "SELECT row FROM temp.aside WHERE kind"
    for runs in (
        f"SELECT id FROM main.run WHERE provenance IN ({row_of} = 'provenance')",
        f"SELECT run FROM main.measurement WHERE rowid IN ({row_of} = 'measurement')",
        f"SELECT run FROM main.measurement WHERE metric IN ({row_of} = 'name')",
        f"SELECT run FROM main.measurement WHERE split IN ({row_of} = 'name')",
        f"SELECT run FROM main.exhibit WHERE rowid IN ({row_of} = 'exhibit')",
    ):
        execute(f"INSERT OR IGNORE INTO temp.aside SELECT 'run', number FROM (SELECT 0 AS number WHERE 0 "
                f"UNION {runs}) WHERE typeof(number) = 'integer'")  # fmt: skip
    for table, key, kind in (
        ("run", "id", "run"), ("measurement", "run", "run"), ("exhibit", "run", "run"),
        ("provenance", "id", "provenance"), ("name", "id", "name"), ("rule", "place", "rule"),
        ("verdict", "id", "verdict"),
    ):  # fmt: skip
        rowid = "" if key in ("id", "place") else "rowid AS rowid, "
        execute(
            f"CREATE TEMP VIEW {table} AS SELECT {rowid}* FROM main.{table} "
            f"WHERE {key} NOT IN ({row_of} = '{kind}')"
        )
    return int(execute(f"SELECT count(*) FROM main.run WHERE id IN ({row_of} = 'run')").fetchone()[0])
