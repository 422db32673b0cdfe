"""Which command runs a page again, as it can be pasted into a shell?"""

import shlex

# Sessions of the noxfile that are no pages: a page of such a name has `page-` before it.
SESSIONS = frozenset((
    "report", "doctor", "tests", "lint", "types", "bench", "parity", "known", "lock", "simulate", "reference",
    "tune", "faults", "lab",
))  # fmt: skip


def command(page: str, options: str = "") -> str:
    """`nox -s PAGE -- OPTIONS`; the options are quoted already."""
    session = f"page-{page}" if page in SESSIONS else page
    return f"nox -s {shlex.quote(session)}{f' -- {options}' if options else ''}"
