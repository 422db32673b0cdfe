"""Loads a fast BLAS, the library of matrix products, for MLX on a CPU.

On Linux, MLX's CPU wheel contains the reference BLAS. It has one thread and is 13 to 29 times slower at a
1024 × 1024 product than OpenBLAS. The dynamic linker prefers symbols that are already loaded for the whole
process, so an OpenBLAS opened with `RTLD_GLOBAL` before `import mlx.core` replaces it. The wheel
`scipy-openblas32` installs OpenBLAS with pip but prefixes its symbols with `scipy_`, so a copy without the
prefix is made once and kept in the user's cache folder. On macOS MLX uses Accelerate or the GPU.

This module uses the standard library only, apart from LIEF, which is imported once to make the copy.
"""

import ctypes
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

PREFIX = "scipy_"
LOADED: list["Blas"] = []  # what this process loaded: it cannot be changed afterwards


@dataclass(frozen=True)
class Blas:
    """The BLAS in use. `threads` is their number at the start, 0 if unknown."""

    name: str
    path: str = ""
    threads: int = 0
    note: str = ""  # why a faster one is not in use
    library: ctypes.CDLL | None = field(default=None, repr=False, compare=False)


def load() -> Blas:
    """Load the fastest BLAS available; call this before `mlx.core` is imported. Never raises.

    Later calls return the same. The environment variable `SEQLAB_BLAS` forces a choice: `scipy` (the wheel),
    `system` (a system OpenBLAS) or `default` (the one in MLX's wheel).
    """
    if not LOADED:
        LOADED.append(_choose())
    return LOADED[0]


def threads() -> int:
    """The number of threads that the BLAS uses now, 0 if unknown."""
    library = load().library
    return load().threads if library is None else int(library.openblas_get_num_threads())


def set_threads(count: int) -> int:
    """Set the number of threads if the library allows it; returns `threads()`."""
    library = load().library
    if library is not None:
        library.openblas_set_num_threads(ctypes.c_int(count))
    return threads()


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _choose() -> Blas:
    if sys.platform != "linux":
        return Blas("Accelerate" if sys.platform == "darwin" else "default")
    asked = os.environ.get("SEQLAB_BLAS", "")
    if "mlx.core" in sys.modules:
        return Blas(
            "default (MLX already imported)",
            note="MLX was imported before seqlab.machine.blas.load(); call load() before `import mlx.core`",
        )
    default = Blas("reference (MLX's own)", threads=1)
    sources = {"scipy": _from_wheel, "system": _from_system}
    if asked == "default":
        return replace(default, note="SEQLAB_BLAS=default")
    refused = []
    if asked and asked not in sources:
        refused.append(f"SEQLAB_BLAS must be scipy, system or default, found {asked}")
    elif asked:
        sources = {asked: sources[asked]}
    for source, attempt in sources.items():
        try:
            return replace(attempt(), note="; ".join(refused))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, a slow BLAS is better than none
            refused.append(f"{source}: {str(error) or type(error).__name__}")
    return replace(default, note="; ".join(refused))


def _from_wheel() -> Blas:
    spec = find_spec("scipy_openblas32")  # finds the folder without importing the package
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("scipy-openblas32 is not installed")
    package = Path(next(iter(spec.submodule_search_locations)))
    library = next((package / "lib").glob("libscipy_openblas*.so"))
    # The folder's name has the version; importlib.metadata would take longer than loading the library.
    info = next(package.parent.glob("scipy_openblas32-*.dist-info"), package)
    name = f"libopenblas-{info.stem.rpartition('-')[2]}-{os.uname().machine}.so"
    copy = cache_folder() / name
    label = f"OpenBLAS {info.stem.rpartition('-')[2]} (scipy-openblas32)"
    with suppress(OSError):  # missing or damaged: make it again
        return _open(copy, label)
    import tempfile  # not at the top: not needed if the copy exists

    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=copy.parent) as aside:
            _without_prefix(library, Path(aside) / name).replace(copy)
        return _open(copy, label)
    except OSError:  # the cache folder is not writable: a copy for this process only
        with tempfile.TemporaryDirectory() as folder:
            return _open(_without_prefix(library, Path(folder) / name), label)


def cache_folder() -> Path:
    """The folder of the copy: `$XDG_CACHE_HOME/seqlab`, or `.cache/seqlab` in the home folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqlab"


def _without_prefix(library: Path, copy: Path) -> Path:
    """Write a copy of `library` without the prefix of its symbols. Takes about half a second."""
    import lief

    binary = lief.ELF.parse(str(library))
    if binary is None:
        raise OSError(f"{library.name} is not an ELF library")
    for symbol in binary.dynamic_symbols:
        name = str(symbol.name)
        if name.startswith(PREFIX):
            symbol.name = name.removeprefix(PREFIX)
    binary.write(str(copy))
    return copy


def _from_system() -> Blas:
    from ctypes.util import find_library  # imports many modules and is rarely needed

    name = find_library("openblas")
    if name is None:
        raise FileNotFoundError("no libopenblas on this system")
    return _open(name, "OpenBLAS (system)")


def _open(path: Path | str, label: str) -> Blas:
    library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    if not hasattr(library, "cblas_sgemm"):
        raise OSError(f"{path} has no cblas_sgemm")
    return Blas(label, str(path), int(library.openblas_get_num_threads()), library=library)
