"""Which files can be an input of a trial, and which are the machine's, a cache, or another's?"""

import os
import sys
import sysconfig
import tempfile
from pathlib import Path

from seqlab.running.identity.project import Project

SYSTEM = ("/bin", "/dev", "/etc", "/lib", "/proc", "/run", "/sys", "/usr", "/var", "/Library", "/System")
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Places:
    """Tells by a path. `results` is the folder of results, if it is known."""

    def __init__(self, project: Project, results: Path | None) -> None:
        self._project = project
        root = f"{project.root}{os.sep}"
        libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        self._library = tuple(f"{path}{os.sep}" for path in libraries[:2])
        prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
        libraries += [path for path in prefixes if not root.startswith(f"{path}{os.sep}")]
        caches = [os.environ.get("SEQLAB_DATA"), os.environ.get("XDG_CACHE_HOME")]
        home = os.path.expanduser("~")  # stays "~" where the system knows of none
        caches += [f"{home}/.cache", f"{home}/Library/Caches", f"{root}results"]
        caches += [str(results.absolute())] if results else []
        self._left_out = tuple(f"{path}{os.sep}" for path in (*libraries, *filter(None, caches)))
        temporary = {tempfile.gettempdir(), os.path.realpath(tempfile.gettempdir())}
        self._outside = tuple(f"{path}{os.sep}" for path in (*SYSTEM, *temporary))

    def name(self, path: str) -> str:
        """What a file is called if it can be an input; else empty."""
        name = self._project.name(path)
        if name.startswith("seqlab/"):
            return "" if "/__pycache__/" in name else name
        if path.startswith(self._left_out) or is_installed(path):
            return ""
        folders = name.split("/")[:-1]
        if "__pycache__" in folders or any(folder.startswith(".") for folder in folders):
            return ""
        if not os.path.isabs(name):
            return name
        return "" if path.startswith(self._outside) or os.path.basename(path).startswith(".") else name

    def is_library_source(self, path: str) -> bool:
        """Whether it is a source of Python's own library."""
        return path.endswith(".py") and path.startswith(self._library) and not is_installed(path)


def is_installed(path: str) -> bool:
    """Whether a path lies among the installed packages."""
    return any(part in path for part in INSTALLED)


def whole(given: object) -> str:
    """A path as audit events give it, from the root; empty for a number or what is no path."""
    if isinstance(given, str | bytes | os.PathLike) and given:
        return os.path.abspath(os.fsdecode(given))
    return ""
