"""Would the report come out the same again? Then nothing is read, judged or rendered.

A stamp is a hash, kept beside the document's source, of all that a report was made from. There are two.
The *early* stamp covers what can be known without reading a page: the request, the device, the engine,
every source file, the state of the store. It makes a command with nothing to do answer at once. The *full*
stamp covers the planned trials and the runs that count as evidence: an edited comment makes the early stamp
worthless, but not the full one. Standard library only, for the same reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from seqlab.document import attachments
from seqlab.store.workspace import PACKAGE, Workspace

EARLY, FULL = "early.sha256", "full.sha256"
NOT_SOURCES = (".pyc", ".npz", ".xz")  # of data files, the loaders check the hash


@dataclass(frozen=True)
class Stamp:
    """One of the two stamps, in the file of that name."""

    workspace: Workspace
    name: str
    pages: tuple[str, ...] | None = None  # whose attachments count; None for all

    @property
    def _file(self) -> Path:
        return self.workspace.document / self.name

    def holds(self, *parts: object) -> bool:
        """Whether the report on disk was made from these parts and is still there, attachments included."""
        there = all(path.is_file() for path in self.workspace.finished)
        return there and self._file.is_file() and self._file.read_bytes() == self._digest(parts).encode()

    def keep(self, *parts: object) -> None:
        """Say that the report on disk was made from these parts."""
        self._file.write_text(self._digest(parts))

    def remove(self) -> None:
        """Say that the report on disk is being made anew."""
        self._file.unlink(missing_ok=True)

    def _digest(self, parts: Iterable[object]) -> str:
        # With the attachments: another command may have written them anew.
        state = attachments.state(self.workspace.results, self.pages)
        return sha256(repr((*parts, state)).encode()).hexdigest()


def sources(workspace: Workspace) -> str:
    """A hash of the pages, the words and our own code, as they are on disk now."""
    digest = sha256()
    for folder in covered(workspace):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in NOT_SOURCES and "_output" not in path.parts:
                digest.update(str(path).encode(errors="surrogateescape") + _content(path))
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:  # what cannot be read is not what the report is made from, or reading it says so
        return type(error).__name__.encode()


def covered(workspace: Workspace) -> tuple[Path, ...]:
    """The folders whose files `sources` reads."""
    return workspace.pages, workspace.words, PACKAGE
