"""How does a campaign run hundreds of commands in minutes? In forks of a process that has their modules.

A fork has a session of its own, so that it and its workers can be watched and ended together.
"""

import os
import signal
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

PATIENCE = 600.0  # seconds for a command on a loaded machine
# Of a forked child that never became a command, so that no exit status of a command means it.
NO_COMMAND = 99


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    status: int  # below 0: the signal that ended it
    output: str
    errors: str

    def wrong(self, *allowed: int) -> list[str]:
        """What no command may do: end otherwise than with one of these statuses, or show a traceback."""
        found = [] if self.status in allowed else [f"exit {self.status}: {self.errors.strip()[-300:]}"]
        if "Traceback" in self.errors or "Traceback" in self.output:
            found.append(f"a traceback: ...{self.errors.strip()[-500:]}")
        return found


def preload() -> None:
    """Import what commands import, and no more threads than they have at their beginning."""
    from seqlab.machine import blas

    blas.load()
    import seqlab.commands
    import seqlab.document.compose
    import seqlab.document.terminal
    import seqlab.engines.culprits
    import seqlab.engines.prose
    import seqlab.notebook.discover
    import seqlab.pipeline
    import seqlab.reference.stored
    import seqlab.running.calibrate
    import seqlab.running.progress
    import seqlab.running.worker
    import seqlab.store.export  # noqa: F401


def _temporary(folder: Path) -> Path:
    """The campaign's own folder for temporary files."""
    made = folder / "temporary"
    made.mkdir(exist_ok=True)
    return made


class Command:
    """A command that runs: `python -m seqlab` with these arguments, without the seconds of a new Python.

    `prepare` is called in the new process before it begins; `variables` are added to the environment.
    """

    def __init__(
        self,
        *arguments: str,
        folder: Path,
        prepare: Callable[[], object] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._printed = folder / "stdout", folder / "stderr"
        for path in self._printed:
            path.write_bytes(b"")
        sys.stdout.flush()
        self.process = os.fork()
        if self.process == 0:
            status = NO_COMMAND
            try:
                status = self._begin(
                    arguments, prepare, {"TMPDIR": str(_temporary(folder)), **(variables or {})}
                )
            finally:
                os._exit(status)

    def _begin(
        self, arguments: tuple[str, ...], prepare: Callable[[], object] | None, variables: Mapping[str, str]
    ) -> int:
        os.setsid()
        for number, path in enumerate(self._printed, start=1):
            file = os.open(path, os.O_WRONLY | os.O_APPEND)
            os.dup2(file, number)
            os.close(file)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]
        os.environ.update(variables)
        tempfile.tempdir = None  # asked for anew: what a fault does to temporary files must harm nobody else
        sys.argv = ["seqlab", *arguments]
        sys.modules["__main__"] = types.ModuleType("__main__")  # workers must not import the campaign
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        try:
            if prepare:
                prepare()
            from seqlab.__main__ import command

            status = command()
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else int(left.code is not None)
        except BaseException:  # noqa: BLE001 - as Python would show it
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        return status

    def errors(self) -> str:
        """What it has printed to standard error so far."""
        return self._printed[1].read_text(encoding="utf-8", errors="replace")

    def children(self) -> list[psutil.Process]:
        """The processes that it has started and that run now."""
        try:
            return psutil.Process(self.process).children(recursive=True)
        except psutil.Error:
            return []

    def end(self, *, patience: float = PATIENCE) -> Done:
        """Wait for its end; one that takes too long is ended, with status -9."""
        until, status = time.monotonic() + patience, None
        while status is None:
            found, how = os.waitpid(self.process, os.WNOHANG)
            if found:
                status = os.waitstatus_to_exitcode(how)
            elif time.monotonic() > until:
                self.kill()
            else:
                time.sleep(0.005)
        output, errors = (path.read_text(encoding="utf-8", errors="replace") for path in self._printed)
        return Done(status, output, errors)

    def kill(self) -> None:
        """End it and all of its session."""
        os.killpg(self.process, signal.SIGKILL)

    def left(self, *, patience: float = 60.0) -> list[int]:
        """The processes of its session that outlive it by so many seconds, which are ended then."""
        until = time.monotonic() + patience
        while found := _of_session(self.process):
            if time.monotonic() > until:
                for number in found:
                    os.kill(number, signal.SIGKILL)
                return found
            time.sleep(0.02)
        return []


def seqlab(
    *arguments: str,
    folder: Path,
    prepare: Callable[[], object] | None = None,
    variables: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
) -> Done:
    """Run a command to its end."""
    command = Command(*arguments, folder=folder, prepare=prepare, variables=variables)
    done = command.end(patience=patience)
    command.left(patience=0.0)
    return done


def _of_session(session: int) -> list[int]:
    found = []
    for one in psutil.process_iter():
        try:
            if os.getsid(one.pid) == session and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
        except (OSError, psutil.Error):
            continue
    return found
