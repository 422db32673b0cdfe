"""Where does a project lie, where do its results go, and is another command at work on them?"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from seqlab.errors import StoreError, UsageError

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Workspace:
    """A project folder, with `experiments/` and `report/`, and the folder of its results.

    With `aside` the pages are those of `experiments/aside/`, which are in no report; commands run them.
    """

    root: Path
    results: Path
    aside: bool = False

    @classmethod
    def of(cls, root: Path | None, results: Path | None) -> "Workspace":
        """The given folders, else the current one, else the checkout that this package lies in."""
        here = Path.cwd()
        root = root or (here if (here / "experiments").is_dir() else PACKAGE.parent)
        return cls(_resolved(root), _resolved(results or root / "results"))

    @property
    def pages(self) -> Path:
        """The folder of experiment pages."""
        return self.root / "experiments" / "aside" if self.aside else self.root / "experiments"

    @property
    def words(self) -> Path:
        """The folder of templates, ledger and theme."""
        return self.root / "report"

    @property
    def ledger(self) -> Path:
        """The file of claims."""
        return self.words / "claims.toml"

    @property
    def reference(self) -> Path:
        """The folder of finished trainings that travel with the code."""
        return self.words / "reference"

    @property
    def database(self) -> Path:
        """The results database."""
        return self.results / "seqlab.db"

    @property
    def document(self) -> Path:
        """The folder that the report's source is written to, for an engine to render."""
        return self.results / "report"

    @property
    def finished(self) -> tuple[Path, Path]:
        """The rendered report: HTML and PDF."""
        return self.results / "report.html", self.results / "report.pdf"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the results folder: two commands at once would disturb each other's timings."""
        with ExitStack() as held:
            try:
                self.results.mkdir(parents=True, exist_ok=True)
                _check_kinds(self.results)
                lock = held.enter_context((self.results / ".lock").open("w"))
            except OSError as error:
                raise StoreError(
                    f"cannot write to the results folder {self.results}: {error.strerror}. Make it "
                    "writable, or choose another with --results; "
                    "`seqlab results merge` brings in what is stored here."
                ) from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(
                    f"another seqlab is at work on {self.results}. Wait for it to end, "
                    "or choose another folder with --results."
                ) from None
            except OSError as error:
                raise StoreError(
                    f"cannot lock the results folder {self.results}: {error.strerror}. Its file system "
                    "has no locks, as some network folders; choose a folder on a local disk with --results."
                ) from error
            yield


def _check_kinds(folder: Path) -> None:
    """Raise `StoreError` for a pipe, a socket or a device in the folder: to open one may take for ever."""
    with os.scandir(folder) as found:
        for one in found:
            mode = one.stat(follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
                raise StoreError(
                    f"expected files and folders in {folder}, found {one.name}, which is neither. Remove it."
                )


def _resolved(path: Path) -> Path:
    """The whole path, without links."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise UsageError(
            f"expected a folder at {path}, found a link that leads to itself. Remove it."
        ) from error
