"""How does a trial run, so that no trial can take the others with it?

A worker is a process (started by pebble) that runs one trial at a time and is kept for the next one. It is
replaced when it dies, exceeds the trial's timeout or exceeds the memory limit. Here is the parent's side;
`seqlab.running.child` is what runs inside the process.
"""

import os
import signal
import time
import traceback
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, suppress
from ctypes import c_double
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context, resource_tracker
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from typing import Any

import psutil
from pebble import ProcessExpired, ProcessPool

from seqlab.errors import PageChangedError, WorkerError
from seqlab.machine.settings import Settings
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.running import spool
from seqlab.running.child import HELD, PLACES, PROCESS, RUNS_IN, STEP, VALUE, TrialEnd, run_trial, start
from seqlab.running.processes import interrupts_blocked
from seqlab.running.scratch import folder
from seqlab.store.database import Status

POLL_SECONDS = 0.2  # between two looks at a worker's memory


@dataclass(frozen=True)
class Outcome:
    """What became of a trial. `seconds` is the trial's own time, without starting the worker."""

    status: Status
    seconds: float
    started: datetime
    measurements: tuple[Measurement, ...]
    artifacts: tuple[Artifact, ...] = ()
    error: str = ""
    traceback: str = ""
    used: Mapping[str, str] = field(default_factory=dict)


class Worker:
    """A worker process for trials, one at a time. Use it as a context manager.

    `memory_limit` is the most that the process may hold, in bytes; a trial that exceeds it is ended.
    `settings` are the device's; None for its defaults. `results` is the folder of results: what a trial reads
    there is no input of it.
    """

    def __init__(
        self,
        *,
        device: str,
        memory_limit: int,
        settings: Settings | None = None,
        results: Path | None = None,
    ) -> None:
        self._limit = memory_limit
        self._shared = RawArray(c_double, PLACES)
        self._scratch = ExitStack()
        self._spool = self._scratch.enter_context(folder()) / "yielded.jsonl"
        self._device, self._settings = device, settings
        self._environment: Mapping[str, str] = {}
        self._results = results
        with interrupts_blocked():  # Python's own helper process is one of those that must not hear of it
            resource_tracker.ensure_running()
        self._pool = self._new_pool()
        self._running: Future[TrialEnd] | None = None
        self._suspect = False  # a GPU on which a trial failed: what comes next may be wrong without an error

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=1,
            max_tasks=0,
            context=get_context("spawn"),
            initializer=start,
            initargs=(
                self._shared,
                os.getpid(),
                self._device,
                self._settings,
                self._environment,
                self._results,
            ),
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
        self._pool.join()
        self._scratch.close()

    @property
    def running(self) -> "Future[TrialEnd] | None":
        """The trial that runs, or has ended just now; None between trials."""
        return self._running

    def progress(self) -> tuple[int, float]:
        """The step that the running trial has reached, and the value measured there."""
        return int(self._shared[STEP]), float(self._shared[VALUE])

    def run(
        self,
        page: Path,
        trial: Trial,
        *,
        checkpoints: Path | None = None,
        fingerprint: str = "",
        environment: Mapping[str, str] | None = None,
        blocking: bool = True,
    ) -> Iterator[Outcome | None]:
        """Run a trial: yields None while it runs, a few times a second, then its outcome.

        Unless it is `blocking`, it yields None at once: a caller with several workers advances each in turn,
        and waits with `wait_for_any`.

        The trial's training states are kept in the folder `checkpoints`, this trial's own, and training
        resumes from there. The process has these variables in its `environment`, and is replaced where the
        trial before ran with others. Raises `WorkerError` where no process can be started, so that no trial
        could run, and `PageChangedError` where the page no longer has this fingerprint.
        """
        arguments = [str(page), trial, self._spool, checkpoints, fingerprint]
        self._spool.parent.mkdir(exist_ok=True)  # a trial may have removed it
        self._spool.write_text("")
        self._shared[STEP] = self._shared[VALUE] = self._shared[RUNS_IN] = 0.0
        began, clock = datetime.now(UTC), time.perf_counter()
        over_limit = False
        wanted = environment or {}
        replaced = wanted != self._environment or self._suspect
        self._environment, self._suspect = wanted, False
        for new_process in (replaced, True):
            future = self._schedule(arguments, timeout=trial.timeout, new_process=new_process)
            over_limit |= yield from self._watch(future, blocking=blocking)
            # A process that died before it took the trial up, idle or starting, is replaced once.
            if future.cancelled() or not isinstance(future.exception(), BrokenProcessPool):
                break
        else:
            raise WorkerError(
                "the process that runs trials cannot start: it failed twice in a row. Finished trials are "
                "stored. Run `seqlab doctor` to check MLX and the BLAS, or set SEQLAB_BLAS=default."
            )
        self._running = None
        end = self._end_of(future, time.perf_counter() - clock, trial, over_limit=over_limit)
        self._suspect = self._device == "gpu" and end.status != "ok"
        yielded, lost = spool.read_all(self._spool)
        if lost and end.status == "ok":
            end = TrialEnd(
                "failed",
                end.seconds,
                f"{page.name}: what it yielded is lost: {lost.rstrip('.')}.",
                used=end.used,
            )
        yield Outcome(
            end.status,
            end.seconds,
            began,
            tuple(one for one in yielded if isinstance(one, Measurement)),
            tuple(one for one in yielded if isinstance(one, Artifact)),
            end.error,
            end.traceback,
            end.used,
        )

    def _schedule(self, arguments: list[Any], *, timeout: float, new_process: bool) -> "Future[TrialEnd]":
        """Hand the trial to the process; to a new one where the old one is known to be gone."""
        if new_process or not self._pool.active:
            self._pool.stop()
            self._pool.join()
            self._shared[PROCESS] = self._shared[RUNS_IN] = 0
            self._pool = self._new_pool()
        with interrupts_blocked():  # the process may start now
            try:
                self._running = self._pool.schedule(run_trial, args=arguments, timeout=timeout)
            except (BrokenProcessPool, OSError) as error:  # too many processes, or open files
                raise WorkerError(
                    f"the process that runs trials cannot start: {error.__cause__ or error}. Finished trials "
                    "are stored. Close other programs or raise the limits that `ulimit -a` shows."
                ) from error
        return self._running

    def _watch(self, future: "Future[TrialEnd]", *, blocking: bool) -> Generator[None, None, bool]:
        """Until the trial has ended; returns whether it was killed for its memory."""
        over_limit = False
        while not future.done():
            if blocking:
                wait_for_any([self])
            yield None
            if not over_limit and self._memory() > self._limit:
                over_limit = True
                self._kill()
            if self._exited():
                future.cancel()
        return over_limit

    def _end_of(
        self, future: "Future[TrialEnd]", seconds: float, trial: Trial, *, over_limit: bool
    ) -> TrialEnd:
        """How the trial ended, as it says itself or as its process shows."""
        try:
            return future.result()
        except PageChangedError:  # the page was changed: the trial did not begin
            raise
        except CancelledError:
            return TrialEnd("failed", seconds, "the trial ended its own process (exit status 0).")
        except TimeoutError:
            error = (
                f"took longer than its {trial.timeout:g} s; raise it with --timeout, or the budget's timeout."
            )
            return TrialEnd("timed out", seconds, error)
        except ProcessExpired as expired:
            if over_limit:
                error = f"held more than the limit of {self._limit / 2**30:.1f} GiB; see --memory."
                return TrialEnd("out of memory", seconds, error)
            code = expired.exitcode
            if code == -signal.SIGKILL:
                error = "the system killed the process, as it does when memory runs out."
                return TrialEnd("out of memory", seconds, error)
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            return TrialEnd("failed", seconds, f"the trial ended its own process ({how}).")
        except Exception as error:  # noqa: BLE001 - the process could not start: the run says why
            return TrialEnd("failed", seconds, f"{type(error).__name__}: {error}", traceback.format_exc())

    def _exited(self) -> bool:
        """Whether the trial's process exited with status 0 and another took its place.

        The pool itself notices every other end.
        """
        return self._shared[RUNS_IN] not in (0, self._shared[PROCESS])

    def _memory(self) -> int:
        """The bytes that the process holds, or on a GPU MLX for it if that is more; 0 where there is none."""
        process = int(self._shared[PROCESS])
        try:
            held = int(psutil.Process(process).memory_info().rss) if process else 0
        except psutil.Error:
            return 0
        return max(held, int(self._shared[HELD])) if process else 0

    def _kill(self) -> None:
        with suppress(psutil.Error):
            psutil.Process(int(self._shared[PROCESS])).kill()


def wait_for_any(workers: Iterable[Worker]) -> None:
    """Wait until the trial of one of the workers has ended, but at most `POLL_SECONDS`."""
    running = [worker.running for worker in workers if worker.running is not None]
    if running:
        wait_for(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
