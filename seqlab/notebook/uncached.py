"""How are pages and the modules beside them imported, so that the code is what their files say now?

Python keeps compiled code and takes it for current when the source has the same size and was changed in the
same second: an edit of one digit just after a run would not be seen. The project's own modules are few, so
they are compiled each time.
"""

import sys
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
_roots: set[str] = set()


class UncachedLoader(SourceFileLoader):
    """Compiles the source each time."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the module's file as it is now."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def use_for(root: Path) -> None:
    """From now on, import modules below this folder, Seqlab's own aside, from their sources."""
    place = str(root)
    if place in _roots:
        return
    if not _roots:
        sys.path_hooks.insert(0, _finder)
    _roots.add(place)
    for path in [path for path in sys.path_importer_cache if _is_ours(path)]:
        del sys.path_importer_cache[path]


def _finder(path: str) -> Any:
    if not _is_ours(path):
        raise ImportError(path)
    return FileFinder(path, (UncachedLoader, SOURCE_SUFFIXES), (ExtensionFileLoader, EXTENSION_SUFFIXES))


def _is_ours(path: str) -> bool:
    parts = Path(path).absolute()
    return (
        any(parts.is_relative_to(root) for root in _roots)
        and not parts.is_relative_to(PACKAGE)
        and not {"site-packages", "dist-packages", "lib-dynload"} & set(parts.parts)
        and not any(
            Path(prefix).is_relative_to(root) and parts.is_relative_to(prefix)
            for prefix in {sys.prefix, sys.base_prefix}
            for root in _roots
        )
    )
