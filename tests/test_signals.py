"""Does a command that is told to end do so cleanly, at any moment?"""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.project import CALM, HERE, SEQLAB, make

# Sends itself a signal while the modules of the command line load.
WHILE_LOADING = """
import os, runpy, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "seqlab.errors":
            os.kill(os.getpid(), {number})

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
sys.argv = ["seqlab", "list"]
runpy.run_module("seqlab", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_while_modules_load_it_ends_with_one_line(number: signal.Signals) -> None:
    code = WHILE_LOADING.format(number=int(number))
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "seqlab: interrupted before anything began.\n"


def test_the_cursor_comes_back_on_a_terminal(tmp_path: Path) -> None:
    make(tmp_path, calm=CALM)
    ours, theirs = pty.openpty()
    command = [*SEQLAB, "run", "calm", "--set", "pause=60", "--root", str(tmp_path)]
    process = subprocess.Popen(
        command, cwd=HERE, stdout=subprocess.DEVNULL, stderr=theirs, env=os.environ | {"TERM": "xterm"}
    )
    os.close(theirs)
    shown, until = b"", time.monotonic() + 120
    while b"\x1b[?25l" not in shown and time.monotonic() < until:
        shown += os.read(ours, 1000)
    process.send_signal(signal.SIGTERM)
    while True:
        try:
            more = os.read(ours, 1000)
        except OSError:  # it is closed
            break
        if not more:
            break
        shown += more
    assert process.wait(timeout=60) == 130
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")
    assert b"interrupted. Finished trials are stored" in shown


def test_a_user_whom_the_system_does_not_know_has_a_cache_all_the_same(tmp_path: Path) -> None:
    """Without HOME and without an entry in passwd, as in some containers."""
    make(tmp_path, calm=CALM)
    code = """
import os, runpy, sys
os.path.expanduser = lambda path: path
sys.argv = ["seqlab", "run", "calm", "--dry-run", "--root", sys.argv[1]]
runpy.run_module("seqlab", run_name="__main__", alter_sys=True)
"""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=HERE, capture_output=True, text=True, check=False,
        env=environment | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "10 trials are due." in done.stdout
