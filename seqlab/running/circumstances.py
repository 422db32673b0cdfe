"""With which settings and how much memory do trials run on this machine, and what is recorded of it?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.calibration.record import InUse, Machine
from seqlab.machine import blas
from seqlab.machine.memory import memory_limit
from seqlab.running.calibrate import ensure
from seqlab.running.products import products
from seqlab.store.provenance import gather


@dataclass(frozen=True)
class Circumstances:
    """A machine's settings, measured or its defaults, and the bytes that all trials at once may hold."""

    root: Path
    device: tuple[str, str, str]  # kind, name, MLX version
    found: InUse
    threads: int
    memory: int
    precision: str | None  # of float32 products; None where that is not known

    @classmethod
    def here(
        cls, root: Path, device: tuple[str, str, str], *, memory_gib: float | None = None
    ) -> "Circumstances":
        """Of this machine, for the code in `root`; a new device is calibrated first."""
        found = ensure(Machine.here(*device))
        own = found.settings.blas_threads
        # Set here as in the worker, so that what is recorded is what the library really took.
        threads = blas.threads() if own is None else blas.set_threads(own)
        memory = int(memory_gib * 2**30) if memory_gib else memory_limit()
        return cls(root, device, found, threads, memory, products(device[0]))

    def gather(self) -> dict[str, Any]:
        """What is recorded of them now: power and heat change within an hour."""
        return gather(
            self.root,
            device=self.device[1],
            blas=blas.load().name,
            threads=self.threads,
            calibration=self.found.summary(),
            cache_bytes=self.found.settings.cache_bytes,
            products=self.precision,
        )
