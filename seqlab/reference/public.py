"""What of a run may be told to everyone? Never where it lay, nor on whose machine.

Of the circumstances only those named here are kept. Whole paths in messages are cut to the last name, and
files that lie outside of the project are left out of what the run used: no other machine could compare them.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TOLD = (
    "commit", "uncommitted changes", "lock", "python", "versions", "system", "processor", "cores", "memory",
    "BLAS", "BLAS threads", "TF32", "trials at once",
)  # fmt: skip
PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w.+~@-]+)+[\\/](?=[\w.+~@-])")


def about(provenance: Mapping[str, Any], *, device: str, mlx: str) -> dict[str, Any]:
    """The circumstances to tell."""
    kept = {name: provenance[name] for name in TOLD if name in provenance}
    return {name: _cut(value) for name, value in kept.items()} | {"device": device, "mlx": mlx}


def used(names: Mapping[str, str]) -> dict[str, str]:
    """What the run used that any machine has, by name."""
    return {name: state for name, state in sorted(names.items()) if not _is_whole(name)}


def message(text: str) -> str:
    """An error message without the places of files."""
    return PATH.sub("", text.encode(errors="backslashreplace").decode())


def is_private(data: bytes, root: Path) -> bool:
    """Whether data name the folder of the project or that of the user."""
    places = {os.fspath(root), os.path.expanduser("~")} - {"/", "~", ""}
    return any(f"{place}/".encode() in data for place in places)


def _cut(value: Any) -> Any:
    return message(value) if isinstance(value, str) else value


def _is_whole(name: str) -> bool:
    return os.path.isabs(name) or re.match(r"[A-Za-z]:/", name) is not None
