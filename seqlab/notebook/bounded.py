"""How is a page kept from ending or holding up the command that reads it?

Reading is running its top level. What a page does in its trials is no concern here: they have a process of
their own.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from seqlab.errors import UsageError

MOST_SECONDS = 60.0  # to read a page: importing all of MLX and the lab takes one


@contextmanager
def bounded(name: str, seconds: float = MOST_SECONDS) -> Iterator[None]:
    """Within it, running longer and `os._exit` raise a `UsageError` that names the page.

    Only the main thread can be interrupted, and only in Python: a library that hangs still does.
    """

    def late(number: int, frame: FrameType | None) -> NoReturn:
        raise UsageError(
            f"{name} was not read within {seconds:g} s. Move what takes so long from its top level into run."
        )

    def exits(status: int) -> NoReturn:
        raise UsageError(f"{name} ends the process while it is read (os._exit({status})). Remove that.")

    exit_before = os._exit
    os._exit = exits
    alarm = threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGALRM")
    if alarm:
        before = signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        os._exit = exit_before
        if alarm:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before)
