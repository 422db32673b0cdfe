"""Which number may a new row have? One that nothing refers to, even where rows were removed by hand.

SQLite gives the number of a removed last row to the next one. That would inherit what the old one measured,
and its witness would refuse it.
"""

import sqlite3

# Beside its own table, what refers to a run or a verdict. Each column has an index.
REFERRING = {
    "run": (
        "SELECT max(id) FROM main.run",
        "SELECT max(run) FROM main.measurement",
        "SELECT max(run) FROM main.exhibit",
        "SELECT max(run) FROM main.run_used",
        "SELECT max(number) FROM main.witness WHERE kind = 'run'",
    ),
    "verdict": (
        "SELECT max(id) FROM main.verdict",
        "SELECT max(number) FROM main.witness WHERE kind = 'verdict'",
    ),
}
LARGEST = 2**53  # a larger one was written by another program, and leaves no room above it


def unused(connection: sqlite3.Connection, kind: str) -> int:
    """The least number above all that a run or a verdict has or had, as far as the store tells."""
    found = [connection.execute(query).fetchone()[0] for query in REFERRING[kind]]
    return 1 + max((number for number in found if isinstance(number, int) and number < LARGEST), default=0)
