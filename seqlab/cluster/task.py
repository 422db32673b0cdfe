"""What does a Dask worker do for a command? It hands each question to a process of its own, and waits.

That process (`seqlab.cluster.bench`) is ended when Dask no longer wants the answer, as after the command was
killed, or when the trial is long overdue.
"""

import os
import subprocess
import sys
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Lock

import dask
from distributed import get_worker

from seqlab.cluster.words import Home, Job, Met, Terms
from seqlab.errors import WorkerError

POLL_SECONDS = 0.2  # between two looks at whether the answer is still wanted
GRACE_SECONDS = 120.0  # after a trial's own timeout: its process starts, loads the page and writes

START = "from seqlab.cluster.bench import main; main()"

_lock = Lock()
_bench: "_Bench | None" = None


class _Bench:
    """The process that runs trials, and the pipe to it."""

    def __init__(self) -> None:
        self.pipe, theirs = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(theirs.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=_environment(),
        )  # fmt: skip
        theirs.close()

    def kill(self) -> None:
        """End it; the trial's process ends with it."""
        self._process.kill()
        self._process.wait()
        self.pipe.close()


def ask(question: Terms | Job) -> Met | Home:
    """The answer of the process. Raises `WorkerError` where it dies or hangs."""
    global _bench
    seconds = question.trial.timeout + GRACE_SECONDS if isinstance(question, Job) else float("inf")
    with _lock:  # a Dask worker may have several threads, and we have one device
        _bench = _bench or _Bench()
        try:
            _bench.pipe.send(question)
            return _answer(_bench.pipe, time.monotonic() + seconds)
        except BaseException as error:
            _bench.kill()
            _bench = None
            if isinstance(error, EOFError | OSError):
                raise WorkerError("its process for trials ended by itself; see the worker's log.") from None
            raise


def _answer(pipe: Connection, until: float) -> Met | Home:
    worker = get_worker()
    key = worker.get_current_task()
    while not pipe.poll(POLL_SECONDS):
        task = worker.state.tasks.get(key)
        if task is None or task.state not in ("executing", "long-running"):
            raise WorkerError("the command no longer wants this trial.")
        if time.monotonic() > until:
            raise WorkerError("its process for trials hangs.")
    found: Met | Home = pipe.recv()
    return found


def _environment() -> dict[str, str]:
    """The worker's, without the limits on threads that its nanny set for Dask's own purposes."""
    nannys = {**dask.config.get("distributed.nanny.pre-spawn-environ", {})}
    return {name: text for name, text in os.environ.items() if text != str(nannys.get(name))}
