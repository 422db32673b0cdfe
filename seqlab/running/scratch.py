"""Where do files lie that are of no use after a command, and who removes those of a command that was killed?

Each has a folder of its own in the system's temporary folder, with a lock that the system releases when the
process ends, however it ends. The next command removes the folders that nobody holds.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "seqlab-running-"
LOCK = ".lock"
NEW_SECONDS = 60.0  # a folder this young may be about to be locked
# Without a lock, from what trials measure or from earlier versions: old enough to be nobody's.
UNLOCKED = ("seqlab-kernels-*", "seqlab-copy-*", "seqlab-*.jsonl")
OLD_SECONDS = 2 * 86_400.0


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for as long as it is needed; before, those that killed commands left are removed."""
    sweep()
    made = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (made / LOCK).open("w") as lock:
            with suppress(OSError):  # a file system without locks: nobody will take it for left over
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep() -> None:
    """Remove what commands of this user left behind that were killed."""
    place, now = Path(tempfile.gettempdir()), time.time()
    for left in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if _is_ours(left) and now - left.stat().st_mtime > NEW_SECONDS and _is_free(left / LOCK):
                shutil.rmtree(left, ignore_errors=True)
    for pattern in UNLOCKED:
        for left in place.glob(pattern):
            with suppress(OSError):
                if _is_ours(left) and now - left.stat().st_mtime > OLD_SECONDS:
                    shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()


def _is_ours(path: Path) -> bool:
    return not path.is_symlink() and path.stat().st_uid == os.getuid()


def _is_free(lock: Path) -> bool:
    """Whether no process holds the lock."""
    with lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
