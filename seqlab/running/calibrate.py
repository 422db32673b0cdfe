"""Were this device's settings measured, and if not, how are they measured now?

Once per device, before its first trial, in a process of its own: the threads, caches and kernels that are
tried there leave nothing behind. A calibration that fails costs a line on standard error: the defaults
are good enough to run with.
"""

import os
import signal
import sys
from multiprocessing import get_context
from tempfile import TemporaryDirectory

from pebble import ProcessPool

from seqlab.calibration.record import Calibration, InUse, Machine, in_use, measured, parse, switched_off
from seqlab.machine.settings import defaults
from seqlab.running.worker import interrupts_blocked, leave_with

PATIENCE_SECONDS = 300.0  # fifteen times what it takes on a quiet machine


def ensure(machine: Machine) -> InUse:
    """The settings for a run on this machine, measured first if they never were."""
    found = in_use(machine)
    if found.calibration or switched_off():
        return found
    if machine.file.exists():  # and yet it is of no use
        _say(f"{found.origin.removeprefix('defaults ')}\n")
    return measure(machine)


def measure(machine: Machine, *, seconds: float | None = None) -> InUse:
    """Measure the settings now and keep them; `seconds` for each of them, if not the usual."""
    _say(f"Calibrating {machine.device}, once per device ... ")
    try:
        calibration = _measured(machine.kind, seconds)
    except Exception as error:  # noqa: BLE001 - whatever a new device or a busy machine may do
        why = f"{type(error).__name__}: {error}".strip(": ").replace("\n", " ")
        _say(f"failed, so the defaults hold ({why}).\n")
        return InUse(defaults(machine.kind), f"defaults (calibration failed: {why})")
    _say(f"{calibration.seconds:.0f} s: {calibration.settings.summary()}.\n")
    if calibration.busy:
        _say(f"But {calibration.busy}. Give `seqlab doctor --calibrate` when it is quiet.\n")
    try:
        calibration.save()
    except OSError as error:
        _say(f"It cannot be kept, so the next command calibrates again: {error}\n")
    return measured(calibration)


def _measured(kind: str, seconds: float | None) -> Calibration:
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        pool = ProcessPool(max_workers=1, context=get_context("spawn"))
        try:
            with interrupts_blocked():
                given = [kind, os.getpid(), folder, seconds]
                future = pool.schedule(_measure, args=given, timeout=PATIENCE_SECONDS)
            return parse(future.result())
        finally:
            pool.stop()
            pool.join()


def _measure(kind: str, parent: int, folder: str, seconds: float | None) -> str:
    """In the process: calibrate, with compiled kernels in `folder`, where none are yet."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_with(parent)
    os.environ["TMPDIR"] = folder  # where MLX keeps them on a CPU, and CUDA's too
    from seqlab.machine import blas

    blas.load()  # before MLX is imported
    from seqlab.calibration.calibrate import SECONDS, calibrate

    return calibrate(kind, seconds=SECONDS if seconds is None else seconds).text()


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
