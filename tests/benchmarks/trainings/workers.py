"""How do as many single-threaded processes as there are cores train at once, of one library at a time?"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from seqlab.machine.settings import Settings
from tests.benchmarks.trainings.cases import Case, Described

LIBRARIES = ("ours", "pytorch")
WARM = 3  # steps before those that are timed: compilation, allocation


def serve(connection: Connection, library: str, settings: Settings) -> None:
    """Prepare cases and take steps for so many seconds, until told None."""
    if library == "pytorch":
        import torch

        torch.set_num_threads(1)
    else:
        assert "mlx.core" not in sys.modules, "the BLAS comes first, and each import may bring MLX"
        from seqlab.machine import blas

        blas.load()
        from seqlab.machine import device

        device.use("cpu", settings)
    module = import_module(f"tests.benchmarks.trainings.{library}")
    step: Callable[[], object] = lambda: None  # noqa: E731
    while (order := connection.recv()) is not None:
        match order:
            case "describe", case:
                connection.send(module.describe(case))
            case "prepare", case, described:
                step = module.prepare(case, described)
                for _ in range(WARM):
                    step()
                connection.send(None)
            case "train", seconds:
                taken, begin = 0, time.perf_counter()
                while (passed := time.perf_counter() - begin) < seconds:
                    step()
                    taken += 1
                connection.send(taken / passed)


class Team:
    """As many processes of a library as there are cores."""

    def __init__(self, library: str, size: int, settings: Settings) -> None:
        context = get_context("spawn")
        self.library = library
        self._connections: list[Connection] = []
        self._processes = []
        os.environ["OMP_NUM_THREADS"] = "1"  # inherited: no library takes a second core
        for _ in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, library, settings), daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)

    def describe(self, case: Case) -> Described:
        """By the first of them."""
        self._connections[0].send(("describe", case))
        found: Described = self._connections[0].recv()
        return found

    def prepare(self, case: Case, described: Described) -> None:
        """By all of them."""
        self._ask(("prepare", case, described))

    def steps_a_second(self, seconds: float) -> float:
        """Of all of them together, training side by side."""
        return float(sum(self._ask(("train", seconds))))

    def _ask(self, order: tuple[Any, ...]) -> Sequence[Any]:
        for connection in self._connections:
            connection.send(order)
        return [connection.recv() for connection in self._connections]

    def __enter__(self) -> "Team":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.send(None)
        for process in self._processes:
            process.join()
