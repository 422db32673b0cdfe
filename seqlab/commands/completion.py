"""Which script lets a shell complete commands, options, and the names of pages and claims?

shtab writes it from the command line's own description, once: pressing TAB starts no Python. Pages and claims
are read, when TAB is pressed, from the project in the folder that one is in.
"""

import argparse
from collections.abc import Iterator

from seqlab.errors import UsageError

SHELLS = ("bash", "zsh", "fish")
# External programs that all three shells call alike, without a sign that one of them would read.
PAGES = "ls experiments 2>/dev/null | grep '^[^._].*[.]py' | cut -d. -f1"
CLAIMS = "grep -o '^id = .C[0-9]*' report/claims.toml 2>/dev/null | cut -c7-"


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for a shell of `SHELLS`. Raises `UsageError` where shtab is not installed."""
    try:
        import shtab
    except ImportError:
        raise UsageError(
            "expected shtab, which writes the script, found none. "
            "Install it once, `pip install shtab`, where seqlab is; nothing else needs it."
        ) from None
    for command, argument in _arguments(parser):
        if argument.dest in ("names", "only"):
            known = f"{PAGES}; {CLAIMS}" if command == "show" else PAGES
            argument.complete = shtab.cmd(known)  # type: ignore[attr-defined]
        elif argument.dest in ("root", "results"):
            argument.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif argument.dest in ("other", "target"):
            argument.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell=shell))


def _arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Every argument of every command, with the command's name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from ((name, argument) for argument in command._actions)
