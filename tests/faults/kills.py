"""What is lost when the command, its worker or all of it is killed at any moment? Nothing that was finished.

A case kills the same command four times and then lets it end. Between, what it told as finished must be in
the store, nothing stored may go, the store must pass its own checks and no process may be left over; in the
end every trial must have one good run, and what killed commands left in the temporary folder must be gone.
"""

import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psutil

from seqlab.errors import SeqlabError
from seqlab.store.connection import connect
from seqlab.store.database import Store
from tests.faults.campaign import Campaign, Case
from tests.faults.commands import Command
from tests.project import CALM, SHOWING, make

KILLS = 4  # in one case
SLEEPING = CALM.replace('"pause": 0.0', '"pause": 0.1').replace("C38", "C41")
WRITING = SHOWING.replace('"smoke"', '"quick"').replace("range(40)", "range(40_000)")
TOLD = re.compile(r"^\[\d+/\d+.*?\] (.*?): ok, ", re.MULTILINE)
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LEFT_OVER = "seqlab-running-*"


class Kills(Campaign):
    """Kills, four to a case."""

    COUNT: ClassVar[int] = 200

    def prepare(self) -> None:
        """Run the command once without disturbing it, to know how long it takes and what it stores."""
        self.root = make(self.folder / "project", calm=CALM, sleeping=SLEEPING, writing=WRITING)
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir()
        self.seconds = dict[str, float]()
        for name in ("run", "report"):
            began = time.monotonic()
            done = self._command(name).end()
            assert done.status == 0, done.errors
            self.seconds[name] = time.monotonic() - began
            with Store(self.root / "results" / "seqlab.db") as store:
                self.planned = set(_good(store))
            shutil.rmtree(self.root / "results")

    def case(self, number: int, rng: random.Random) -> Case:
        """Kill the command at random moments, then let it end."""
        shutil.rmtree(self.root / "results", ignore_errors=True)
        name, said, wrong = rng.choice(["run", "report"]), [], []
        told, runs = 0, set[str]()
        for _ in range(KILLS):
            how, moment = self._killed(name, rng, wrong)
            said.append(f"{how} {moment}")
            finished = TOLD.findall(self.errors)
            told += len(finished)
            wrong += self._checked(finished, runs)
        wrong += self._ended(name, runs)
        return Case(
            f"{name} with {', '.join(said)}", wrong, {"tried": KILLS, "trials told as finished": told}
        )

    def _command(self, name: str) -> Command:
        arguments = (
            ["run", "calm", "sleeping", "writing"] if name == "run" else ["report", "--engine", "embedded"]
        )
        variables = {"TMPDIR": str(self.temporary)}
        return Command(*arguments, "--root", str(self.root), folder=self.folder, variables=variables)

    def _killed(self, name: str, rng: random.Random, wrong: list[str]) -> tuple[str, str]:
        """Run the command and kill it, or what it started; returns how and when."""
        how = rng.choice(["command", "command", "worker", "all", "signal"])
        lines, share = rng.randrange(20), rng.random()
        by_line, signal_of = rng.random() < 0.5, rng.choice(ASKING)
        command = self._command(name)
        if by_line:  # soon after a trial has ended
            moment = f"after line {lines}"
            _until(lambda: command.errors().count("\n") >= lines or not _runs(command.process), seconds=120)
            time.sleep(0.1 * share)
        else:
            moment = f"at {share:.0%}"
            time.sleep(share * self.seconds[name])
        if how == "worker":
            for child in command.children():
                if "spawn_main" in " ".join(_words(child)):
                    child.kill()
        elif how == "all":
            command.kill()
        elif how == "command":
            os.kill(command.process, signal.SIGKILL)
        else:
            os.kill(command.process, signal_of)
            how = signal_of.name
        done = command.end()
        self.errors = done.errors
        allowed = {"worker": (0, 1)}.get(how, (0, -9) if how in ("all", "command") else (0, 130))
        wrong += done.wrong(*allowed)
        if left := command.left():
            wrong.append(f"{len(left)} processes were left over")
        return how, moment

    def _checked(self, finished: list[str], runs: set[str]) -> list[str]:
        """What is wrong with the store; `runs` are those stored before, and become those stored now."""
        if not (self.root / "results" / "seqlab.db").exists():
            return [f"lost: {finished}, and {len(runs)} runs"] if finished or runs else []
        copy = self.folder / "copy"  # so that looking at it mends nothing
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for path in (self.root / "results").glob("seqlab.db*"):
            shutil.copy(path, copy)
        wrong = []
        try:
            connect(copy / "seqlab.db", strict=True)[0].close()
            with Store(copy / "seqlab.db") as store:
                wrong += store.rules_changed_afterwards()
                wrong += [] if (whole := store.rows("PRAGMA integrity_check")) == [("ok",)] else [repr(whole)]
                now = {row[0] for row in store.rows("SELECT uid FROM run")}
                good = _good(store)
        except SeqlabError as error:
            return [str(error)]
        wrong += [f"told as finished, and lost: {label}" for label in finished if label not in good]
        wrong += [f"ran twice: {label}" for label in good if good.count(label) > 1]
        wrong += [f"{len(runs - now)} stored runs are gone"] if runs - now else []
        runs |= now
        return wrong

    def _ended(self, name: str, runs: set[str]) -> list[str]:
        """What is wrong once the command was allowed to end."""
        past = time.time() - 3600
        for left in self.temporary.glob(LEFT_OVER):
            os.utime(left, (past, past))
        done = self._command(name).end()
        wrong = done.wrong(0) + self._checked(TOLD.findall(done.errors), runs)
        with Store(self.root / "results" / "seqlab.db") as store:
            missing = self.planned - set(_good(store))
        wrong += [f"never ran: {sorted(missing)}"] if missing else []
        if name == "report":
            wrong += whole_documents(self.root / "results")
        if left := [path.name for path in self.temporary.iterdir()]:
            wrong.append(f"left in the temporary folder: {left}")
        shutil.rmtree(self.temporary)
        self.temporary.mkdir()
        return wrong


def whole_documents(results: Path) -> list[str]:
    """What is wrong with the report's two files."""
    found = []
    for name, end in (("report.html", b"</html>"), ("report.pdf", b"%%EOF")):
        path = results / name
        if not path.is_file():
            found.append(f"there is no {name}")
        elif not path.read_bytes().rstrip().endswith(end):
            found.append(f"{name} is not whole")
    return found


def _good(store: Store) -> list[str]:
    """The label of each good run."""
    label = "experiment || ': model=' || json_extract(factors, '$.model') || ', seed ' || seed"
    return [row[0] for row in store.rows(f"SELECT {label} FROM run WHERE status = 'ok'")]


def _until(true: Callable[[], bool], *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.005)


def _runs(process: int) -> bool:
    return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE


def _words(child: psutil.Process) -> list[str]:
    try:
        return child.cmdline()
    except psutil.Error:
        return []
