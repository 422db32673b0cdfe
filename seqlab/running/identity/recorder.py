"""What does a trial really use? The process that runs it knows, by its loaded modules and an audit hook.

Recorded are the project's modules that were loaded, the files that were read, the folders that were listed,
and the versions of the packages. Left out are the interpreter's library, installed packages (their version
counts), temporary files, results, caches, system files, and what the trial writes itself. A worker's process
serves one page, so everything since its start may have had a part; another page's modules never have.

What MLX reads by itself goes through `mx.load`, which is watched too. Files that another process or a library
in C opens are not seen, nor whether the trial asks if a file exists.
"""

import importlib.util
import os
import platform
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from seqlab.running.fingerprint import reached
from seqlab.running.identity.digests import source_digests
from seqlab.running.identity.files import Files, listing
from seqlab.running.identity.project import counts
from seqlab.running.identity.versions import PYTHON, of_modules
from seqlab.running.identity.words import ABSENT, BYTES, CODE, DOUBTFUL, NAMES

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SYSTEM = ("/bin", "/dev", "/etc", "/lib", "/proc", "/run", "/sys", "/usr", "/var", "/Library", "/System")
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
FRAMES = 8  # how far up the reader of a file is looked for


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


class Recorder:
    """Records what the page's trials in this process use, from now on. Make it before the page is loaded."""

    def __init__(self, page: Path, files: Files, results: Path | None) -> None:
        self._files, self._page = files, files.project.name(page.absolute())
        self._before = frozenset(sys.modules)
        self._loaded: dict[str, _Signature | None] = {}  # sources, as they were when loaded
        self._looked_at = set[str]()
        self._read: dict[str, tuple[str, _Signature | None]] = {}  # other files and folders
        self._own, self._own_folders = set[str](), set[str]()  # written by the trial
        self._python = False
        self._inside = threading.local()
        root = f"{files.project.root}{os.sep}"
        libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        self._library = tuple(f"{path}{os.sep}" for path in libraries[:2])
        prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
        libraries += [path for path in prefixes if not root.startswith(f"{path}{os.sep}")]
        caches = [os.environ.get("SEQLAB_DATA"), os.environ.get("XDG_CACHE_HOME")]
        caches += [f"{Path.home()}/.cache", f"{Path.home()}/Library/Caches", f"{root}results"]
        caches += [str(results.absolute())] if results else []
        self._left_out = tuple(f"{path}{os.sep}" for path in (*libraries, *filter(None, caches)))
        temporary = {tempfile.gettempdir(), os.path.realpath(tempfile.gettempdir())}
        self._outside = tuple(f"{path}{os.sep}" for path in (*SYSTEM, *temporary))
        self._known_before = frozenset(filter(None, (self._name_of(module) for _, module in self._all())))
        for name in self._known_before:
            files.source(name)
        self._watch_mlx()
        sys.addaudithook(self._hear)

    def look(self) -> None:
        """Read the sources that were loaded since the last look: now, before they can change."""
        with self._deaf():
            self._look()

    def used(self) -> Mapping[str, str]:
        """Everything used so far: the names of files, folders and packages, each with its state."""
        with self._deaf():
            self._look()
            return self._used()

    @contextmanager
    def _deaf(self) -> Iterator[None]:
        """What is opened in here, the trial does not open."""
        self._inside.busy = True
        try:
            yield
        finally:
            self._inside.busy = False

    def _look(self) -> None:
        for name in {*self._loaded, *self._modules()} - self._looked_at:
            loaded = self._loaded.setdefault(name, None)
            self._files.source(name, is_page=name == self._page)
            if loaded is not None and loaded != _Signature.of(self._files.project.path(name)):
                self._read[name] = (DOUBTFUL, None)
            self._looked_at.add(name)

    def _used(self) -> Mapping[str, str]:
        names = {*self._loaded, self._page} | (
            self._known_before & reached(self._files, self._page, unused=True)
        )
        digests = source_digests(self._files, filter(counts, names), page=self._page)
        found = {name: CODE + digest for name, digest in digests.items()}
        found |= {name: value for name, (value, _) in self._read.items()}
        modules = (name for name, module in self._all() if _is_installed(_file_of(module)))
        found |= of_modules(
            [name for name in modules if name not in self._before or name == "numpy"],
            imported=[
                module for name in digests for module, _ in getattr(self._files.source(name), "imports", ())
            ],
        )
        if self._python:
            found[PYTHON] = platform.python_version()
        return dict(sorted(found.items()))

    @staticmethod
    def _all() -> list[tuple[str, object]]:
        return list(sys.modules.items())

    def _modules(self) -> Iterator[str]:
        """The project's sources that were loaded since this began."""
        for name, module in self._all():
            if name not in self._before and (found := self._name_of(module)):
                yield found

    def _name_of(self, module: object) -> str:
        file = _file_of(module)
        name = self._name(file) if file.endswith(".py") else ""
        return name if name and counts(name) else ""

    def _name(self, path: str) -> str:
        """What a file is called if it can be part of what is recorded; else empty."""
        name = self._files.project.name(path)
        if name.startswith("seqlab/"):
            return "" if "/__pycache__/" in name else name
        if path.startswith(self._left_out) or _is_installed(path):
            return ""
        folders = name.split("/")[:-1]
        if "__pycache__" in folders or any(folder.startswith(".") for folder in folders):
            return ""
        if not os.path.isabs(name):
            return name
        return "" if path.startswith(self._outside) or os.path.basename(path).startswith(".") else name

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        heard = _EVENTS.get(event)
        if heard is None or getattr(self._inside, "busy", False):
            return
        # What is raised here would fail the trial's own call.
        with self._deaf(), suppress(Exception):
            heard(self, *arguments)

    def _opened(self, given: object, mode: object = "r", flags: object = 0) -> None:
        path = _whole(given)
        if not path:
            return
        name = self._name(path)
        if not name:
            self._python |= path.startswith(self._library) and path.endswith(".py") and _reader() == ""
            return
        if (isinstance(mode, str) and set(mode) & set("wxa+")) or (isinstance(flags, int) and flags & WRITES):
            self._written(path)
            return
        self._note(name, path)

    def _note(self, name: str, path: str) -> None:
        """A file is about to be read."""
        reader = _reader()
        if reader == "traceback":
            return
        if path.endswith((".py", ".pyc")) and reader == "import":
            source = importlib.util.source_from_cache(path) if path.endswith(".pyc") else path
            if counts(self._files.project.name(source)):
                self._loaded.setdefault(self._files.project.name(source), _Signature.of(source))
            return
        if name in self._own or (name.startswith("seqlab/") and not counts(name)):
            return
        signature = _Signature.of(path)
        if name in self._read:
            if self._read[name][1] != signature:
                self._read[name] = (DOUBTFUL, None)
            return
        found = self._files.known.hash_of(Path(path))
        if found != ABSENT or not os.path.isabs(name):
            self._read[name] = (BYTES + found if found != ABSENT else ABSENT, signature)

    def _listed(self, given: object = ".") -> None:
        path = _whole("." if given is None else given)
        name = self._name(f"{path}{os.sep}.")[:-2] if path else ""
        if name and not os.path.isabs(name) and name not in self._own_folders and _reader() == "":
            self._read.setdefault(name, (NAMES + listing(path), None))

    def _written(self, given: object, target: object = None, *_: object) -> None:
        """The trial writes, renames or removes a file: it is its own from now on, and so is its folder."""
        for path in filter(None, (_whole(given), _whole(target))):
            name = self._files.project.name(path)
            folder = name.rpartition("/")[0]
            self._own.add(name)
            self._own_folders.add(folder)
            self._read.pop(name, None)
            if self._read.get(folder, ("", None))[0].startswith(NAMES):
                del self._read[folder]

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


def _file_of(module: object) -> str:
    file = getattr(module, "__dict__", {}).get("__file__")
    return os.path.abspath(file) if isinstance(file, str) else ""


def _is_installed(path: str) -> bool:
    return any(part in path for part in INSTALLED)


def _whole(given: object) -> str:
    """A path as audit events give it, from the root; empty for a number or what is no path."""
    if isinstance(given, str | bytes | os.PathLike) and given:
        return os.path.abspath(os.fsdecode(given))
    return ""


def _reader() -> str:
    """Who reads: `import`; `traceback` for one who shows code; empty for the trial itself."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    if frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        return "import"
    callers = set[object]()
    for _ in range(FRAMES):
        if frame is None:
            break
        callers.add(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return "traceback" if "linecache" in callers and "inspect" not in callers else ""
