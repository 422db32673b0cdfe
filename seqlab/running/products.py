"""In which precision does a device multiply float32 arrays? A GPU may keep 10 bits of a fraction (TF32).

MLX_ENABLE_TF32 says what is asked for; whether the device has it, only a product tells. It is computed in a
process of its own, so that this one holds none of the device's memory.
"""

import os
from multiprocessing import get_context

from pebble import ProcessPool

from seqlab.running.processes import exit_with_parent, ignore_interrupts, interrupts_blocked

TIMEOUT_SECONDS = 60.0


def products(kind: str) -> str | None:
    """`float32`, or what a product on this kind of device is found to be; None where that fails."""
    return "float32" if kind == "cpu" else found(kind)


def found(kind: str) -> str | None:
    """The precision of a product that a process computes on this kind of device."""
    pool = ProcessPool(max_workers=1, context=get_context("spawn"))
    try:
        with interrupts_blocked():
            future = pool.schedule(_computed, args=[kind, os.getpid()], timeout=TIMEOUT_SECONDS)
        return str(future.result())
    except Exception:  # noqa: BLE001 - provenance leaves out what it does not know
        return None
    finally:
        pool.stop()
        pool.join()


def _computed(kind: str, parent: int) -> str:
    ignore_interrupts()
    exit_with_parent(parent)
    from seqlab.machine import blas

    blas.load()  # before MLX is imported
    from seqlab.machine import device
    from seqlab.measure.ceilings import product_precision

    device.use(kind)
    return product_precision()
