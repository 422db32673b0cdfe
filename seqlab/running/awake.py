"""How is a Mac kept from falling asleep while trials run? Sleep would time them out."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from shutil import which


@contextmanager
def awake() -> Iterator[None]:
    """On a Mac, no sleep for lack of input inside the `with` block, nor after a kill of this process."""
    program = which("caffeinate") if sys.platform == "darwin" else None
    if program is None:
        yield
        return
    try:
        # -w: it ends by itself when this process does, however that ends
        held = subprocess.Popen([program, "-i", "-w", str(os.getpid())], stdin=subprocess.DEVNULL)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        held.terminate()
        with suppress(subprocess.TimeoutExpired):
            held.wait(timeout=5)
