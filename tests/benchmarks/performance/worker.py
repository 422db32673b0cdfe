"""How does each contender compute in a process of its own, while one process asks them in turn?

In one process they would not be themselves: the OpenBLAS that Seqlab opens for MLX defines `sgemm_` for
the whole process, and PyTorch, which exports its own, would call that one.
"""

import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import numpy as np

from seqlab.machine import blas
from seqlab.machine.settings import Settings
from tests.benchmarks.performance.cases import Case, Contender, Weights
from tests.benchmarks.performance.job import Job
from tests.benchmarks.performance.rows import Profile


@dataclass(frozen=True)
class Ready:
    """A case that a worker has prepared: what its first step gave, and how long that took, in seconds.

    `gradient` is the norm of a training's first gradient over all matrices.
    """

    outcome: np.ndarray
    gradient: float
    first_seconds: float
    weights: Weights


def serve(connection: Connection, contender: Contender, settings: Settings) -> None:
    """The worker: prepare cases, take steps, weigh them, until told None."""
    if contender.library == "pytorch":
        import torch

        torch.set_num_threads(settings.blas_threads or 1)
    else:
        assert "mlx.core" not in sys.modules, "the BLAS comes first, and each import may bring MLX"
        blas.load()
        from seqlab.machine import device

        device.use("cpu", settings)
    library = import_module(f"tests.benchmarks.performance.{contender.library}")
    job: Job | None = None
    while (order := connection.recv()) is not None:
        match order:
            case "prepare", case, weights:
                job = None  # let go of the last case's memory first
                gc.collect()
                job = library.prepare(case, contender, weights)
                job.reset()
                begin = time.perf_counter()
                outcome = job.step()
                took = time.perf_counter() - begin
                connection.send(Ready(outcome, job.gradient(), took, job.weights))
            case "times", steps:
                connection.send([seconds(job) for _ in range(steps)])
            case ("peak",):
                connection.send(job.peak())
            case "profile", case:
                primitives = import_module("tests.benchmarks.performance.primitives")
                connection.send(primitives.profile(case))


def seconds(job: Job) -> float:
    """The time of one step, or of one of its equal parts."""
    job.reset()
    gc.disable()  # a collection of Python's garbage is not part of the step
    try:
        begin = time.perf_counter()
        job.step()
        return (time.perf_counter() - begin) / job.parts
    finally:
        gc.enable()


class Worker:
    """The asking end. Where compiled kernels are kept, MLX finds none of an earlier run: a cold start."""

    def __init__(self, contender: Contender, settings: Settings) -> None:
        self.contender = contender
        self._kernels = tempfile.TemporaryDirectory(prefix="seqlab-kernels-")
        context = get_context("spawn")  # threads of a library do not survive a fork
        self._connection, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, contender, settings), daemon=True)
        with environment(TMPDIR=self._kernels.name):
            self._process.start()
        other.close()

    def prepare(self, case: Case, weights: Weights | None) -> Ready:
        """Build the case and take its first step."""
        ready: Ready = self._ask("prepare", case, weights)
        return ready

    def times(self, steps: int) -> list[float]:
        """Seconds of each of so many steps."""
        times: list[float] = self._ask("times", steps)
        return times

    def peak(self) -> int:
        """The most bytes that a step holds, by the count of the library's own allocator."""
        peak: int = self._ask("peak")
        return peak

    def profile(self, case: Case) -> Profile:
        """Take our eager training step apart; see `primitives`."""
        profile: Profile = self._ask("profile", case)
        return profile

    def _ask(self, *order: Any) -> Any:
        try:
            self._connection.send(order)
            return self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            raise RuntimeError(
                f"{self.contender.name}: its process ended (exit status {self._process.exitcode}); see above."
            ) from None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._kernels.cleanup()


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set environment variables, and put back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
