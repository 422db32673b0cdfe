"""What the commands share: the folders of the project, its database, and tables on the terminal."""

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from seqlab.errors import UsageError
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

TEXT_WIDTH = 80  # columns


def workspace_of(options: argparse.Namespace) -> Workspace:
    """The project and results folders that the options name."""
    return Workspace.of(options.root, options.results)


def require_database(workspace: Workspace) -> None:
    """Raise `UsageError` where nothing is stored yet: opening the store would make an empty one."""
    if not workspace.database.is_file():
        raise UsageError(f"expected results at {workspace.database}, found none. Run `seqlab report` first.")


def no_verdicts(store: Store, where: str = "here") -> str:
    """A line for a store in which the smoke budget alone ran; empty for any other."""
    if store.verdicts() or not store.has_smoke_alone():
        return ""
    return f"Only the smoke budget ran {where}, which judges no claim; `seqlab report` gives verdicts."


def new_table(*columns: str, title: str | None = None, whole: Sequence[str] = ()) -> Table:
    """An empty table in the style of all commands. In the columns `whole` no line is broken."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, no_wrap=name in whole, overflow="fold")
    return table


def share(part: float, decimals: int = 0) -> str:
    """A share in percent: `93 %`."""
    return f"{part:.{decimals}%}".replace("%", " %")


def wrapped(text: str, *, indent: int = 0, hanging: int = 0) -> list[str]:
    """The text in lines of at most `TEXT_WIDTH` columns."""
    first, rest = " " * indent, " " * (indent + hanging)
    return textwrap.wrap(" ".join(text.split()), TEXT_WIDTH, initial_indent=first, subsequent_indent=rest)


def print_table(table: Table) -> None:
    """Print to standard output."""
    Console(width=width()).print(table, markup=False)


def width() -> int:
    """The columns to print in: the terminal's, or 200 in a pipe without COLUMNS, which has none."""
    return Console().width if sys.stdout.isatty() or "COLUMNS" in os.environ else 200
