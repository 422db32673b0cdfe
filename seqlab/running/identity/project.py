"""Which files are the project's own, what is each called, and which of them does an import name?

A file is called by its path from the project's root, with slashes, and a file of the package by its path from
the folder that holds `seqlab`. So what another machine recorded can be compared here. A file elsewhere keeps
its whole path.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from seqlab.store.workspace import PACKAGE

# They say which trials to run, judge, store, show or report errors, and compute no value of a trial. What a
# rule or a figure says may change without costing evidence.
NO_PART_OF_A_RESULT = (
    *(
        f"seqlab/{room}/"
        for room in (
            "analysis", "charts", "cluster", "commands", "document", "engines", "pipeline", "reference",
            "store",
        )
    ),
    *(
        f"seqlab/notebook/{name}.py"
        for name in ("allowed", "bounded", "claims", "discover", "figures", "ledger", "uncached")
    ),
    *(f"seqlab/{name}.py" for name in ("__main__", "errors")),
)  # fmt: skip
# Of `running`, what a trial's values depend on; all else there starts it, watches it and hands them on.
RUNS_A_TRIAL = ("seqlab/running/yielded.py",)


@dataclass(frozen=True)
class Project:
    """The root, which holds the folder of pages, and the folder of the package."""

    root: Path
    pages: str  # the name of the folder of pages
    package: Path = PACKAGE
    _found: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)
    _is_file: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, page: Path, package: Path = PACKAGE) -> "Project":
        """The project of a page, which lies in the folder of pages."""
        folder = page.absolute().parent
        return cls(folder.parent, folder.name, package)

    def name(self, path: str | Path) -> str:
        """What the file or folder at this whole path is called."""
        for start, folder in (("seqlab", self.package), ("", self.root)):
            if str(path).startswith(f"{folder}{os.sep}"):
                inside = str(path)[len(str(folder)) + 1 :].replace(os.sep, "/")
                return f"{start}/{inside}" if start else inside
        return str(path).replace(os.sep, "/")

    def path(self, name: str) -> str:
        """Where the file of that name lies; a whole path stays as it is."""
        if name.startswith("seqlab/"):
            return f"{self.package}/{name.removeprefix('seqlab/')}"
        return name if os.path.isabs(name) else f"{self.root}/{name}"

    def modules(self, module: str, importer: str) -> tuple[str, ...]:
        """The files that importing a module from that file runs, packages first; none for others' modules.

        `module` is as the statement writes it, with leading dots where it is relative. A last part may be a
        name inside the module.
        """
        folder = importer.rpartition("/")[0]
        key = ("" if module.startswith("seqlab.") else folder, module)
        if key not in self._found:
            self._found[key] = self._search(module, folder)
        return self._found[key]

    def _search(self, module: str, folder: str) -> tuple[str, ...]:
        parts = [part for part in module.split(".") if part]
        level = len(module) - len(module.lstrip("."))
        if level:
            for _ in range(level - 1):
                folder = folder.rpartition("/")[0]
            places = [folder]
        elif parts[0] == "seqlab":
            places, parts = ["seqlab"], parts[1:]
        elif parts[0] == "experiments":
            places, parts = [self.pages], parts[1:]
        elif parts[0] in sys.stdlib_module_names:
            places = []
        else:  # beside the importing file, beside the pages or in the root, if `sys.path` has it
            found = (tuple(self._files(place, parts)) for place in (folder, self.pages, ""))
            return next(filter(None, found), ())
        package = [f"{place}/__init__.py" for place in places if self._exists(f"{place}/__init__.py")]
        return (*package, *(file for place in places for file in self._files(place, parts)))

    def _files(self, folder: str, parts: list[str]) -> Iterator[str]:
        """The source files that importing `parts` below the folder runs, without the folder's own."""
        for part in parts:
            module = f"{folder}/{part}.py" if folder else f"{part}.py"
            folder = module.removesuffix(".py")
            if self._exists(f"{folder}/__init__.py"):  # Python looks for a package first
                yield f"{folder}/__init__.py"
            elif self._exists(module):
                yield module
                return

    def _exists(self, name: str) -> bool:
        if name not in self._is_file:
            self._is_file[name] = os.path.isfile(self.path(name))
        return self._is_file[name]


def rates_of(page: str) -> str:
    """The name of a page's record of learning rates (`training.tried`)."""
    folder, _, file = page.rpartition("/")
    return f"{folder}/rates/{file.removesuffix('.py')}.csv"


def page_of_rates(record: str) -> str:
    """The name of the page that a record of learning rates belongs to; empty for any other file."""
    folder, rates, file = record.rpartition("/rates/")
    return f"{folder}/{file.removesuffix('.csv')}.py" if rates and file.endswith(".csv") else ""


@cache
def counts(name: str) -> bool:
    """Whether a file of this name can have a part in a result."""
    if name.startswith("seqlab/running/"):
        return name in RUNS_A_TRIAL
    return not name.startswith(NO_PART_OF_A_RESULT)


@cache
def stem_of(name: str) -> str:
    """The last part of the name of the module that a file holds."""
    folder, _, file = name.rpartition("/")
    return folder.rpartition("/")[2] if file == "__init__.py" else file.removesuffix(".py")
