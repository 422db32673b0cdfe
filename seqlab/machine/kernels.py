"""In which of several equal kernels is a computation written, where the fastest depends on the device?

The kernels change the speed and the last digits, never what is computed. `Kernels()` is the mathematics as
MLX has it, and what work is counted on; `machine.settings` has the defaults of each kind of device, and
`seqlab.calibration` times them once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from seqlab.errors import UsageError

Tanh = Literal["native", "rational"]
Exp = Literal["native", "polynomial"]
Rope = Literal["native", "written"]
MOST_PARTS = 8  # beyond about 10, the gradient of mx.split costs T² like that of indexing


@dataclass(frozen=True)
class Kernels:
    """`split`: parts at each level when time is cut into steps, 2 to 8. `chunk`: a scan's chunks are
    chunk × √T long. `tanh`, in GELU: MLX's own, or a ratio of polynomials. `exp`, in softmax: MLX's own
    fused attention, or blocks of queries with a polynomial. `rope`: MLX's own rotation, a single operation
    on a GPU alone, or ours. MLX's CPU build for x86-64 takes tanh and exp one number at a time.
    """

    split: int = 8
    chunk: float = 1.0
    tanh: Tanh = "native"
    exp: Exp = "native"
    rope: Rope = "native"

    def __post_init__(self) -> None:
        if not 2 <= self.split <= MOST_PARTS:
            raise UsageError(f"split must be 2 to {MOST_PARTS}, found {self.split}.")
        if self.chunk <= 0:
            raise UsageError(f"chunk must be above 0, found {self.chunk:g}.")
        for name, known in (("tanh", Tanh), ("exp", Exp), ("rope", Rope)):
            if getattr(self, name) not in get_args(known):
                names = " or ".join(map(repr, get_args(known)))
                raise UsageError(f"{name} must be {names}, found {getattr(self, name)!r}.")


_current = Kernels()


def current() -> Kernels:
    """The kernels in use in this process."""
    return _current


def use(kernels: Kernels) -> None:
    """Compute in these kernels from here on. What was compiled before keeps the old ones."""
    global _current
    _current = kernels


@contextmanager
def using(kernels: Kernels) -> Iterator[None]:
    """What is called within is computed in these kernels."""
    before = current()
    use(kernels)
    try:
        yield
    finally:
        use(before)


_compiling = False


@contextmanager
def compiling() -> Iterator[None]:
    """What is called within is traced by `mx.compile`, where a chain of elementwise operations costs one.

    Recurrences then use their own gradient (`seqlab.models.parts.through_time`), which MLX can neither
    export, to count its work, nor map over seeds, and which does not pay uncompiled.
    """
    global _compiling
    before, _compiling = _compiling, True
    try:
        yield
    finally:
        _compiling = before


def is_compiling() -> bool:
    """Whether a step that is to be compiled is being traced."""
    return _compiling


_exporting = False


@contextmanager
def exporting() -> Iterator[None]:
    """What is called within is traced to hand its graph over, where no gradient of our own may stand."""
    global _exporting
    before, _exporting = _exporting, True
    try:
        yield
    finally:
        _exporting = before


def is_exporting() -> bool:
    """Whether a graph is being traced to be counted or taken apart."""
    return _exporting
