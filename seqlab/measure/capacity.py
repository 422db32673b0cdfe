"""How much memory has the device that computes here, and how much of it may an attempt use?

A discrete GPU reports its own memory. A CPU has the machine's; in a container, what the container may take of
it. A GPU that shares the CPU's memory, as on Apple silicon, has what its system recommends, some two thirds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import mlx.core as mx
import psutil

from seqlab.machine.memory import limits

# An attempt may take a quarter of the memory, and half of what is free, to leave the machine responsive.
SHARE, SHARE_OF_FREE = 4, 2


@dataclass(frozen=True)
class Capacity:
    """Bytes: all that the device has, and what of it is free now."""

    total: int
    free: int

    @property
    def allowed(self) -> int:
        """The most that an attempt may take."""
        return min(self.total // SHARE, self.free // SHARE_OF_FREE)


def capacity() -> Capacity:
    """The memory of MLX's default device."""
    device = mx.device_info(mx.default_device())
    if "total_memory" in device:  # CUDA; Metal's `memory_size` is the machine's
        total = int(device["total_memory"])
        return Capacity(total, int(device.get("free_memory", total)))
    machine = psutil.virtual_memory()
    total, free = int(machine.total), int(machine.available)
    for limit, taken in limits():
        total, free = min(total, limit), min(free, limit - taken)
    total = min(total, int(device.get("max_recommended_working_set_size", total)))  # Metal
    return Capacity(total, max(free, 0))


@contextmanager
def limited(memory: int) -> Iterator[None]:
    """Ask MLX to stay below so many bytes: at the limit it waits for buffers to be freed before it goes on.

    MLX takes it as a guideline. Where it must not be exceeded, predict the memory first.
    """
    before = mx.set_memory_limit(memory)
    try:
        yield
    finally:
        mx.set_memory_limit(before)
