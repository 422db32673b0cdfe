"""How does a command end when it is told to, by Ctrl-C, by `kill` or by a terminal that closes?

All three raise `KeyboardInterrupt` where the program stands, so that the display is put away, workers end and
what is stored stays whole. Before there is anything to put away, while modules load, they end it at once.
"""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

ASKING = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))
INTERRUPTED = 130  # the exit status
SHOW_CURSOR = "\x1b[?25h"


def end_at_once() -> None:
    """While modules load: end without a word of Python's. A signal that is ignored, as by nohup, stays so."""
    for number in ASKING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)


def interrupt() -> None:
    """From now on: raise `KeyboardInterrupt`."""
    for number in ASKING:
        if signal.getsignal(number) in (signal.SIG_DFL, _end):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else _interrupt)


def leave() -> NoReturn:
    """Exit at once, with the terminal's cursor shown: the display may have been interrupted as it began."""
    with suppress(OSError, ValueError):  # closed
        if sys.__stderr__ is not None:
            if sys.__stderr__.isatty():
                sys.__stderr__.write(SHOW_CURSOR)
            sys.__stderr__.flush()
    os._exit(INTERRUPTED)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"seqlab: interrupted before anything began.\n")
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for other in ASKING[1:]:  # a second one must not disturb the end; a second Ctrl-C may
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)
