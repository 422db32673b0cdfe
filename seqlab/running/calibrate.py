"""Which settings does this device run with, and how are they measured before its first trial?

Calibration runs once for each device, in a process of its own, so that the threads, caches and kernels it
tries leave nothing behind. Where it fails, a line on standard error says so and the defaults are used.
"""

import os
import sys
from multiprocessing import get_context
from tempfile import TemporaryDirectory

from pebble import ProcessPool

from seqlab.calibration.record import (
    QUIET,
    Calibration,
    InUse,
    Machine,
    in_use,
    measured,
    parse,
    switched_off,
)
from seqlab.machine import blas
from seqlab.machine.settings import defaults
from seqlab.running.processes import exit_with_parent, ignore_interrupts, interrupts_blocked

TIMEOUT_SECONDS = 300.0  # fifteen times what it takes on a quiet machine


def ensure(machine: Machine) -> InUse:
    """The settings for a run on this machine, measured first if they never were, or never undisturbed."""
    found = in_use(machine)
    if switched_off() or (found.calibration and not (found.calibration.busy and _quiet())):
        return found
    if found.calibration:
        _say("The last calibration was disturbed by other processes; the machine is idle now.\n")
        return measure(machine)
    if machine.file.exists():  # but is unreadable or another machine's
        _say(f"{found.origin.removeprefix('defaults ')}\n")
    return measure(machine)


def _quiet() -> bool:
    """Whether other processes, by the load of the last minutes, leave the processors alone."""
    try:
        return max(os.getloadavg()) < QUIET * blas.cores()
    except OSError:  # where the system does not tell
        return False


def measure(machine: Machine, *, seconds: float | None = None) -> InUse:
    """Measure the settings now and keep them; `seconds` for each of them, None for the usual time."""
    _say(f"Calibrating {machine.device}, once per device ... ")
    try:
        calibration = _measured(machine.kind, seconds)
    except Exception as error:  # noqa: BLE001 - whatever a new device or a busy machine may do
        why = f"{type(error).__name__}: {error}".strip(": ").replace("\n", " ")
        _say(f"failed, so the defaults are used ({why}).\n")
        return InUse(defaults(machine.kind), f"defaults (calibration failed: {why})")
    _say(f"{calibration.seconds:.0f} s: {calibration.settings.summary()}.\n")
    if calibration.busy:
        _say(f"But {calibration.busy}. Run `seqlab doctor --calibrate` when the machine is idle.\n")
    try:
        calibration.save()
    except OSError as error:
        _say(f"The calibration cannot be kept, so the next command calibrates again: {error}\n")
    return measured(calibration)


def _measured(kind: str, seconds: float | None) -> Calibration:
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        pool = ProcessPool(max_workers=1, context=get_context("spawn"))
        try:
            with interrupts_blocked():
                arguments = [kind, os.getpid(), folder, seconds]
                future = pool.schedule(_measure, args=arguments, timeout=TIMEOUT_SECONDS)
            return parse(future.result())
        finally:
            pool.stop()
            pool.join()


def _measure(kind: str, parent: int, folder: str, seconds: float | None) -> str:
    """In the process: calibrate, with `folder` for compiled kernels, empty so that compiling is measured."""
    ignore_interrupts()
    exit_with_parent(parent)
    os.environ["TMPDIR"] = folder  # where MLX keeps compiled kernels, on a CPU and with CUDA
    from seqlab.machine import blas

    blas.load()  # before MLX is imported
    from seqlab.calibration.calibrate import SECONDS, calibrate

    return calibrate(kind, seconds=SECONDS if seconds is None else seconds).text()


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
