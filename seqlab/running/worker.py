"""How does a trial run, so that no trial can take the others with it?

A worker is a process (pebble) that runs one trial at a time, and is kept for the next one. It is
replaced when it dies, outlives its timeout or outgrows the memory limit. Whatever a trial set on the
device is put back before the next. What a trial yields is spooled to a file as it comes, so that even a
killed trial keeps what it had measured. This is the only place that catches what a page raises.
"""

import base64
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from ctypes import Array, c_double
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from typing import Any, TextIO

import psutil
from pebble import ProcessExpired, ProcessPool

from seqlab.errors import DivergedError, SeqlabError, UsageError, WorkerError, described
from seqlab.machine.settings import Settings
from seqlab.notebook.artifacts import Artifact, panels_of, text_of
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import Figure, ImageGrid, TextSamples
from seqlab.notebook.metrics import Measurement
from seqlab.running.fingerprint import Fingerprints
from seqlab.store.database import Status

# What the worker tells while it runs, without locks, so that a killed worker leaves none held.
STEP, VALUE, PROCESS, RUNS_IN = 0, 1, 2, 3  # RUNS_IN: the process that took the trial up
GRACE_SECONDS = 0.2  # between two looks at the worker's memory

_OUT_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "unable to allocate",
    "[malloc",
    "bad_alloc",
    "attempting to allocate",
)


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


@dataclass(frozen=True)
class _Ended:
    """What the worker sends back: the measurements and artifacts are in the spool."""

    status: Status
    seconds: float
    error: str = ""
    traceback: str = ""


_state: "Array[c_double] | None" = None
_device: tuple[str, Settings | None] = ("cpu", None)
_experiments: dict[str, Experiment] = {}
_codes = Fingerprints()


def _start(
    state: "Array[c_double]", parent: int, device: str, settings: Settings | None, precise: bool
) -> None:
    """Runs once in each new worker."""
    global _state, _device
    _state, _device = state, (device, settings)
    if precise:
        os.environ["MLX_ENABLE_TF32"] = "0"  # MLX asks once, at its first product
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    leave_with(parent)
    from seqlab.machine import blas

    blas.load()  # before MLX is imported
    from seqlab.machine.device import use

    use(*_device)
    state[PROCESS] = os.getpid()


def leave_with(parent: int) -> None:
    """A process whose parent was killed must not go on computing for nobody."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run(page: str, trial: Trial, spool: Path, checkpoints: Path | None, code: str) -> _Ended:
    """Run one trial in the worker; what it yields goes to the spool at once."""
    assert _state is not None
    _state[STEP], _state[VALUE], _state[RUNS_IN] = 0.0, 0.0, os.getpid()
    import mlx.core as mx

    from seqlab.machine import device
    from seqlab.notebook.discover import load
    from seqlab.training.checkpoints import Checkpoints, use

    device.use(*_device)  # the trial before may have set another device, other forms
    use(Checkpoints(checkpoints, keep_finished=True) if checkpoints else None)
    if page not in _experiments and code:
        _check_code(Path(page), code)
    started = time.perf_counter()
    with spool.open("w", buffering=1) as lines:  # line by line: a kill must not cost what was measured
        try:
            if page not in _experiments:
                _experiments[page] = load(Path(page))
            mx.random.seed(trial.seed)
            started, names = time.perf_counter(), set[str]()
            for found in _experiments[page].run(trial):
                if isinstance(found, Artifact):
                    _check_exhibit(found, names, _experiments[page].figures)
                    lines.write(_spooled(found))
                    continue
                lines.write(json.dumps([found.metric, found.value, found.split, found.step]) + "\n")
                if found.step is not None:
                    _state[STEP], _state[VALUE] = found.step, found.value
        except BaseException as error:  # noqa: BLE001 - a page is the user's code: the others go on
            status, text = _told(error)
            shown = "" if isinstance(error, SeqlabError) else traceback.format_exc()
            return _Ended(status, time.perf_counter() - started, _printable(text), _printable(shown))
    return _Ended("ok", time.perf_counter() - started)


def _check_exhibit(artifact: Artifact, names: set[str], figures: Iterable[Figure]) -> None:
    """Raise `UsageError` where a second artifact takes a name, or a figure could not show this one.

    The second would be lost, or the first; and what a figure cannot show would be found by the report.
    """
    if artifact.name in names:
        raise UsageError(
            f"a run yielded two artifacts called {artifact.name!r}; give each a name of its own."
        )
    names.add(artifact.name)
    for figure in figures:
        match figure:
            case TextSamples(artifact=name) if name == artifact.name:
                text_of(artifact)
            case ImageGrid(artifact=name) if name == artifact.name:
                panels_of(artifact)


def _spooled(artifact: Artifact) -> str:
    """An artifact as one line of the spool: an object, where a measurement is a list."""
    data = base64.b64encode(artifact.data).decode()
    return json.dumps({"name": artifact.name, "media": artifact.media, "data": data}) + "\n"


def _check_code(page: Path, code: str) -> None:
    """Raise `UsageError` unless the page and what it imports still have this fingerprint.

    A worker that replaces another reads them anew: a result must not pass for one of the old code.
    """
    try:
        same = _codes.of(page) == code
    except (OSError, SyntaxError, ValueError):  # gone, or in the midst of an edit
        same = False
    if not same:
        raise UsageError(
            f"{page.name}, or what it imports, was changed since this command began. "
            "Finished trials are stored; give the same command again."
        )


def _printable(text: str) -> str:
    """Without the halves of characters that a file name may hold: the store takes whole ones."""
    return text.encode(errors="backslashreplace").decode()


def _told(error: BaseException) -> tuple[Status, str]:
    text = str(error) if isinstance(error, SeqlabError) else described(error)
    if isinstance(error, DivergedError):
        return "diverged", text
    if isinstance(error, MemoryError) or any(word in str(error).lower() for word in _OUT_OF_MEMORY):
        return "out of memory", text
    return "failed", text


class Worker:
    """A worker process for trials, one at a time. Use it as a context manager.

    `memory_limit` is the most that the worker may hold, in bytes; beyond it the trial is ended.
    `settings` are the device's; None for its defaults.
    """

    def __init__(self, *, device: str, memory_limit: int, settings: Settings | None = None) -> None:
        self._limit = memory_limit
        self._state = RawArray(c_double, 4)
        descriptor, spool = tempfile.mkstemp(prefix="seqlab-", suffix=".jsonl")
        os.close(descriptor)
        self._spool = Path(spool)
        self._device, self._settings, self._precise = device, settings, False
        self._pool = self._new_pool()
        self._running: Future[_Ended] | None = None

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=1,
            max_tasks=0,
            context=get_context("spawn"),
            initializer=_start,
            initargs=(self._state, os.getpid(), self._device, self._settings, self._precise),
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
        self._pool.join()
        self._spool.unlink(missing_ok=True)

    def seen(self) -> tuple[int, float]:
        """The step that the running trial has reached, and the value measured there."""
        return int(self._state[STEP]), float(self._state[VALUE])

    def run(
        self,
        page: Path,
        trial: Trial,
        *,
        checkpoints: Path | None = None,
        code: str = "",
        precise: bool = False,
        patient: bool = True,
    ) -> Iterator[Outcome | None]:
        """Run a trial: yields None while it runs, a few times a second, then its outcome.

        Unless it is `patient`, it yields at once: for a caller who looks after several workers, and waits
        for all of them by `rest`.

        The trial's trainings are kept in the folder `checkpoints`, this trial's own, and go on from there.
        `precise` runs it without TF32: in a new process, where the trial before had it the other way.
        Raises `WorkerError` where no worker can be started, so that no trial could run, and `UsageError`
        where the page no longer has the fingerprint `code`.
        """
        given = [str(page), trial, self._spool, checkpoints, code]
        self._spool.write_text("")
        self._state[STEP] = self._state[VALUE] = self._state[RUNS_IN] = 0.0
        began, clock = datetime.now(UTC), time.perf_counter()
        grown = False
        other = precise != self._precise
        self._precise = precise
        for afresh in (other, True):
            future = self._running = self._scheduled(given, timeout=trial.timeout, afresh=afresh)
            while not future.done():
                if patient:
                    rest([self])
                yield None
                if not grown and self._held() > self._limit:
                    grown = True
                    self._kill()
                if self._left():
                    future.cancel()
            # A worker that died before it took the trial up, idle or starting, is replaced once.
            if future.cancelled() or not isinstance(future.exception(), BrokenProcessPool):
                break
        else:
            raise WorkerError(
                "the process that runs trials cannot start, twice in a row. `seqlab doctor` looks at MLX and "
                "the BLAS; SEQLAB_BLAS=default does without the fast one. Finished trials are stored."
            )
        ended = self._ended(future, time.perf_counter() - clock, trial, grown)
        with self._spool.open() as lines:
            yielded = tuple(_read(lines))
        yield Outcome(
            ended.status,
            ended.seconds,
            began,
            tuple(one for one in yielded if isinstance(one, Measurement)),
            tuple(one for one in yielded if isinstance(one, Artifact)),
            ended.error,
            ended.traceback,
        )

    def _scheduled(self, given: list[Any], *, timeout: float, afresh: bool) -> "Future[_Ended]":
        """Hand the trial to the worker; to a new one where the old one is known to be gone."""
        if afresh or not self._pool.active:
            self._pool.stop()
            self._pool.join()
            self._state[PROCESS] = self._state[RUNS_IN] = 0
            self._pool = self._new_pool()
        with interrupts_blocked():  # the worker inherits the mask, so Ctrl-C never reaches it
            return self._pool.schedule(_run, args=given, timeout=timeout)

    def _ended(self, future: "Future[_Ended]", seconds: float, trial: Trial, grown: bool) -> _Ended:
        try:
            return future.result()
        except UsageError:  # of `_check_code`: the trial did not begin
            raise
        except CancelledError:
            return _Ended("failed", seconds, "the trial ended its own process (exit status 0).")
        except TimeoutError:
            return _Ended(
                "timed out", seconds, f"took longer than its {trial.timeout:g} s; raise the budget's timeout."
            )
        except ProcessExpired as error:
            if grown:
                limit = f"{self._limit / 2**30:.1f} GiB"
                return _Ended("out of memory", seconds, f"held more than the limit of {limit}; see --memory.")
            code = error.exitcode
            if code == -signal.SIGKILL:
                return _Ended(
                    "out of memory",
                    seconds,
                    "the system killed the process, as it does when memory runs out.",
                )
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            return _Ended("failed", seconds, f"the trial ended its own process ({how}).")
        except Exception as error:  # noqa: BLE001 - the worker could not start: the run says why
            return _Ended("failed", seconds, f"{type(error).__name__}: {error}", traceback.format_exc())

    def _left(self) -> bool:
        """Whether the trial's process ended as if all was well, and another took its place.

        The pool tells of any other end by itself.
        """
        return self._state[RUNS_IN] not in (0, self._state[PROCESS])

    def _held(self) -> int:
        try:
            return (
                int(psutil.Process(int(self._state[PROCESS])).memory_info().rss)
                if self._state[PROCESS]
                else 0
            )
        except psutil.Error:
            return 0

    def _kill(self) -> None:
        with contextlib.suppress(psutil.Error):
            psutil.Process(int(self._state[PROCESS])).kill()


def _read(lines: TextIO) -> Iterator[Measurement | Artifact]:
    for line in lines:
        if not line.endswith("\n"):  # the last line of a killed trial may be torn
            continue
        match json.loads(line):
            case [metric, value, split, step]:
                yield Measurement(metric, value, split, step)
            case {"name": name, "media": media, "data": data}:
                yield Artifact(name, media, base64.b64decode(data))


def rest(workers: Iterable[Worker]) -> None:
    """Wait until a trial of one of the workers ends, but not for long."""
    running = [worker._running for worker in workers if worker._running is not None]
    if running:
        wait_for(running, timeout=GRACE_SECONDS, return_when=FIRST_COMPLETED)


@contextlib.contextmanager
def interrupts_blocked() -> Iterator[None]:
    """A process started in here never sees Ctrl-C."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def memory_limit(share: float = 0.8) -> int:
    """A share of the machine's memory, in bytes."""
    return int(psutil.virtual_memory().total * share)
