"""How is printing kept from failing a command? Measured numbers matter more than a line that nobody reads.

A full disk, a pipe whose reader has gone, a closed stream or a terminal of another encoding costs what would
have been printed, and no more.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


def visible(text: str) -> str:
    """The text with its control characters and lone surrogates as escapes: no terminal obeys it."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t\u00a0" else _escaped(letter) for letter in text
    )


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


class Unfailing:
    """A text stream whose writing never raises; `failed` is the first error, None for a pipe that closed."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.failed: OSError | ValueError | None = None
        self.encoding = getattr(stream, "encoding", None) or "utf-8"
        self.errors = "backslashreplace"

    def write(self, text: str) -> int:
        """Write what the encoding has; other characters as escapes."""
        if self._stream is not None:
            try:
                self._stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
            except (OSError, ValueError) as error:
                self._end(error)
        return len(text)

    def flush(self) -> None:
        """Flush as far as that goes."""
        if self._stream is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._end(error)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with suppress(OSError, ValueError):
            return self._stream is not None and self._stream.isatty()
        return False

    def _end(self, error: OSError | ValueError) -> None:
        """Print no more; what is buffered goes nowhere, so that Python's own last flush does not fail."""
        self.failed = None if isinstance(error, BrokenPipeError) else error
        stream, self._stream = self._stream, None
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def unfailing() -> Iterator[Unfailing]:
    """Within it standard output and standard error never raise; gives standard output."""
    before = sys.stdout, sys.stderr
    output, errors = Unfailing(sys.stdout), Unfailing(sys.stderr)
    sys.stdout, sys.stderr = output, errors
    try:
        yield output
    finally:
        output.flush()
        errors.flush()
        sys.stdout, sys.stderr = before
