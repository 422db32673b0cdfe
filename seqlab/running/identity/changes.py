"""What has changed of that which a stored run used? Then its trial is due again, and this says why."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from seqlab.running.fingerprint import reached
from seqlab.running.identity.digests import source_digests
from seqlab.running.identity.files import Files
from seqlab.running.identity.project import counts, rates_of
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
    """Compares what the runs of one page used with what is there now; `used` has it by number.

    Files that are known from before are those that were read first, so that an edit while trials run is left
    to the next command.
    """

    files: Files
    page: str  # its name
    fingerprint: str
    used: Mapping[int, Used]
    _added: dict[int, Used] = field(default_factory=dict)
    _found: dict[int, str] = field(default_factory=dict)

    def add(self, used: Mapping[int, Used]) -> None:
        """What runs used that were stored since, by number."""
        self._added.update(used)

    def __call__(self, record: Recorded) -> str:
        """What changed since the run, such as "data.csv changed"; empty for nothing."""
        if self._of(record.used) is None:
            return "" if record.fingerprint == self.fingerprint else "the code changed"
        return self._since(record.used)

    def unforeseen(self) -> list[str]:
        """A line on what current runs used that the page's imports do not tell, if there is anything."""
        return self._line(self._names(self.used) | self._names(self._added))

    def unforeseen_since(self) -> list[str]:
        """The same of runs that were stored since, without what earlier ones used already."""
        before = {name for used in self.used.values() for name in used}
        return self._line(self._names(self._added.keys() - self.used.keys()) - before)

    def _line(self, names: set[str]) -> list[str]:
        told = reached(self.files, self.page, unused=True) if names else set()
        told.add(rates_of(self.page))  # `TriedRates.beside` names it
        others = sorted(name for name in names - told if not name.startswith((PACKAGE, PYTHON, DATA)))
        if not others:
            return []
        page = self.page.rpartition("/")[2].removesuffix(".py")
        used = f"{page}: its trials also used {_enumerated(others)}, which its imports do not name."
        return [f"{used} A change there makes them due too."]

    def _names(self, numbers: Iterable[int]) -> set[str]:
        """What the current ones among these used."""
        return {name for number in numbers if not self._since(number) for name in self._of(number) or ()}

    def _of(self, number: int) -> Used | None:
        return self.used.get(number) or self._added.get(number)

    def _since(self, number: int) -> str:
        if number not in self._found:
            self._found[number] = _enumerated(what_changed(self.files, self.page, self._of(number) or {}))
        return self._found[number]


def what_changed(files: Files, page: str, used: Used) -> list[str]:
    """What has changed of that which a trial of the page used, and that still has a part in a result."""
    used = {name: value for name, value in used.items() if counts(name)}
    names = [name for name, value in used.items() if value.startswith(CODE)]
    now = {name: CODE + digest for name, digest in source_digests(files, names, page=page).items()}
    states = {name: now.get(name, "") if name in names else _state(files, name, used[name]) for name in used}
    return [change for name, before in used.items() if (change := _change(name, before, states[name]))]


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


def _enumerated(texts: Sequence[str]) -> str:
    """The first of these, and how many more there are."""
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
