"""Performance settings of a device: threads, buffer cache, compilation and kernel variants.

They change how fast a run is, not what it computes, so they are not part of a run's identity. Kernel variants
may change the last digits of a result, since they add in another order. `seqlab.calibration` measures the
settings once per device; until then the defaults apply. This module does not import MLX, because a worker
reads its settings before it may import MLX.
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
    """The settings of a device. None leaves threads and cache as the libraries set them."""

    blas_threads: int | None = None
    """Threads of the BLAS."""
    cache_bytes: int | None = None
    """MLX's limit of freed buffers that it keeps for reuse, in bytes."""
    compile_after: int | None = None
    """Compile the training step of runs with at least this many steps; None for never."""
    compile_unrolled_after: int | None = None
    """The same for models that compute time steps one after another: compilation fuses their many small
    operations into a few."""
    kernels: Kernels = field(default_factory=Kernels)
    """Kernel variants."""

    def __post_init__(self) -> None:
        for name in ("blas_threads", "cache_bytes", "compile_after", "compile_unrolled_after"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise UsageError(f"{name} must be a whole number above 0, or None, found {value!r}.")

    def summary(self) -> str:
        """All settings in one line."""
        threads = "as found" if self.blas_threads is None else str(self.blas_threads)
        cache = "MLX's own" if self.cache_bytes is None else f"{self.cache_bytes / 2**20:,.0f} MiB"
        after = f"compile {_after(self.compile_after)} (recurrences {_after(self.compile_unrolled_after)})"
        kernels = f"split {self.kernels.split}, chunk {self.kernels.chunk:g}"
        kernels += f", tanh {self.kernels.tanh}, exp {self.kernels.exp}, rope {self.kernels.rope}"
        return f"BLAS threads {threads}, buffer cache {cache}, {after}, {kernels}"


def _after(steps: int | None) -> str:
    return "never" if steps is None else f"from {steps:,} steps"


def defaults(kind: str) -> Settings:
    """The settings of a device that is not calibrated; raises `UsageError` for an unknown kind."""
    check_kind(kind)
    if kind == "cpu":  # no compilation: compiling a step takes 10 s and more
        # MLX has vector instructions for tanh and exp on Apple's CPUs, but not in its build for x86-64.
        x86 = Kernels(tanh="rational", exp="polynomial", rope="elementwise")
        kernels = Kernels(rope="elementwise") if sys.platform == "darwin" else x86
        return Settings(cache_bytes=CPU_CACHE_BYTES, kernels=kernels)
    # On a GPU compiling saves kernel launches, which are slow. It takes well under a second for a parallel
    # network and longer the longer a recurrence is: tracing an LSTM alone took 0.6, 1.6, 4.1 and 7.4 s at
    # lengths of 128, 256, 512 and 1,024 on a CPU. Longer ones run uncompiled (`training.step`).
    return Settings(compile_after=50, compile_unrolled_after=50)


def check_kind(kind: str) -> None:
    """Raise `UsageError` unless `kind` is cpu or gpu."""
    if kind not in KINDS:
        raise UsageError(f"device must be cpu or gpu, found {kind!r}.")
