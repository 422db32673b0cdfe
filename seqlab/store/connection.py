"""How is a results database opened and written to, so that no error damages it and each says what to do?"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqlab.errors import StoreError
from seqlab.store.schema import APPLICATION_ID, MIGRATIONS


def connect(path: Path) -> sqlite3.Connection:
    """Open or create the database, check that it is whole and ours, and bring its schema up to date."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"cannot open {path}: {error}. The results folder must be writable; choose one with --results."
        ) from error
    try:
        with errors_explained(path, "open"):
            _check(connection, path)
            _configure(connection)
            _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def errors_explained(path: Path, doing: str) -> Iterator[None]:
    """Raise SQLite's errors as `StoreError`, with what to do about them."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "full" in text or "readonly" in text or "unable to open" in text:
            advice = "Free some space or make the folder writable, then run the same command again"
        elif "locked" in text:
            advice = "Another program is writing to it; wait for it to end, then run the same command again"
        else:
            advice = (
                "The file is damaged or is no SQLite database; move it aside, or name another with --results"
            )
        raise StoreError(
            f"cannot {doing} {path}: {text}. {advice}. Nothing stored before was changed."
        ) from error


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Write everything within, or nothing."""
    with errors_explained(path, "write to"):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `StoreError` for a database of another program, of a newer Seqlab, or a damaged one."""
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
    found = execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(
            f"{path} is damaged ({found.strip().splitlines()[-1]}). It was not changed; "
            "restore a copy or move it aside, then run the same command again."
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
