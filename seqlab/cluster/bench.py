"""How does a trial run on a worker's machine? In a process of its own, as `seqlab run` would run it there.

The Dask worker starts this process (`seqlab.cluster.task`), as it cannot run trials itself: its nanny makes
it a daemon, which may start no workers of ours, and keeps numerical libraries to one thread.
"""

import fcntl
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from seqlab.cluster.same import differs, workspace_of
from seqlab.cluster.words import Home, Job, Met, Terms
from seqlab.errors import PageChangedError, UsageError, WorkerError
from seqlab.machine import blas
from seqlab.running.circumstances import Circumstances
from seqlab.running.execute import ENDED, discard_of_other_code, of_trials, share_of
from seqlab.running.processes import exit_with_parent, ignore_interrupts
from seqlab.running.worker import Worker
from seqlab.store.workspace import Workspace

LEAST_FREE = 64 << 20  # bytes on disk: what a trial yields, with room for its training states


def main() -> None:
    """Answer what the Dask worker asks, until it is gone."""
    connection, parent = Connection(int(sys.argv[1])), int(sys.argv[2])
    ignore_interrupts()
    exit_with_parent(parent)
    bench = Bench()
    with suppress(EOFError, OSError):
        while True:
            asked: Terms | Job = connection.recv()
            connection.send(bench.meet(asked) if isinstance(asked, Terms) else bench.run(asked))


class Bench:
    """Runs one trial after another, and keeps the trial's process for the next one."""

    def __init__(self) -> None:
        self._terms: Terms | None = None
        self._workspace = Workspace(Path(), Path())
        self._circumstances: Circumstances | None = None
        self._kept = ExitStack()
        self._worker: tuple[int, Worker] | None = None  # with how many share its place
        self._provenance: dict[tuple[str, int], Mapping[str, Any]] = {}

    def meet(self, terms: Terms) -> Met:
        """Whether this machine fits; a new device is calibrated."""
        blas.load()  # before anything imports MLX
        from seqlab.machine import device as devices

        try:
            found = devices.current(terms.kind)
        except UsageError as error:
            return Met(refusal=str(error))
        device = found.kind, found.name, found.mlx
        place = place_of(device)
        try:
            workspace = workspace_of(terms)
            if refusal := differs(terms, device, workspace) or _full():
                return Met(device, place, refusal)
            if terms.device and terms != self._terms:
                self._settle(terms, device)
        except OSError as error:
            return Met(device, place, f"{error}.")
        return Met(device, place)

    def _settle(self, terms: Terms, device: tuple[str, str, str]) -> None:
        self._kept.close()
        self._kept, self._worker = ExitStack(), None
        self._provenance.clear()
        self._workspace, self._terms = workspace_of(terms), terms
        with _one_at_a_time():
            self._circumstances = Circumstances.here(
                self._workspace.root, device, memory_gib=terms.memory_gib
            )

    def run(self, job: Job) -> Home:
        """Run a trial; however it ends, that is an outcome. A refusal says what is wrong here."""
        if job.terms != self._terms and (refusal := self.meet(job.terms).refusal):
            return Home(refusal=refusal)
        assert self._circumstances
        trial, (_, name, mlx) = job.trial, self._circumstances.device
        folder = self._workspace.results / "checkpoints" / trial.experiment / job.fingerprint
        kept = folder / trial.key(device=name, mlx=mlx)[:16]
        try:
            provenance = self._provenance_of(job, folder.parent)
            *_, outcome = self._worker_of(job.at_once).run(
                self._workspace.pages / job.page,
                trial,
                checkpoints=kept if _is_writable(kept) else None,
                fingerprint=job.fingerprint,
                environment=job.environment,
            )
        except (OSError, PageChangedError, WorkerError) as error:
            return Home(refusal=str(error))
        assert outcome
        if outcome.status == "failed" and (full := _full()):
            return Home(refusal=full)
        if outcome.status in ENDED:
            shutil.rmtree(kept, ignore_errors=True)
        return Home(outcome, provenance)

    def _worker_of(self, at_once: int) -> Worker:
        assert self._circumstances
        if self._worker is None or self._worker[0] != at_once:
            self._kept.close()
            worker = Worker(
                device=self._circumstances.device[0],
                memory_limit=self._circumstances.memory // at_once,
                settings=share_of(self._circumstances.found.settings, at_once),
                results=self._workspace.results,
            )
            self._worker = at_once, self._kept.enter_context(worker)
        return self._worker[1]

    def _provenance_of(self, job: Job, checkpoints: Path) -> Mapping[str, Any]:
        """The circumstances of the page's trials, taken before its first one."""
        assert self._circumstances
        if (job.page, job.at_once) not in self._provenance:
            settings = share_of(self._circumstances.found.settings, job.at_once)
            self._provenance[job.page, job.at_once] = {
                **of_trials(self._circumstances.gather(), job.at_once, settings, job.environment),
                "machine": _short(platform.node()),  # tells machines apart, and not whose they are
            }
            discard_of_other_code(checkpoints, job.fingerprint)
        return self._provenance[job.page, job.at_once]


def place_of(device: tuple[str, str, str]) -> str:
    """The same for processes that share a device, or the same cores of one machine."""
    parted: object = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if device[0] == "cpu":
        parted = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ""
    return _short(repr((platform.node(), device, parted)))


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold the user's calibrations: of several workers on a machine one measures, the others read."""
    with ExitStack() as stack:
        with suppress(OSError):  # without locks they may measure it twice
            blas.cache_folder().mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((blas.cache_folder() / "calibration.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_writable(folder: Path) -> bool:
    there = next((one for one in (folder, *folder.parents) if one.is_dir()), folder)
    return os.access(there, os.W_OK)


def _full() -> str:
    """Why nothing more can be written here; empty where it can."""
    place = tempfile.gettempdir()
    free = shutil.disk_usage(place).free
    return "" if free >= LEAST_FREE else f"its disk is full: {free >> 20} MiB are free in {place}; make room."
