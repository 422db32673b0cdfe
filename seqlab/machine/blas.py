"""Which matrix library does MLX use on this machine's CPU, and how is the fast one put in place?

On Linux, MLX's CPU wheel brings the reference BLAS: one thread, 13 to 29 times slower at a 1024 x
1024 product than OpenBLAS. Symbols that are already loaded for the whole process come first, so an
OpenBLAS opened with `RTLD_GLOBAL` before `import mlx.core` takes its place. The wheel
`scipy-openblas32` has one by pip alone, but prefixes its symbols with `scipy_`, so a copy without
the prefix is made once and kept in the user's cache folder. On macOS MLX uses Accelerate, or the GPU.

Standard library only; LIEF is imported once, to make the copy.
"""

import ctypes
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

PREFIX = "scipy_"
LOADED: list["Blas"] = []  # what this process ended up with: a process cannot change its mind


@dataclass(frozen=True)
class Blas:
    """The matrix library in use. `threads` that it began with is 0 where the library does not tell."""

    name: str
    path: str = ""
    threads: int = 0
    note: str = ""  # why a better one is not in use
    library: ctypes.CDLL | None = field(default=None, repr=False, compare=False)


def load() -> Blas:
    """Put the fastest BLAS in place; call it before `mlx.core` is imported. Never fails.

    Asked again, it answers the same. The environment variable `SEQLAB_BLAS` forces a choice:
    `scipy` (the wheel), `system` (a system OpenBLAS) or `default` (what MLX brings).
    """
    if not LOADED:
        LOADED.append(_choose())
    return LOADED[0]


def threads() -> int:
    """How many threads the library uses now; 0 where it does not tell."""
    library = load().library
    return load().threads if library is None else int(library.openblas_get_num_threads())


def set_threads(count: int) -> int:
    """Let the library use so many threads from here on, where it can be told; returns `threads()`."""
    library = load().library
    if library is not None:
        library.openblas_set_num_threads(ctypes.c_int(count))
    return threads()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _choose() -> Blas:
    if sys.platform != "linux":
        return Blas("Accelerate" if sys.platform == "darwin" else "default")
    asked = os.environ.get("SEQLAB_BLAS", "")
    if "mlx.core" in sys.modules:
        return Blas(
            "default (MLX already imported)",
            note="seqlab.machine.blas.load() came after `import mlx.core`; call it before.",
        )
    default = Blas("reference (MLX's own)", threads=1)
    sources = {"scipy": _from_wheel, "system": _from_system}
    if asked == "default":
        return replace(default, note="SEQLAB_BLAS=default")
    refused = []
    if asked and asked not in sources:
        refused.append(f"SEQLAB_BLAS={asked} is unknown; expected scipy, system or default")
    elif asked:
        sources = {asked: sources[asked]}
    for source, attempt in sources.items():
        try:
            return replace(attempt(), note="; ".join(refused))
        except Exception as error:  # noqa: BLE001 - a slow BLAS is better than none, whatever went wrong
            refused.append(f"{source}: {str(error) or type(error).__name__}")
    return replace(default, note="; ".join(refused))


def _from_wheel() -> Blas:
    spec = find_spec("scipy_openblas32")  # finds the folder without running the package
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("scipy-openblas32 is not installed")
    package = Path(next(iter(spec.submodule_search_locations)))
    library = next((package / "lib").glob("libscipy_openblas*.so"))
    # The folder's name gives the version; importlib.metadata would cost more than the load itself.
    info = next(package.parent.glob("scipy_openblas32-*.dist-info"), package)
    name = f"libopenblas-{info.stem.rpartition('-')[2]}-{os.uname().machine}.so"
    copy = cache_folder() / name
    label = f"OpenBLAS {info.stem.rpartition('-')[2]} (scipy-openblas32)"
    with suppress(OSError):  # absent, or damaged: make it again
        return _open(copy, label)
    import tempfile  # not above: a warm load needs none of it

    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=copy.parent) as aside:
            _without_prefix(library, Path(aside) / name).replace(copy)
        return _open(copy, label)
    except OSError:  # a cache that cannot be written: a copy for this process only
        with tempfile.TemporaryDirectory() as folder:
            return _open(_without_prefix(library, Path(folder) / name), label)


def cache_folder() -> Path:
    """Where the copy is kept: `$XDG_CACHE_HOME/seqlab`, or `.cache/seqlab` in the home folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqlab"


def _without_prefix(library: Path, copy: Path) -> Path:
    """Write a copy of `library` whose symbols have the standard names. Takes about half a second."""
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
    from ctypes.util import find_library  # imports much, and is seldom needed

    name = find_library("openblas")
    if name is None:
        raise FileNotFoundError("no libopenblas on this system")
    return _open(name, "OpenBLAS (system)")


def _open(path: Path | str, label: str) -> Blas:
    library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    if not hasattr(library, "cblas_sgemm"):
        raise OSError(f"{path} has no cblas_sgemm")
    return Blas(label, str(path), int(library.openblas_get_num_threads()), library=library)
