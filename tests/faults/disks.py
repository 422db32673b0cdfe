"""What does a command do where it can write little, or nothing, or where something odd lies in its way?

Disks of some kB, limits on files, folders and files without permission, links, pipes. A command that cannot
go on says so in a line or two; once the cause is gone, the same command completes.
"""

import ctypes
import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tests.faults.campaign import Campaign, Case
from tests.faults.commands import seqlab
from tests.faults.kills import whole_documents
from tests.project import CALM, make

KIB = 1024
SIZES = (16, 32, 64, 96, 128, 160, 256, 512, 700, 1_000, 2_000, 4_000)  # kB
MADE = (  # in the results folder
    "seqlab.db",
    "report.html",
    "report.pdf",
    "report",
    ".lock",
    "checkpoints",
    ".fingerprints.json",
    ".report-time",
    "seqlab.db-wal",
    "report/report.qmd",
)
MODES = (
    ("", 0o555),
    ("results", 0o555),
    ("results", 0),
    ("results/seqlab.db", 0o444),
    ("results/seqlab.db", 0),
    ("results/report", 0o555),
    ("results/report.html", 0),
    ("experiments", 0o555),
    ("experiments", 0),
    ("experiments/calm.py", 0),
    ("report", 0),
    ("report/claims.toml", 0),
)
HOMELESS = (("HOME", "/nowhere"), ("XDG_CACHE_HOME", ""))
PATIENCE = 240.0  # seconds: what waits for a pipe does so for ever
MOST_LINES = 3  # of a message, beside progress
# That let root write, read and own whatever it likes.
DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER = 1, 2, 3


@dataclass(frozen=True)
class Trouble:
    """What is in the way, from `begin` to its end, and what the process itself is denied."""

    name: str
    begin: Callable[[Path], "Iterator[None]"] = field(default=lambda root: iter([None]))
    deny: Callable[[], None] = field(default=lambda: None)
    variables: Sequence[tuple[str, str]] = ()
    harmless: bool = False  # the command has to succeed nevertheless
    mute: bool = False  # it cannot say what it could not print


class Disks(Campaign):
    """Troubles of the file system, over a project with and without results."""

    COUNT: ClassVar[int] = 59

    def prepare(self) -> None:
        """A project, and what it has once it was reported."""
        self.root = make(self.folder / "project", calm=CALM)
        done = seqlab(*self._report(), folder=self.folder)
        assert done.status == 0, done.errors
        self.reported = self.folder / "reported"
        shutil.copytree(self.root / "results", self.reported, symlinks=True)

    def case(self, number: int, rng: random.Random) -> Case:
        """Report in spite of one trouble, then once more without it."""
        troubles = self._troubles(rng)
        trouble = troubles[number % len(troubles)]
        results, stored = self.root / "results", rng.random() < 0.5
        shutil.rmtree(results, ignore_errors=True)
        if stored:
            shutil.copytree(self.reported, results)
            (results / "report.pdf").unlink()
        asked = rng.choice([self._report(), (*self._report(), "--seed", "7"), ("run", "calm")])
        asked = (*asked, "--root", str(self.root)) if "--root" not in asked else asked

        with contextmanager(trouble.begin)(self.root):
            done = seqlab(
                *asked,
                folder=self.folder,
                prepare=trouble.deny,
                variables=dict(trouble.variables),
                patience=PATIENCE,
            )
        wrong = done.wrong(0, int(trouble.mute)) if trouble.harmless else done.wrong(0, 1, 2, 3, 4)
        said = [line for line in done.errors.splitlines() if not line.startswith(("[", "  "))]
        if len(said) > MOST_LINES:
            wrong.append(f"it says {len(said)} lines: {said}")
        if done.status and not said and not trouble.mute:
            wrong.append(f"exit {done.status} without a word")
        again = seqlab(*self._report(), folder=self.folder)
        wrong += [f"afterwards: {one}" for one in again.wrong(0)]
        wrong += [f"afterwards: {one}" for one in whole_documents(results)]
        what = f"{trouble.name}, {'after' if stored else 'before'} a report, {' '.join(asked[:-2])}"
        return Case(what, wrong, {f"exit {done.status}": 1})

    def _report(self) -> tuple[str, ...]:
        return "report", "--engine", "embedded", "--root", str(self.root)

    def _troubles(self, rng: random.Random) -> list[Trouble]:
        size = rng.choice(SIZES) * KIB + rng.randrange(KIB)
        found = [
            Trouble(f"files of at most {size} bytes", deny=lambda: limit(resource.RLIMIT_FSIZE, size)),
            Trouble("20 open files", deny=lambda: limit(resource.RLIMIT_NOFILE, 20)),
            Trouble("40 open files", deny=lambda: limit(resource.RLIMIT_NOFILE, 40)),
            Trouble("nothing to print to", deny=lambda: onto("/dev/full", 1, 2), harmless=True, mute=True),
            Trouble("a full standard error", deny=lambda: onto("/dev/full", 2), harmless=True),
            Trouble("closed streams", deny=lambda: os.closerange(0, 3), harmless=True, mute=True),
            Trouble("a temporary folder that is gone", variables=[("TMPDIR", "/nowhere")], harmless=True),
            Trouble("a cache folder that is a file", variables=[("XDG_CACHE_HOME", __file__)], harmless=True),
            Trouble("a home that is gone", variables=HOMELESS, harmless=True),
            Trouble("results is a file", in_the_way("results", "file")),
            Trouble("results is a link to nothing", in_the_way("results", "link")),
            Trouble("results is a link to itself", in_the_way("results", "loop")),
            Trouble("results is a link to a folder", in_the_way("results", "folder link"), harmless=True),
            Trouble("results is a pipe", in_the_way("results", "pipe")),
        ]
        found += [
            Trouble(f"results/{name} is a {kind}", in_the_way(f"results/{name}", kind))
            for name in MADE
            for kind in rng.sample(("file", "folder", "pipe", "link", "loop"), 2)
        ]
        found += [
            Trouble("the ledger is a pipe", in_the_way("report/claims.toml", "pipe")),
            Trouble("a page is a pipe", in_the_way("experiments/calm.py", "pipe")),
            Trouble("a page is a folder", in_the_way("experiments/calm.py", "folder")),
            Trouble("a theme is a folder", in_the_way("report/theme/charts.css", "folder")),
        ]
        found += [
            Trouble(f"{name or 'the root'} has mode {mode:03o}", with_mode(name, mode), without_privileges)
            for name, mode in MODES
        ]
        if can_mount():
            found += [
                Trouble(f"a disk of {kib} kB", small_disk(kib)) for kib in (16, 64, 150, 300, 700, 1_500)
            ]
            found += [
                Trouble("a disk without files", small_disk(4_000, "nr_inodes=3")),
                Trouble("a disk to read", small_disk(8_000, "ro")),
                Trouble("a disk without programs", small_disk(8_000, "noexec"), harmless=True),
            ]
        return found


def limit(what: int, most: int) -> None:
    """Let the process have no more of it."""
    resource.setrlimit(what, (most, most))


def onto(path: str, *numbers: int) -> None:
    """Let these streams of the process write to a file."""
    file = os.open(path, os.O_WRONLY)
    for number in numbers:
        os.dup2(file, number)


def without_privileges() -> None:
    """Let the permissions of files hold for root too, here and in what it starts."""
    if os.getuid():
        return
    library = ctypes.CDLL(None, use_errno=True)
    drop, version = 24, 0x20080522  # PR_CAPBSET_DROP, _LINUX_CAPABILITY_VERSION_3
    taken = (DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER)
    for one in taken:
        library.prctl(drop, one, 0, 0, 0)
    head, sets = (ctypes.c_uint32 * 2)(version, 0), (ctypes.c_uint32 * 6)()
    library.capget(head, sets)
    for place in (0, 1):  # effective, permitted
        sets[place] &= ~sum(1 << one for one in taken)
    library.capset(head, sets)


def can_mount() -> bool:
    """Whether small disks can be made here."""
    return os.getuid() == 0 and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


def small_disk(kib: int, *options: str) -> Callable[[Path], Iterator[None]]:
    """A file system of some kB for the results; what was there before comes back."""

    def begin(root: Path) -> Iterator[None]:
        results, aside = root / "results", root / "aside"
        results.mkdir(exist_ok=True)
        content = aside if any(results.iterdir()) else None
        if content:
            results.rename(aside)
            results.mkdir()
        asked = ",".join([f"size={kib}k", *(one for one in options if one != "ro")])
        subprocess.run(["mount", "-t", "tmpfs", "-o", asked, "tmpfs", str(results)], check=True)
        try:
            if content:
                subprocess.run(["cp", "-a", f"{aside}/.", str(results)], check=False, capture_output=True)
            if "ro" in options:
                subprocess.run(["mount", "-o", "remount,ro", str(results)], check=True)
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(results)], check=True)
            if content:
                results.rmdir()
                aside.rename(results)

    return begin


def with_mode(name: str, mode: int) -> Callable[[Path], Iterator[None]]:
    """Other permissions for a file or folder of the project, if it is there."""

    def begin(root: Path) -> Iterator[None]:
        path = root / name
        if not path.exists():
            yield
            return
        before = path.stat().st_mode
        path.chmod(mode)
        try:
            yield
        finally:
            path.chmod(before)

    return begin


def in_the_way(name: str, kind: str) -> Callable[[Path], Iterator[None]]:
    """Something else in the place of a file or folder of the project; what was there comes back."""

    def begin(root: Path) -> Iterator[None]:
        path, aside = root / name, root / "aside"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.rename(aside)
        elsewhere = root / "elsewhere"
        match kind:
            case "file":
                path.write_text("something else")
            case "folder":
                (path / "inside").mkdir(parents=True)
            case "pipe":
                os.mkfifo(path)
            case "link":
                path.symlink_to("/nowhere/at/all")
            case "loop":
                path.symlink_to(path.name)
            case "folder link":
                elsewhere.mkdir()
                path.symlink_to(elsewhere)
        try:
            yield
        finally:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            if aside.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                aside.rename(path)
            shutil.rmtree(elsewhere, ignore_errors=True)

    return begin
