"""Python runs this first in every process of the rehearsal: MLX is patched as it loads."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

PATCH = Path(__file__).parent.parent / "metal.py"


class _Patching(importlib.abc.Loader):
    """Loads MLX's core as it is, then makes it refuse."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        found: ModuleType | None = self._loader.create_module(spec)
        return found

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        spec = importlib.util.spec_from_file_location("seqlab_rehearsal", PATCH)
        assert spec is not None
        assert spec.loader is not None
        patch = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = patch
        spec.loader.exec_module(patch)
        patch.install(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds `mlx.core` where it is, with another loader."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "mlx.core":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Patching(spec.loader)
        return spec


sys.meta_path.insert(0, _Finder())
