"""Is a Mac kept awake exactly as long as trials run?"""

import os
import sys
import time
from pathlib import Path

import pytest

from seqlab.running import awake as module
from seqlab.running.awake import awake


def test_a_mac_is_kept_awake_inside_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    program = tmp_path / "caffeinate"
    program.write_text(f'#!/bin/sh\necho "$@" > "{told}"\nexec sleep 60\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(module, "which", lambda name: str(program))
    with awake():
        until = time.monotonic() + 30
        while not (told.is_file() and told.read_text()) and time.monotonic() < until:
            time.sleep(0.01)
    assert told.read_text().split() == ["-i", "-w", str(os.getpid())]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_without_the_program_nothing_happens(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(module, "which", lambda name: None)
    with awake():
        pass
