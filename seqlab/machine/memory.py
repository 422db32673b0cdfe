"""How much memory may the trials take? What the machine has; in a container, what that may take of it."""

from collections.abc import Iterator
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
OF_THIS_PROCESS = Path("/proc/self/cgroup")
FIRST_VERSION = "memory.limit_in_bytes", "memory.usage_in_bytes"


def memory_limit(share: float = 0.8) -> int:
    """A share of the memory that there is for this process, in bytes."""
    return int(total_memory() * share)


def total_memory() -> int:
    """Bytes: the machine's memory, or the smallest limit of a control group that this process is in."""
    return min([int(psutil.virtual_memory().total), *(limit for limit, _ in limits())])


def limits() -> Iterator[tuple[int, int]]:
    """The limits of the control groups of Linux that the process is in (version 2 or 1), and above.

    Each in bytes, with what its group has taken so far.
    """
    try:
        lines = OF_THIS_PROCESS.read_text().splitlines()
    except (OSError, UnicodeDecodeError):  # not Linux
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers not in ("", "memory"):
            continue
        top = CGROUPS / "memory" if controllers else CGROUPS
        most, taken = FIRST_VERSION if controllers else ("memory.max", "memory.current")
        own = top / path.lstrip("/")  # not there where the container has a view of its own
        for folder in (own, *own.parents):
            if folder.is_relative_to(top) and (limit := _number_in(folder / most)):
                yield limit, _number_in(folder / taken) or 0


def _number_in(path: Path) -> int | None:
    """The number in a file; None where there is no file, or another word, such as `max`."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
