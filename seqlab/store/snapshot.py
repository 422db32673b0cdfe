"""How is another's store read without changing it, or a store where nothing may be written? As a copy.

SQLite makes the copy, so a store that another program is writing to is copied as it was at one moment. Where
the folder may not be written to, SQLite cannot share a store in WAL mode; then nobody else can either, and
the files are copied.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from seqlab.errors import StoreError
from seqlab.store.explained import errors_explained

WAL_VERSION = 2  # the 19th byte of a database in WAL mode


@contextmanager
def snapshot(path: Path) -> Iterator[Path]:
    """The path of a copy of the database, which goes when it is no longer needed."""
    with TemporaryDirectory(prefix="seqlab-copy-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "seqlab.db"
        try:
            with errors_explained(path, "read"):
                _copy(path, copy)
        except OSError as error:
            raise StoreError(
                f"cannot copy {path} to the temporary folder {folder}: {error.strerror}. "
                "Make room there, or name another folder in TMPDIR."
            ) from error
        yield copy


def _copy(path: Path, copy: Path) -> None:
    with path.open("rb") as file:
        in_wal_mode = file.read(19)[18:] == bytes([WAL_VERSION])
    waiting = path.with_name(f"{path.name}-wal")
    # Without a file of waiting writes nobody has it open. Then none is made beside it.
    alone = in_wal_mode and not waiting.exists()
    uri = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=30)) as source,
            closing(sqlite3.connect(copy)) as to,
        ):
            source.backup(to)
    except sqlite3.OperationalError as error:
        unshared = getattr(error, "sqlite_errorcode", 0) & 0xFF in (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY,
        )
        if not (in_wal_mode and unshared):
            raise
        for one in (path, waiting):
            if one.exists():
                shutil.copyfile(one, copy.with_name(copy.name + one.name.removeprefix(path.name)))
