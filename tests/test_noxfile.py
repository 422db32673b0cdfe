"""Does the front door list every page, hand options on, and survive a machine without Quarto?"""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = ("noxfile.py", "pyproject.toml", "requirements.lock")


def nox(project: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Nox as a user would; stderr and stdout together."""
    return subprocess.run(
        [sys.executable, "-m", "nox", *arguments],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project), "NO_COLOR": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def sessions(project: Path) -> dict[str, str]:
    """What `nox -l` lists: descriptions by name."""
    listed = nox(project, "--list")
    assert listed.returncode == 0, listed.stdout
    lines = [line[2:].split(" -> ", 1) for line in listed.stdout.splitlines() if " -> " in line]
    return {name.partition(" [")[0]: description for name, description in lines}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose shared environment is up to date, with a `seqlab` that says what it was asked."""
    folder = tmp_path_factory.mktemp("project")
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    pages = folder / "experiments"
    pages.mkdir()
    (pages / "toy.py").write_text('"""Does a toy do?\n\nProse.\n"""\nimport nowhere\n')
    (pages / "broken.py").write_text("def run(:\n")
    (pages / "bare.py").write_text("x = 1\n")
    (pages / "tests.py").write_text('"""Has it the name of a session?"""\n')
    (pages / "_shared.py").write_text('"""Not a page."""\n')
    lab = folder / ".nox" / "lab"
    venv.create(lab, with_pip=False)
    inputs = b"\0".join([*((folder / name).read_bytes() for name in FILES[1:]), os.fsencode(folder)])
    for stamp in ("seqlab.stamp", "tools.stamp"):
        (lab / stamp).write_text(hashlib.sha256(inputs).hexdigest())
    for name in ("seqlab", "pytest"):
        program = lab / "bin" / name
        program.write_text('#!/bin/sh\necho "asked: $*${SEQLAB_TORCH:+ with PyTorch}"\n[ "$2" != broken ]\n')
        program.chmod(0o755)
    benchmarks = folder / "tests" / "benchmarks"
    benchmarks.mkdir(parents=True)
    (benchmarks / "performance.py").write_text(
        "import os, sys\nprint('timed:', *sys.argv[1:], 'with PyTorch' * bool(os.environ['SEQLAB_TORCH']))\n"
    )
    return folder


def test_every_page_has_a_session_described_by_its_docstring_without_being_imported(project: Path) -> None:
    listed = sessions(project)
    assert listed["toy"] == "Does a toy do?"
    assert "does not parse" in listed["broken"]
    assert "line 1" in listed["broken"]
    assert listed["bare"] == "(its page has no docstring)"
    assert "_shared" not in listed


def test_a_page_cannot_take_a_session_from_its_place(project: Path) -> None:
    listed = sessions(project)
    assert "pytest" in listed["tests"]
    assert listed["page-tests"] == "Has it the name of a session?"


def test_options_reach_the_command_line_unchanged(project: Path) -> None:
    done = nox(project, "-s", "toy", "page-tests", "--", "--seeds", "5", "--set", "note=two words")
    assert done.returncode == 0, done.stdout
    assert "asked: run toy --seeds 5 --set note=two words\n" in done.stdout
    assert "asked: run tests --seeds 5 --set note=two words\n" in done.stdout


def test_the_reference_has_a_results_folder_of_its_own(project: Path) -> None:
    done = nox(project, "-s", "reference", "--", "toy", "--hours", "2")
    assert "asked: reference --run --results results/reference toy --hours 2\n" in done.stdout


def test_all_tests_take_all_cores_and_chosen_ones_take_what_they_are_told(project: Path) -> None:
    assert "asked: --numprocesses=auto --dist=worksteal\n" in nox(project, "-s", "tests").stdout
    assert (
        "asked: tests/models -k gru\n"
        in nox(project, "-s", "tests", "--", "tests/models", "-k", "gru").stdout
    )


def test_a_reader_gets_no_tools_of_developers_and_a_moved_project_is_installed_anew(
    project: Path, tmp_path: Path
) -> None:
    lab = project / ".nox" / "lab"
    kept = (lab / "tools.stamp").read_text()
    (lab / "tools.stamp").unlink()
    try:
        assert nox(project, "-s", "toy").returncode == 0
        done = nox(project, "-R", "-s", "tests")  # -R installs nothing
        assert "Adding the tools of developers" in done.stdout
    finally:
        (lab / "tools.stamp").write_text(kept)
    (lab / "seqlab.stamp").write_text("of another folder")
    try:
        done = nox(project, "-R", "-s", "toy")
        assert "Installing the locked versions" in done.stdout
    finally:
        (lab / "seqlab.stamp").write_text(kept)


def test_a_failing_command_fails_its_session(project: Path) -> None:
    assert nox(project, "-s", "broken").returncode != 0


def test_report_tries_once_to_install_quarto_and_goes_on_without_it(project: Path) -> None:
    # Offline, so that the attempt fails whatever the network offers.
    without = {"PATH": str(project / "empty"), "UV_OFFLINE": "1", "UV_NO_CACHE": "1"}
    first = nox(project, "-s", "report", **without)
    assert first.returncode == 0, first.stdout
    assert "Quarto could not be installed" in first.stdout
    assert "Traceback" not in first.stdout
    assert "asked: report\n" in first.stdout
    again = nox(project, "-s", "report", **without)
    assert "asked: report\n" in again.stdout
    assert "Quarto" not in again.stdout


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (("--", "--engine", "embedded"), {}),
        ((), {"QUARTO_PATH": "/opt/quarto/bin/quarto"}),
        ((), {"SEQLAB_FETCH_QUARTO": "0"}),
    ],
)
def test_no_attempt_where_quarto_is_there_or_not_wanted(
    project: Path, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    (project / ".nox" / "lab" / "quarto-cli.log").unlink(missing_ok=True)
    environment = {"PATH": str(project / "empty"), "UV_OFFLINE": "1"} | environment
    done = nox(project, "-s", "report", *arguments, **environment)
    assert "asked: report" in done.stdout
    assert "Quarto" not in done.stdout


# Whatever pip there is, and whatever it is told elsewhere, it finds nothing.
NO_PACKAGES = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}


def test_bench_does_without_pytorch_where_it_cannot_be_had_and_parity_does_not(project: Path) -> None:
    done = nox(project, "-s", "bench", **NO_PACKAGES)
    assert done.returncode == 0, done.stdout
    assert "PyTorch could not be installed" in done.stdout
    assert "asked: tests/benchmarks --benchmark-only" in done.stdout
    assert "timed: \n" in done.stdout
    done = nox(project, "-s", "parity", **NO_PACKAGES)
    assert done.returncode != 0
    assert "These tests need PyTorch" in done.stdout
    assert "asked:" not in done.stdout


def test_pytorch_is_handed_over_once_it_is_installed(project: Path) -> None:
    torch = project / ".nox" / "torch"
    torch.mkdir()
    (group,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["torch"]
    python = (project / ".nox" / "lab" / "bin" / "python").resolve()
    (torch / "seqlab.stamp").write_text(f"{group} {python}")
    done = nox(project, "-s", "bench", "parity", "--", "--models", "LSTM", **NO_PACKAGES)
    assert done.returncode == 0, done.stdout
    assert "Installing" not in done.stdout
    assert "timed: --models LSTM with PyTorch\n" in done.stdout
    assert "--benchmark-only" not in done.stdout, "with options, the models alone"
    assert "asked: tests/parity --models LSTM with PyTorch\n" in done.stdout


def test_an_unknown_back_end_is_refused_by_name(project: Path) -> None:
    done = nox(project, "-s", "lab-rocm", SEQLAB_MLX="rocm")
    assert done.returncode != 0
    assert "SEQLAB_MLX must be cpu or cuda, found 'rocm'" in done.stdout


def test_the_lock_pins_what_every_session_needs_with_hashes_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    entries = [entry for entry in lock.replace(" \\\n", " ").splitlines() if not entry.startswith("#")]
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    pinned = {entry.partition("==")[0] for entry in entries}
    assert {"mlx-cpu", "mlx-metal", "mlx-cuda-13", "pandas", "pytest", "ruff", "mypy"} <= pinned
    assert "torch" not in pinned, "no user needs it"
    assert "://" not in lock
