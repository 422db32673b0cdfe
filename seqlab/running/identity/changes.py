"""What has changed of that which a stored run used? Then its trial is due again, and this says why."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from seqlab.running.fingerprint import reached
from seqlab.running.identity.digests import source_digests
from seqlab.running.identity.files import Files
from seqlab.running.identity.versions import PACKAGE, PYTHON, TITLES, installed
from seqlab.running.identity.words import ABSENT, BYTES, CODE, NAMES

Used = Mapping[str, str]
DATA = "seqlab/tasks/data/"  # read through `tasks.files`, by name and hash
MOST_NAMED = 3


class Recorded(Protocol):
    """What is asked of a stored run: its fingerprint and the number of what it used, 0 for unknown."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def used(self) -> int: ...


@dataclass
class Changes:
    """Compares what the runs of one page used with what is there now; `used` has it by number."""

    files: Files
    page: str  # its name
    fingerprint: str
    used: Mapping[int, Used]
    _found: dict[int, str] = field(default_factory=dict)

    def __call__(self, record: Recorded) -> str:
        """What changed since the run, such as "data.csv changed"; empty for nothing."""
        if record.used not in self.used:
            return "" if record.fingerprint == self.fingerprint else "the code changed"
        return self._since(record.used)

    def unforeseen(self, *, but: Sequence[int] = ()) -> list[str]:
        """What runs used that the page's imports do not tell; without what the runs `but` used already."""
        known = {name for number in but for name in self.used.get(number, ())}
        known |= reached(self.files, self.page, unused=True)
        names = {
            name
            for number, used in self.used.items()
            if number not in but and not self._since(number)
            for name in used
        }
        return sorted(
            name for name in names - known if name != PYTHON and not name.startswith((PACKAGE, DATA))
        )

    def _since(self, number: int) -> str:
        if number not in self._found:
            self._found[number] = _in_words(self._changes(self.used[number]))
        return self._found[number]

    def _changes(self, used: Used) -> list[str]:
        names = [name for name, value in used.items() if value.startswith(CODE)]
        now = {
            name: CODE + digest for name, digest in source_digests(self.files, names, page=self.page).items()
        }
        return [
            change
            for name, before in used.items()
            if (
                change := _change(
                    name, before, now.get(name, "") if name in names else _state(self.files, name, before)
                )
            )
        ]


def state_beside(files: Files, used: Iterable[Used], folders: Sequence[Path], but: Sequence[str]) -> str:
    """What runs used that lies in none of the folders, or has one of the endings `but`, as it is now."""
    found: dict[str, str] = {}
    for name, before in {item for one in used for item in one.items()}:
        path = Path(files.project.path(name))
        if name.startswith(PACKAGE) or path.suffix in but or not any(map(path.is_relative_to, folders)):
            found[f"{name} {before}"] = _state(files, name, before)
    return repr(sorted(found.items()))


def _state(files: Files, name: str, before: str) -> str:
    """What is now where `before` was recorded, for all but sources; empty for nothing."""
    if name == PYTHON:
        return platform.python_version()
    if name.startswith(PACKAGE):
        return installed().get(name.removeprefix(PACKAGE), "")
    if before.startswith(NAMES):
        return NAMES + files.names_in(name)
    found = files.hash_of(name)
    return found if found == ABSENT else BYTES + found


def _change(name: str, before: str, now: str) -> str:
    if now == before:
        return ""
    if name == PYTHON or name.startswith(PACKAGE):
        title = name.removeprefix(PACKAGE)
        return f"{TITLES.get(title, title)} {before} -> {now or 'none'}"
    if now in ("", ABSENT):
        return f"{name} is gone"
    if before == ABSENT:
        return f"{name} is new"
    return f"{name} changed"


def _in_words(changes: Sequence[str]) -> str:
    """The first changes, and how many more there are."""
    more = len(changes) - MOST_NAMED
    return ", ".join(changes[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
