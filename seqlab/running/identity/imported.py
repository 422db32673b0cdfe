"""Which modules does a page reach, in a process that has loaded those of other pages too?

A module that is loaded is not loaded again, but each import statement that runs is noted, with the file that
it stands in. The modules that a page reaches are those that these lead to, from its own file on.
"""

import builtins
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any


class Imports:
    """Notes every import from now on: file -> the modules that it imported."""

    def __init__(self) -> None:
        self._of: dict[str, set[str]] = {}
        statement, function = builtins.__import__, importlib.import_module

        def watched(
            name: str,
            globals: Any = None,  # noqa: A002 - as Python calls it
            locals: Any = None,  # noqa: A002
            fromlist: Any = (),
            level: int = 0,
        ) -> Any:
            module = statement(name, globals, locals, fromlist, level)
            self._note(globals or {}, name, fromlist or (), level)
            return module

        def watched_function(name: str, package: str | None = None) -> Any:
            module = function(name, package)
            self._note(sys._getframe(1).f_globals, module.__name__, (), 0)
            return module

        builtins.__import__ = watched
        importlib.import_module = watched_function

    def reached(self, file: str, further: Callable[[str], Iterable[str]]) -> tuple[set[str], set[str]]:
        """The files and the names of the modules that a file's imports lead to.

        `further` gives other files that a file is known to import.
        """
        files, names = set[str](), set[str]()
        queue = [file]
        while queue:
            importer = queue.pop()
            if importer in files:
                continue
            files.add(importer)
            queue.extend(further(importer))
            for name in self._of.get(importer, ()):
                for part in _with_packages(name):
                    if part not in names and part in sys.modules:
                        names.add(part)
                        queue.extend(filter(None, (file_of(sys.modules[part]),)))
        return files, names

    def _note(self, namespace: dict[str, Any], name: str, parts: Sequence[str], level: int) -> None:
        importer = namespace.get("__file__")
        # What a module in C imports seems to be imported by the import system, on behalf of anyone.
        if not isinstance(importer, str) or str(namespace.get("__name__")).startswith("importlib."):
            return
        if level:
            package = str(namespace.get("__package__") or "")
            base = package.rsplit(".", level - 1)[0] if level > 1 else package
            name = f"{base}.{name}" if name else base
        found = self._of.setdefault(os.path.abspath(importer), set())
        found.add(name)
        found.update(f"{name}.{part}" for part in parts)


def file_of(module: object) -> str:
    """A module's file; empty for one without."""
    file = getattr(module, "__dict__", {}).get("__file__")
    return os.path.abspath(file) if isinstance(file, str) else ""


def _with_packages(name: str) -> Iterator[str]:
    """`a.b.c` runs the packages `a` and `a.b` too."""
    parts = name.split(".")
    yield from (".".join(parts[: place + 1]) for place in range(len(parts)))
