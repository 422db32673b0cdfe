"""What does an error of SQLite mean to a user, and what should they do? One line for each kind."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqlab.errors import StoreError

AGAIN = "then run the same command again"
WRITABLE = f"Make the file and its folder writable, {AGAIN}"
DAMAGED = "The file is damaged or is no SQLite database; move it aside, or name another with --results"
ADVICE = {
    sqlite3.SQLITE_FULL: f"Free some space, {AGAIN}",
    sqlite3.SQLITE_READONLY: WRITABLE,
    sqlite3.SQLITE_PERM: WRITABLE,
    sqlite3.SQLITE_CANTOPEN: f"Free some space or make the folder writable, {AGAIN}",
    sqlite3.SQLITE_BUSY: f"Another program is writing to it; wait for it to end, {AGAIN}",
    sqlite3.SQLITE_LOCKED: f"Another program is writing to it; wait for it to end, {AGAIN}",
    sqlite3.SQLITE_IOERR: "The disk cannot be read or written: it may be full, over a quota or a limit of "
    f"file size, or failing. Free some space or name another folder with --results, {AGAIN}",
    sqlite3.SQLITE_NOMEM: f"Free some memory, {AGAIN}",
    sqlite3.SQLITE_CONSTRAINT: "The row contradicts others that are stored",
    sqlite3.SQLITE_ERROR: "The file is not laid out as results are; restore a copy or move it aside",
}
NO_SHARING = (
    "Its file system has no locks or no shared memory, as some network folders; name a folder on a local "
    f"disk with --results, {AGAIN}"
)
SHARING = frozenset(
    (sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_SHMLOCK, sqlite3.SQLITE_IOERR_SHMMAP,
     sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_UNLOCK)
)  # fmt: skip


@contextmanager
def errors_explained(path: Path, doing: str) -> Iterator[None]:
    """Raise SQLite's errors as `StoreError`, with what to do about them."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"cannot {doing} {path}: {error}. {advice(error)}. Nothing stored before was changed."
        ) from error


def advice(error: sqlite3.Error) -> str:
    """What to do about the error, without a full stop."""
    code = getattr(error, "sqlite_errorcode", None)  # none where Python's module itself complains
    if code in SHARING:
        return NO_SHARING
    return DAMAGED if code is None else ADVICE.get(code & 0xFF, DAMAGED)
