"""Kernel variants: several ways to compute the same result, of which the fastest depends on the device.

A variant changes the speed and the last digits of a result, never what is computed. `Kernels()` are MLX's own
kernels, on which work is counted. `machine.settings` has the defaults of each kind of device, and
`seqlab.calibration` measures once which variants are the fastest on a device.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from seqlab.errors import UsageError

Tanh = Literal["native", "rational"]
Exp = Literal["native", "polynomial"]
Rope = Literal["native", "elementwise"]
MAX_SPLIT = 8  # beyond about 10 parts, the gradient of mx.split costs O(T²), as that of indexing does


@dataclass(frozen=True)
class Kernels:
    """A choice of kernel variants; the defaults are MLX's own ("native").

    `split` and `chunk` are sizes of a variant: how the time axis is divided for a recurrence and for a scan.
    MLX's CPU build for x86-64 computes tanh and exp one number at a time, without vector instructions.
    """

    split: int = 8
    """Parts per level when the time axis is split recursively into steps, 2 to 8."""
    chunk: float = 1.0
    """The chunks of a scan over T steps are chunk × √T long."""
    tanh: Tanh = "native"
    """tanh in GELU and the gates of scanned recurrences: MLX's, or a ratio of polynomials."""
    exp: Exp = "native"
    """exp in softmax: MLX's fused attention, or blocks of queries with a polynomial for exp."""
    rope: Rope = "native"
    """Rotary positions: MLX's, which is a single operation on a GPU only, or elementwise operations."""

    def __post_init__(self) -> None:
        if not 2 <= self.split <= MAX_SPLIT:
            raise UsageError(f"split must be 2 to {MAX_SPLIT}, found {self.split}.")
        if self.chunk <= 0:
            raise UsageError(f"chunk must be above 0, found {self.chunk:g}.")
        for name, known in (("tanh", Tanh), ("exp", Exp), ("rope", Rope)):
            if getattr(self, name) not in get_args(known):
                names = " or ".join(map(repr, get_args(known)))
                raise UsageError(f"{name} must be {names}, found {getattr(self, name)!r}.")


_current = Kernels()


def current() -> Kernels:
    """The kernel variants in use in this process."""
    return _current


def use(kernels: Kernels) -> None:
    """Use these kernel variants from now on. Functions compiled earlier keep the old ones."""
    global _current
    _current = kernels


@contextmanager
def using(kernels: Kernels) -> Iterator[None]:
    """Use these kernel variants inside the `with` block."""
    before = current()
    use(kernels)
    try:
        yield
    finally:
        use(before)


_compiling = False


@contextmanager
def compiling() -> Iterator[None]:
    """Declare that the code inside is traced by `mx.compile`, which fuses chains of elementwise operations.

    Recurrences then use a custom gradient (`seqlab.models.parts.bptt`). MLX can neither export it, to count
    its work, nor map it over seeds, and uncompiled it is not faster.
    """
    global _compiling
    before, _compiling = _compiling, True
    try:
        yield
    finally:
        _compiling = before


def is_compiling() -> bool:
    """Whether a step is being traced for compilation."""
    return _compiling


_exporting = False


@contextmanager
def exporting() -> Iterator[None]:
    """Declare that the code inside is traced to export its graph, in which no custom gradient may occur."""
    global _exporting
    before, _exporting = _exporting, True
    try:
        yield
    finally:
        _exporting = before


def is_exporting() -> bool:
    """Whether a graph is being traced for export."""
    return _exporting
