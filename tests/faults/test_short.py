"""Does nothing break in a few cases of each campaign? `nox -s faults` tries hundreds."""

import os
import subprocess
import sys

import pytest

from tests.project import HERE

# Cases that take little time, of different sorts. Edits have a test of their own, beside what they edit.
SHORT = [("kills", 0, 4), ("faults", 2, 2), ("hostile", 0, 2), ("disks", 0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "first", "count"), SHORT)
def test_a_few_cases_go_right(kind: str, first: int, count: int) -> None:
    command = [sys.executable, "-m", "tests.faults", kind, "--first", str(first), "--count", str(count)]
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, cwd=HERE, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kind}: {count} tried, 0 wrong" in done.stdout
