"""What does a trial really use? The process that runs it knows, by its loaded modules and an audit hook.

Recorded are the project's modules that the page reaches, the files that were read, the folders that were
listed, and the versions of the packages. Left out are the interpreter's library, installed packages (their
version counts), temporary files, results, caches, system files, and what the trials of the page write
themselves.

A process runs one trial after another, of several pages. What an earlier trial of the page has read may be
kept in memory, so it counts for the later ones. What a module read for another page counts for every page
that reaches all modules that were at work then, since they may have kept it too. Nothing else of another page
counts.

What MLX reads by itself goes through `mx.load`, which is watched too. Files that another process or a library
in C opens are not seen, nor whether the trial asks if a file exists.
"""

import importlib.util
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from seqlab.running.fingerprint import reached
from seqlab.running.identity.digests import source_digests
from seqlab.running.identity.files import Files, listing
from seqlab.running.identity.imported import Imports, file_of
from seqlab.running.identity.places import Places, is_installed, whole
from seqlab.running.identity.project import RUNS_A_TRIAL, counts, page_of_rates, rates_of
from seqlab.running.identity.versions import PYTHON, of_modules
from seqlab.running.identity.words import ABSENT, BYTES, CODE, DOUBTFUL, NAMES

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
ASKS_FOR_RATES = "seqlab/training/tried.py"
FRAMES = 8  # how far up is looked for one who reads a source to show it


@dataclass(frozen=True)
class _Signature:
    """Tells whether a file was changed between two looks at it."""

    size: int
    inode: int
    modified: int
    changed: int

    @classmethod
    def of(cls, path: str) -> "_Signature | None":
        try:
            found = os.stat(path)
        except OSError:
            return None
        return cls(found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)


@dataclass
class _Read:
    """A file or folder that was read, its state then, by which pages and by which modules."""

    state: str
    signature: _Signature | None
    pages: set[str] = field(default_factory=set)
    modules: set[frozenset[str]] = field(default_factory=set)


class Recorder:
    """Records what trials in this process use, from now on. Make one, before any page is loaded."""

    def __init__(self, files: Files, results: Path | None) -> None:
        self._files, self._places = files, Places(files.project, results)
        self._page = ""
        self._before = frozenset(sys.modules)
        self._loaded: dict[str, _Signature | None] = {}  # sources, as they were when loaded
        self._loaded_by: dict[str, set[str]] = {}
        self._modules_of: dict[str, set[str]] = {}  # page -> the names of modules first loaded for it
        self._seen = set(sys.modules)
        self._looked_at = set[str]()
        self._doubtful = set[str]()
        self._read: dict[str, _Read] = {}
        self._own: dict[str, set[str]] = {}  # page -> files that its trials write, and their folders
        self._without_rate = set[str]()  # pages of which a trial has to find its rate
        self._inside = threading.local()
        self._known_before = frozenset(filter(None, map(self._source_name, list(sys.modules.values()))))
        for name in self._known_before:
            files.source(name)
        self._imports = Imports()
        self._watch_mlx()
        sys.addaudithook(self._hear)

    def begin(self, page: Path, *, has_rate: bool = False) -> None:
        """A trial of this page begins; one that `has_rate` is told its learning rate."""
        self._page = self._files.project.name(page.absolute())
        if not has_rate:
            self._without_rate.add(self._page)

    def look(self) -> None:
        """Read the sources that were loaded since the last look: now, before they can change."""
        with self._deaf():
            self._look()

    def used(self) -> Mapping[str, str]:
        """All that the page has used so far: the names of files, folders and packages, with their states."""
        with self._deaf():
            self._look()
            return self._used()

    def end(self) -> Mapping[str, str]:
        """The trial has ended: what the page has used. Nothing more is recorded until another begins."""
        found = self.used()
        self._page = ""
        return found

    @contextmanager
    def _deaf(self) -> Iterator[None]:
        """What is opened in here, the trial does not open."""
        self._inside.busy = True
        try:
            yield
        finally:
            self._inside.busy = False

    def _look(self) -> None:
        new = [name for name in list(sys.modules) if name not in self._seen]
        self._seen.update(new)
        self._modules_of.setdefault(self._page, set()).update(new)
        sources = {self._source_name(sys.modules.get(name)) for name in new} - {""}
        self._loaded_by.setdefault(self._page, set()).update(sources)
        for name in {*self._loaded, *sources, self._page} - self._looked_at:
            self._files.source(name, is_page=name == self._page)
            loaded = self._loaded.get(name)
            if loaded is not None and loaded != _Signature.of(self._files.project.path(name)):
                self._doubtful.add(name)
            self._looked_at.add(name)

    def _used(self) -> Mapping[str, str]:
        page, path_of = self._page, self._files.project.path
        files, modules = self._imports.reached(os.path.abspath(path_of(page)), self._before_imported)
        names = {page} | self._loaded_by.get(page, set()) | {self._files.project.name(file) for file in files}
        names &= {page, *self._looked_at}
        names |= self._known_before & reached(self._files, page, unused=True)
        digests = source_digests(self._files, filter(counts, names), page=page)
        found = {name: CODE + digest for name, digest in digests.items()}
        for name, read in self._read.items():
            # Only its own page keeps a record of rates, though all share the module that reads it.
            shared = (page_of_rates(name) or page) in names and any(
                at_work <= names for at_work in read.modules
            )
            if page in read.pages or shared:
                found[name] = read.state
        found |= self._without_rates(names)
        found |= dict.fromkeys(names & self._doubtful, DOUBTFUL)
        modules |= self._modules_of.get(page, set()) | {"numpy"} & sys.modules.keys()
        found |= of_modules(
            [name for name in modules if is_installed(file_of(sys.modules.get(name)))],
            imported=[
                module for name in digests for module, _ in getattr(self._files.source(name), "imports", ())
            ],
        )
        return dict(sorted(found.items()))

    def _without_rates(self, names: set[str]) -> Mapping[str, str]:
        """The page's record of rates, where it has none yet: with one it would train at other rates.

        A trial asks whether that file exists, which no audit hook hears.
        """
        record = rates_of(self._page)
        asks = ASKS_FOR_RATES in names and self._page in self._without_rate
        absent = asks and not os.path.exists(self._files.project.path(record))
        return {record: ABSENT} if absent else {}

    def _before_imported(self, file: str) -> list[str]:
        """What a module that was loaded before this began imports, by its text."""
        name = self._files.project.name(file)
        if name not in self._known_before:
            return []
        return [self._files.project.path(other) for other, *_ in self._files.imports(name)]

    def _source_name(self, module: object) -> str:
        """What a module's source is called, if it is one of the project's that count."""
        file = file_of(module)
        name = self._places.name(file) if file.endswith(".py") else ""
        return name if name and counts(name) else ""

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        heard = _EVENTS.get(event)
        if heard is None or not self._page or getattr(self._inside, "busy", False):
            return
        # What is raised here would fail the trial's own call.
        with self._deaf(), suppress(Exception):
            heard(self, *arguments)

    def _opened(self, given: object, mode: object = "r", flags: object = 0) -> None:
        path = whole(given)
        name = self._places.name(path) if path else ""
        if not name:
            if path and self._places.is_library_source(path) and _reader() == "":
                self._note(PYTHON, platform.python_version(), None)
            return
        if (isinstance(mode, str) and set(mode) & set("wxa+")) or (isinstance(flags, int) and flags & WRITES):
            self._written(path)
            return
        reader = _reader()
        if reader == "traceback":
            return
        if path.endswith((".py", ".pyc")) and reader == "import":
            self._importing(importlib.util.source_from_cache(path) if path.endswith(".pyc") else path)
        elif name not in self._own.get(self._page, ()) and (counts(name) or not name.startswith("seqlab/")):
            self._reading(name, path)

    def _importing(self, source: str) -> None:
        name = self._files.project.name(source)
        if counts(name):
            self._loaded.setdefault(name, _Signature.of(source))
            self._loaded_by.setdefault(self._page, set()).add(name)

    def _reading(self, name: str, path: str) -> None:
        signature = _Signature.of(path)
        read = self._read.get(name)
        if read is not None:
            if read.signature != signature:
                read.state = DOUBTFUL
            self._note(name, read.state, read.signature)
            return
        found = self._files.known.hash_of(Path(path))
        if found != ABSENT:
            self._note(name, BYTES + found, signature)
        elif not os.path.isabs(name):
            self._note(name, ABSENT, signature)

    def _listed(self, given: object = ".") -> None:
        path = whole("." if given is None else given)
        name = self._places.name(f"{path}{os.sep}.")[:-2] if path else ""
        inside = name and not os.path.isabs(name) and name not in self._own.get(self._page, ())
        if inside and _reader() == "":
            self._note(name, self._read[name].state if name in self._read else NAMES + listing(path), None)

    def _note(self, name: str, state: str, signature: _Signature | None) -> None:
        """The page reads this, by the modules that are at work now."""
        read = self._read.setdefault(name, _Read(state, signature))
        if self._page not in read.pages:
            read.pages.add(self._page)
            at_work = self._at_work()
            if at_work:
                read.modules.add(at_work)

    def _at_work(self) -> frozenset[str]:
        """The modules, beside the page, whose functions run now."""
        found, frame = set[str](), _caller()
        while frame is not None:
            file = frame.f_globals.get("__file__")
            if isinstance(file, str):
                found.add(self._places.name(os.path.abspath(file)))
            frame = frame.f_back
        return frozenset(name for name in found - {"", self._page, *RUNS_A_TRIAL} if counts(name))

    def _written(self, given: object, target: object = None, *_: object) -> None:
        """The trial writes, renames or removes a file: it is its own from now on, and so is its folder."""
        own = self._own.setdefault(self._page, set())
        for path in filter(None, (whole(given), whole(target))):
            name = self._files.project.name(path)
            folder = name.rpartition("/")[0]
            own |= {name, folder}
            for one in (name, folder):
                read = self._read.get(one)
                if read is not None and (one == name or read.state.startswith(NAMES)):
                    read.pages.discard(self._page)
                    if not read.pages:
                        del self._read[one]

    def _watch_mlx(self) -> None:
        import mlx.core as mx

        load: Callable[..., Any] = mx.load

        def watched(file: Any, *arguments: Any, **options: Any) -> Any:
            self._hear("open", (file, "r", 0))
            return load(file, *arguments, **options)

        mx.load = watched


_EVENTS: Mapping[str, Callable[..., None]] = {
    "open": Recorder._opened,
    "sqlite3.connect": Recorder._opened,
    "ctypes.dlopen": Recorder._opened,
    "os.listdir": Recorder._listed,
    "os.scandir": Recorder._listed,
    "os.mkdir": Recorder._written,
    "os.remove": Recorder._written,
    "os.rename": Recorder._written,
    "os.rmdir": Recorder._written,
}


def _caller() -> FrameType | None:
    """The frame that opened, listed or wrote something."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return frame


def _reader() -> str:
    """Who reads: `import`; `traceback` for one who shows code; empty for the trial itself."""
    frame = _caller()
    if frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        return "import"
    callers = set[object]()
    for _ in range(FRAMES):
        if frame is None:
            break
        callers.add(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return "traceback" if "linecache" in callers and "inspect" not in callers else ""
