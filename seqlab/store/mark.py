"""Was this database whole and sound when it was last looked at, and has it not changed since?

Reading all of a large store takes longer than a report with nothing to do. So a mark beside it keeps the
file's size, number and times after a check that found nothing, as git does. Any write makes the mark void.
"""

from contextlib import suppress
from pathlib import Path

PREFIX = ".checked-"


def state(path: Path) -> str:
    """What changes with the file, and with what was written and is not yet in the file itself."""
    try:
        found = [path.stat()]
        with suppress(FileNotFoundError):
            waiting = path.with_name(f"{path.name}-wal").stat()
            found += [waiting] if waiting.st_size else []
    except OSError:
        return ""
    return "\n".join(f"{one.st_size} {one.st_ino} {one.st_mtime_ns} {one.st_ctime_ns}" for one in found)


def holds(path: Path) -> bool:
    """Whether the database is still the one that was checked."""
    with suppress(OSError, ValueError):
        return bool(known := state(path)) and file_of(path).read_text() == known
    return False


def keep(path: Path, checked: str) -> None:
    """Say that it was checked, if it still is as it was when the check began."""
    with suppress(OSError):  # it only saves time
        if checked and checked == state(path):
            file_of(path).write_text(checked)


def file_of(path: Path) -> Path:
    """Where the mark of a database is kept."""
    return path.with_name(f"{PREFIX}{path.name.lstrip('.')}")
