"""What is set on a device before it computes, for speed alone?

The settings change how fast a run is, never what it computes, so that they are no part of its identity;
`kernels` may change the last digits of a result, since it orders the same sums in another way. They are
measured once per device (`seqlab.calibration`); until then the defaults hold. No MLX in here: a worker
reads its settings before MLX may be imported.
"""

import sys
from dataclasses import dataclass, field

from seqlab.errors import UsageError
from seqlab.machine.kernels import Kernels

KINDS = ("cpu", "gpu")

# MLX keeps at most 32 MB of freed buffers on a CPU. Measured on 2 cores: with 1 GiB a training step of a
# Transformer at length 512 took 0.75 of the time, shorter ones the same.
CPU_CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class Settings:
    """`blas_threads` and `cache_bytes` (of freed buffers kept) as the libraries have them where None.

    `compile_after`: compile the step of a training run of at least so many steps; None for never.
    `compile_unrolled_after`: the same for a model that takes its time steps one after another, of whose
    many small operations compilation makes a few.
    """

    blas_threads: int | None = None
    cache_bytes: int | None = None
    compile_after: int | None = None
    compile_unrolled_after: int | None = None
    kernels: Kernels = field(default_factory=Kernels)

    def __post_init__(self) -> None:
        for name in ("blas_threads", "cache_bytes", "compile_after", "compile_unrolled_after"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise UsageError(f"{name} must be a whole number above 0, or None, found {value!r}.")

    def words(self) -> str:
        """All of them, in a few words."""
        threads = "as found" if self.blas_threads is None else str(self.blas_threads)
        cache = "MLX's own" if self.cache_bytes is None else f"{self.cache_bytes / 2**20:,.0f} MiB"
        after = f"compile {_after(self.compile_after)} (recurrences {_after(self.compile_unrolled_after)})"
        kernels = f"split {self.kernels.split}, chunk {self.kernels.chunk:g}"
        kernels += f", tanh {self.kernels.tanh}, exp {self.kernels.exp}, rope {self.kernels.rope}"
        return f"BLAS threads {threads}, buffer cache {cache}, {after}, {kernels}"


def _after(steps: int | None) -> str:
    return "never" if steps is None else f"from {steps:,} steps"


def defaults(kind: str) -> Settings:
    """The settings of a device that was not calibrated; `UsageError` for an unknown kind."""
    check_kind(kind)
    if kind == "cpu":  # compiling a step there takes 10 s and more
        # Apple's CPUs have vector instructions for tanh and exp in MLX; its build for x86-64 has not.
        scalar = Kernels(tanh="rational", exp="polynomial", rope="written")
        kernels = Kernels(rope="written") if sys.platform == "darwin" else scalar
        return Settings(cache_bytes=CPU_CACHE_BYTES, kernels=kernels)
    # Compilation takes well under a second there, and launches are dear.
    return Settings(compile_after=50, compile_unrolled_after=50)


def check_kind(kind: str) -> None:
    """Raise `UsageError` unless MLX has this kind of device."""
    if kind not in KINDS:
        raise UsageError(f"device must be cpu or gpu, found {kind!r}.")
