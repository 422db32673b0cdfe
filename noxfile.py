#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2025.10.14"]
# ///
"""Seqlab's front door. Options after `--` go to the command that a session runs.

nox -s report                       run what is due, render the report
nox -s report -- --budget smoke     the same, quickly and coarsely
nox -s vit -- --seeds 5             one experiment, with five seeds
"""

# Sessions hold no logic: each passes its options to a tool. All use one environment, which the session `lab`
# keeps at the versions of requirements.lock. An environment for each would take a gigabyte each, and the
# tests would not see what the report sees. What only developers need is added when it is first asked for.

import ast
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "uv|virtualenv"

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
LOCK = ROOT / "requirements.lock"
GROUPS = ("build", "test", "lint", "types")
DEVELOPERS = GROUPS[1:]

# MLX's back ends for Linux install the same file, so each needs its own environment.
MLX = os.environ.get("SEQLAB_MLX", "cpu")
LAB = "lab" if MLX == "cpu" else f"lab-{MLX}"
TOOLS = LAB.replace("lab", "tools")

QUARTO_TIMEOUT = 180  # seconds: enough for some 150 MB on a usual connection
QUARTO_RETRY = 86_400  # seconds: after a failure, try again after a day


def program(session: nox.Session, name: str) -> str:
    """The path of a program in the shared environment."""
    return str(session.cache_dir.parent / LAB / "bin" / name)


def run(session: nox.Session, name: str, *arguments: str, **environment: str) -> None:
    """Run a program of the shared environment. After Ctrl-C wait for it, while it stores its results."""
    session.run(
        program(session, name),
        *arguments,
        env=environment,
        external=True,
        interrupt_timeout=None,
        terminate_timeout=None,
    )


def pages() -> Iterator[tuple[str, str]]:
    """Each experiment page's name and first docstring line, read without importing it."""
    for path in sorted((ROOT / "experiments").glob("[!_.]*.py")):
        try:
            text = ast.get_docstring(ast.parse(path.read_bytes(), path.name)) or "(its page has no docstring)"
        except (OSError, SyntaxError, ValueError) as error:
            text = f"(its page does not parse: {error})"
        yield path.stem, text.splitlines()[0]


@nox.session(venv_backend="none", requires=[LAB])
def report(session: nox.Session) -> None:
    """Run the experiments that are due and render the report as HTML and PDF (the default session)."""
    if not {"embedded", "--engine=embedded", "--dry-run", "--help", "-h"} & set(session.posargs):
        fetch_quarto(session)
    run(session, "seqlab", "report", *session.posargs)


@nox.session(venv_backend="none", requires=[LAB], default=False)
def reference(session: nox.Session) -> None:
    """Measure what report/reference/ is to hold, the learning pages' trainings (`-- vit --hours 2`)."""
    run(session, "seqlab", "reference", "--run", "--results", "results/reference", *session.posargs)


@nox.session(venv_backend="none", requires=[LAB], default=False)
def tune(session: nox.Session) -> None:
    """Try learning rates for every network of a page, into experiments/rates/ (`-- vit music`)."""
    run(session, "seqlab", "tune", "--results", "results/reference", *session.posargs)


@nox.session(venv_backend="none", requires=[LAB], default=False)
def atlas(session: nox.Session) -> None:
    """Measure which network is the fastest by length, width and batch, and draw maps (`-- --minutes 20`)."""
    run(session, "seqlab", "atlas", *session.posargs)


def add_page(page: str, title: str) -> None:
    """Add the session of one experiment page."""

    def session_of_page(session: nox.Session) -> None:
        run(session, "seqlab", "run", page, *session.posargs)

    session_of_page.__doc__ = title
    taken = {
        "report",
        "doctor",
        "tests",
        "lint",
        "types",
        "bench",
        "parity",
        "known",
        "lock",
        TOOLS,
        "simulate",
        "rehearsal",
        "faults",
        "reference",
        "tune",
        "atlas",
        LAB,
    }
    name = f"page-{page}" if page in taken else page
    nox.session(name=name, venv_backend="none", requires=[LAB], default=False, tags=["experiment"])(
        session_of_page
    )


for page, title in pages():
    add_page(page, title)


@nox.session(venv_backend="none", requires=[LAB], default=False)
def doctor(session: nox.Session) -> None:
    """Check this machine: back end, BLAS, settings, engines, data, store."""
    run(session, "seqlab", "doctor", *session.posargs)


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def tests(session: nox.Session) -> None:
    """Run the tests, all of them on all cores (pytest)."""
    run(session, "pytest", *(session.posargs or ("--numprocesses=auto", "--dist=worksteal")))


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def known(session: nox.Session) -> None:
    """Reproduce known results from the literature; takes minutes (pytest)."""
    run(session, "pytest", "tests/known", *session.posargs)


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def rehearsal(session: nox.Session) -> None:
    """Run trials of every page on a CPU whose MLX refuses what Metal refuses; takes minutes."""
    run(session, "python", "-m", "tests.rehearsal", *session.posargs)


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def faults(session: nox.Session) -> None:
    """Try to break it: kills, faults, edits, hostile files, bad disks; an hour (`-- kills --count 20`)."""
    run(session, "python", "-m", "tests.faults", *session.posargs)


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def simulate(session: nox.Session) -> None:
    """Judge simulated ledgers whose truth is known: how often are verdicts right? (a quarter of an hour)"""
    run(session, "python", "-m", "tests.simulation", *session.posargs)


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def lint(session: nox.Session) -> None:
    """Check style, formatting and imports between packages (ruff, import-linter)."""
    run(session, "ruff", "check", *session.posargs)
    run(session, "ruff", "format", "--check")
    run(session, "lint-imports", "--no-logo")


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def types(session: nox.Session) -> None:
    """Check types (mypy, strict)."""
    run(session, "mypy", *session.posargs)


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def bench(session: nox.Session) -> None:
    """Time Seqlab, then its models against PyTorch and mlx.nn; with options, only the models."""
    torch = fetch_torch(session) or ""
    if not session.posargs:
        table = "--benchmark-columns=min,median,max,rounds"
        run(session, "pytest", "tests/benchmarks", "--benchmark-only", table)
        if torch:
            run(session, "python", "-m", "tests.benchmarks.trainings", SEQLAB_TORCH=torch)
    run(session, "python", "-m", "tests.benchmarks.performance", *session.posargs, SEQLAB_TORCH=torch)


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def parity(session: nox.Session) -> None:
    """Compare outputs and gradients with PyTorch's (pytest)."""
    torch = fetch_torch(session) or session.error(
        "These tests need PyTorch, which could not be installed; no other tests do."
    )
    run(session, "pytest", "tests/parity", *session.posargs, SEQLAB_TORCH=torch)


@nox.session(venv_backend="none", requires=[TOOLS], default=False)
def lock(session: nox.Session) -> None:
    """Resolve the dependencies into requirements.lock (`-- --upgrade` for newer versions)."""
    run(
        session,
        "uv", "pip", "compile", "pyproject.toml", "--output-file", LOCK.name, "--quiet",
        "--universal",  # for every Python and platform, with markers where one version does not fit all
        "--generate-hashes", "--no-annotate", "--custom-compile-command", "nox -s lock",
        "--all-extras", *(f"--group={group}" for group in GROUPS), *session.posargs,
    )  # fmt: skip


@nox.session(name=LAB, reuse_venv=True, default=False)
def lab(session: nox.Session) -> None:
    """Install what all sessions need, at the locked versions (the other sessions run this one first)."""
    stamp = Path(session.virtualenv.location) / "seqlab.stamp"
    if is_stamped(stamp):
        return  # running the installer would take half a second, and a network
    if MLX not in ("cpu", "cuda"):
        session.error(f"SEQLAB_MLX must be cpu or cuda, found {MLX!r}. Unset it for cpu.")
    extras = PROJECT["project"]["optional-dependencies"]
    requirements = [
        *PROJECT["project"]["dependencies"],
        *extras[MLX],
        *extras["parquet"],  # here, so that the tests see the pandas that the report sees
        *nox.project.dependency_groups(PROJECT, "build"),
    ]
    session.log("Installing the locked versions; the first time, this downloads some 300 MB ...")
    # As constraints, the lock pins versions and hashes, and leaves the choice of back end to us.
    # Compile bytecode now, as pip does: where Python cannot write any, each import takes three times as long.
    session.install("-c", str(LOCK), *requirements, env={"UV_COMPILE_BYTECODE": "1"}, silent=False, log=False)
    session.install("--no-deps", "--no-build-isolation", "-e", str(ROOT), log=False)
    # As an install command, so that `nox -R`, which installs nothing, leaves no stamp.
    session.run_install("python", "-c", f"open({str(stamp)!r}, 'w').write({wanted()!r})", log=False)


@nox.session(name=TOOLS, venv_backend="none", requires=[LAB], default=False)
def tools(session: nox.Session) -> None:
    """Add what only developers need: tests, style, types (their sessions run this one first)."""
    stamp = session.cache_dir.parent / LAB / "tools.stamp"
    if is_stamped(stamp):
        return
    session.log("Adding the tools of developers to the environment ...")
    python = program(session, "python")
    session.run_install(
        sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, "-c", str(LOCK),
        *nox.project.dependency_groups(PROJECT, *DEVELOPERS), external=True, log=False,
    )  # fmt: skip
    session.run_install(
        python, "-c", f"open({str(stamp)!r}, 'w').write({wanted()!r})", external=True, log=False
    )


def wanted() -> str:
    """What an environment is made from: the versions, and where the project lies that it points to."""
    inputs = [path.read_bytes() for path in (ROOT / "pyproject.toml", LOCK)]
    return hashlib.sha256(b"\0".join([*inputs, os.fsencode(ROOT)])).hexdigest()


def is_stamped(stamp: Path) -> bool:
    """Whether the environment is made from what there is now."""
    try:
        return stamp.read_text() == wanted()
    except (OSError, UnicodeDecodeError):
        return False


def fetch_torch(session: nox.Session) -> str | None:
    """The folder of PyTorch, installed if missing; where that fails, None and a warning. No user needs it.

    It is installed by pip, which has its own settings: `PIP_INDEX_URL` may name an index of builds for the
    CPU only, a tenth as large as those for CUDA.
    """
    (requirement,) = nox.project.dependency_groups(PROJECT, "torch")
    folder, python = session.cache_dir.parent / "torch", program(session, "python")
    stamp, wanted = folder / "seqlab.stamp", f"{requirement} {Path(python).resolve()}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return str(folder)
    session.log(f"Installing {requirement} into {folder} ...")
    shutil.rmtree(folder, ignore_errors=True)
    log = folder.with_suffix(".log")
    command = [sys.executable, "-m", "pip", "--python", python]
    with log.open("wb") as output:
        installer = subprocess.run(
            [*command, "install", "--target", str(folder), requirement],
            stdout=output, stderr=output, check=False,
        )  # fmt: skip
    if installer.returncode == 0:
        stamp.write_text(wanted)
        return str(folder)
    session.warn(f"PyTorch could not be installed; see {log}.")
    return None


def fetch_quarto(session: nox.Session) -> None:
    """Where Quarto is not installed, try to install it, at most once a day, and log the result."""
    log = session.cache_dir.parent / LAB / "quarto-cli.log"
    beside = shutil.which(program(session, "quarto"))
    found = os.environ.get("QUARTO_PATH") or shutil.which("quarto") or beside
    tried = log.is_file() and time.time() - log.stat().st_mtime < QUARTO_RETRY
    if found or tried or os.environ.get("SEQLAB_FETCH_QUARTO") == "0":
        return
    session.log("Quarto is not installed: downloading some 150 MB (SEQLAB_FETCH_QUARTO=0 turns this off) ...")
    command = [sys.executable, "-m", "uv", "pip", "install", "--python", program(session, "python")]
    command += ["--no-deps", "-c", str(LOCK), *PROJECT["project"]["optional-dependencies"]["quarto"]]
    with log.open("wb") as output:
        # In a session of its own, so that all its processes can be ended together.
        installer = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            installer.wait(QUARTO_TIMEOUT)
        except subprocess.TimeoutExpired:
            output.write(f"stopped after {QUARTO_TIMEOUT} s\n".encode())
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(installer.pid, signal.SIGKILL)
    if installer.returncode == 0:
        session.log("Quarto is installed.")
    else:
        session.log(f"Quarto could not be installed, so the embedded engine renders the report; see {log}.")


if __name__ == "__main__":
    nox.main()
