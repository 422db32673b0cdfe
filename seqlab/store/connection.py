"""How is a results database opened and written to, so that no error damages it and each says what to do?

What another program may have changed since is checked at opening: that the file is whole, has the tables of
this schema and nothing else, and that each row is sound. A file that was whole and sound is not checked again
until it changes (`seqlab.store.mark`).
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from seqlab.errors import StoreError
from seqlab.notebook import allowed
from seqlab.store import mark, sound
from seqlab.store.explained import errors_explained
from seqlab.store.schema import APPLICATION_ID, MIGRATIONS

WAIT_SECONDS = 30.0  # for another program that is writing
PATIENCE_SECONDS = 600.0  # the same where a measured run would be lost


def connect(
    path: Path, *, called: Path | None = None, strict: bool = False
) -> tuple[sqlite3.Connection, str]:
    """Open or create the database, check that it is whole and ours, and bring its schema up to date.

    Rows that are not sound are set aside: the connection does not show them, and the text that comes with it
    says which; empty where all are sound. With `strict` they are a `StoreError`. Messages name the file as
    `called`.
    """
    name = called or path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"cannot open {name}: {error}. The results folder must be writable; choose one with --results."
        ) from error
    try:
        with errors_explained(name, "open"):
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA temp_store = MEMORY")
            known, state = mark.holds(path), mark.state(path)
            _check(connection, name, whole=known)
            _configure(connection)
            _migrate(connection, name)
            _check_layout(connection, name)
            told = "" if known else _checked_rows(connection, name, strict=strict)
            if not known and not told:
                mark.keep(path, state)
    except BaseException:
        connection.close()
        raise
    return connection, told


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Write everything within, or nothing. While another program writes, wait for it."""
    with errors_explained(path, "write to"):
        _begin(connection)
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                with suppress(sqlite3.Error):  # the first error tells more
                    connection.execute("ROLLBACK")
            raise


def _begin(connection: sqlite3.Connection) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise


def _check(connection: sqlite3.Connection, path: Path, *, whole: bool) -> None:
    """Raise `StoreError` for a database of another program, of a newer Seqlab, or a damaged one.

    `whole`: it is known not to be damaged.
    """
    execute = connection.execute
    execute("BEGIN")  # another program may be about to make the same store
    version = _version(connection)
    application = execute("PRAGMA application_id").fetchone()[0]
    empty = execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    execute("COMMIT")
    if not empty and application != APPLICATION_ID:
        raise StoreError(
            f"expected Seqlab's results at {path}, found an SQLite file of another program. "
            "Move it aside, or name another results folder with --results."
        )
    if version > len(MIGRATIONS):
        raise StoreError(
            f"expected a schema up to {len(MIGRATIONS)} in {path}, found {version}, written by a newer "
            "Seqlab. Update Seqlab, or name another results folder with --results."
        )
    # Before anything is read: a view can compute for ever, a trigger change what is written.
    odd = execute(
        "SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index') "
        "OR sql LIKE 'CREATE VIRTUAL%' LIMIT 1"
    ).fetchone()
    if odd:
        raise _other_layout(path, f"the {odd[0]} {allowed.shown(odd[1])}")
    found = "ok" if whole else execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(
            f"{path} is damaged ({found.strip().splitlines()[-1]}). It was not changed; "
            "restore a copy or move it aside, then run the same command again."
        )


def _check_layout(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `StoreError` unless every table has the columns that the migrations give it."""
    found = _layout(connection)
    for table, expected in _our_layout().items():
        if table not in found:
            raise _other_layout(path, f"none called {table}")
        if found[table] != expected:
            raise _other_layout(path, f"other columns in {table}")


def _other_layout(path: Path, found: str) -> StoreError:
    return StoreError(
        f"expected the tables of Seqlab's results in {path}, found {found}. It was not changed; "
        "restore a copy or move it aside, then run the same command again."
    )


@cache
def _our_layout() -> dict[str, list[tuple[object, ...]]]:
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        _migrate(memory, Path(":memory:"))
        return _layout(memory)
    finally:
        memory.close()


def _layout(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """The columns of each table, and the keys that are unique."""
    tables = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
    columns = 'SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)'
    keys = "SELECT \"unique\", origin, partial FROM pragma_index_list(?) WHERE origin != 'c' ORDER BY 2"
    return {
        name: [*connection.execute(columns, (name,)), *connection.execute(keys, (name,))]
        for (name,) in tables
    }


def _checked_rows(connection: sqlite3.Connection, path: Path, *, strict: bool) -> str:
    """Set rows aside that are not sound; returns a line that says so, empty where there are none."""
    found = list(sound.faults(connection))
    if not found:
        return ""
    more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    if strict:
        raise StoreError(
            f"{path}, {found[0].text}{more}. Nothing of it was taken; restore a sound copy of it."
        )
    runs = sound.set_aside(connection, found)
    total = connection.execute("SELECT count(*) FROM main.run").fetchone()[0]
    return (
        f"{path}, {found[0].text}{more}. Such rows are set aside, and with them {runs:,} of {total:,} runs; "
        "the others count as before."
    )


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode NORMAL survives a killed process; only a power cut may cost the last runs.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Run the scripts that this database has not had yet."""
    if _version(connection) == len(MIGRATIONS):
        return
    with transaction(connection, path):
        for script in MIGRATIONS[_version(connection) :]:  # another program may have run some meanwhile
            for step in (script,) if isinstance(script, str) else script:
                if not isinstance(step, str):
                    step(connection)
                    continue
                for statement in step.split(";"):
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_writable(path: Path) -> bool:
    """Whether a store at this path, or one yet to be made, can be written to."""
    folder = next(parent for parent in path.parents if parent.exists())
    return os.access(folder, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))
