"""Is what a killed command left removed by the next one, and nothing that another command is using?"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqlab.running import scratch

HOLD = """
import time
from seqlab.running import scratch
with scratch.folder() as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_goes_when_it_is_no_longer_needed(place: Path) -> None:
    with scratch.folder() as folder:
        (folder / "file").write_text("x")
        assert folder.parent == place
    assert not list(place.iterdir())


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "NEW_SECONDS", 0.0)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(place)},
    )
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    try:
        scratch.sweep()
        assert left.is_dir()
    finally:
        process.kill()
        process.communicate()
    scratch.sweep()
    assert not left.exists()


def test_files_without_a_lock_go_once_they_are_old(place: Path) -> None:
    new, old, kernels = (
        place / name for name in ("seqlab-new.jsonl", "seqlab-old.jsonl", "seqlab-kernels-x")
    )
    foreign = place / "other.jsonl"
    for path in (new, old, foreign):
        path.write_text("")
    kernels.mkdir()
    long_ago = time.time() - 3 * 86_400
    for path in (old, kernels, foreign):
        os.utime(path, (long_ago, long_ago))
    scratch.sweep()
    assert sorted(path.name for path in place.iterdir()) == ["other.jsonl", "seqlab-new.jsonl"]
