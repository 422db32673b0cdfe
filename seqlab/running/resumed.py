"""Do the training states that a killed trial left belong to the data and code of now?

The folder's name has the fingerprint of the code. A data file that the trial read, or a module that its
imports do not tell, is known only once it runs. So what it had used is noted beside the states, before each
is written.
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from seqlab.running.identity.changes import what_changed
from seqlab.running.identity.files import Files

NOTE = "used.json"


def note(folder: Path, used: Mapping[str, str]) -> None:
    """Keep what the trial has used so far."""
    with suppress(OSError):  # without it the states are not used
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f"{NOTE}.part"
        aside.write_text(json.dumps(dict(used)))
        aside.replace(folder / NOTE)


def discard_unless_current(folder: Path, files: Files, page: Path) -> None:
    """Remove the states where what was used for them has changed, or is not known."""
    if not folder.is_dir():
        return
    with suppress(OSError, ValueError, AttributeError, TypeError):
        used = {str(name): str(value) for name, value in json.loads((folder / NOTE).read_text()).items()}
        if not what_changed(files, files.project.name(page.absolute()), used):
            return
    shutil.rmtree(folder, ignore_errors=True)
