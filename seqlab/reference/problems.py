"""What is said where the reference cannot be used: what was expected, what was found, what to do."""

from pathlib import Path

from seqlab.errors import StoreError

FOLDER = "report/reference"  # as it is called in messages, wherever the project lies
ADVICE = (
    f"Restore {FOLDER}/ from the repository (git checkout -- {FOLDER}), or leave it out with --no-reference. "
    "Nothing was changed."
)


def problem(expected: str, found: str) -> StoreError:
    """The error to raise: `found` says what is there instead of what was `expected`."""
    return StoreError(f"the reference cannot be used: expected {expected}, found {found}. {ADVICE}")


def shown(path: Path) -> str:
    """A file of the reference, as messages call it."""
    return f"{FOLDER}/{path.name}"
