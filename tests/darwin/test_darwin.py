"""Does a report come out on a Mac, as far as the platform goes, and what do its runs say of the machine?"""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.darwin import simulated
from tests.project import CALM, make

TWINS = "the name is taken by Calm.py, which differs only in case. Rename one."
# What a page of the lab may ask of the platform, and how many files a process may open.
ASKS = CALM.replace(
    "def run(trial):\n",
    """def run(trial):
    import os, platform, resource, sys
    assert (sys.platform, platform.machine(), hasattr(os, "sched_getaffinity")) == ("darwin", "arm64", False)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 256
""",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A project with two pages whose names differ by case alone, and what reporting it said."""
    root = make(tmp_path_factory.mktemp("a mac"), Calm=ASKS, calm=ASKS)
    command = [sys.executable, "-m", "seqlab", "report", "--engine", "embedded", "--jobs", "2"]
    done = subprocess.run(
        [*command, "--root", str(root)],
        env=simulated(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return root, done


def test_a_report_comes_out_and_only_the_second_of_two_pages_of_one_name_is_refused(
    project: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    root, done = project
    assert "Traceback" not in done.stderr
    assert done.returncode == 1, done.stderr
    assert (root / "results" / "report.pdf").is_file()
    assert TWINS in (root / "results" / "report.html").read_text()
    with sqlite3.connect(root / "results" / "seqlab.db") as store:
        runs = store.execute("SELECT experiment, status, error FROM run GROUP BY 1, 2").fetchall()
    assert runs == [("Calm", "ok", "")]


def test_its_runs_tell_of_the_mac_and_nothing_that_it_does_not_say(
    project: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    root, _ = project
    with sqlite3.connect(root / "results" / "seqlab.db") as store:
        ((text,),) = store.execute("SELECT json FROM provenance").fetchall()
    about = json.loads(text)
    assert about["system"] == "Darwin 24.5.0 arm64"
    assert (about["processor"], about["BLAS"]) == ("Apple M1", "Accelerate")
    assert (about["power source"], about["low power mode"]) == ("Battery Power", True)
    assert about["float32 products"] == "float32"
    assert not {"thermal state", "BLAS threads"} & about.keys()
