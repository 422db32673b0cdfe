"""How does what a trial yields reach the parent process? As lines of a file, written as they come.

A measurement is a JSON list, an artifact a JSON object. A process that is killed loses at most the line that
it was writing.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from seqlab.errors import SeqlabError, in_a_line
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.metrics import Measurement
from seqlab.running.proper import proper


def line_of(yielded: Measurement | Artifact) -> str:
    """A measurement or an artifact as one line."""
    if isinstance(yielded, Artifact):
        data = base64.b64encode(yielded.data).decode()
        return json.dumps({"name": yielded.name, "media": yielded.media, "data": data}) + "\n"
    return json.dumps([yielded.metric, yielded.value, yielded.split, yielded.step]) + "\n"


def read(path: Path) -> Iterator[Measurement | Artifact]:
    """What the lines of the file hold, in order; a last line that is not whole is left out."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                continue
            match json.loads(line):
                case [metric, value, split, step]:
                    yield Measurement(metric, value, split, step)
                case {"name": name, "media": media, "data": data}:
                    yield Artifact(name, media, base64.b64decode(data))
                case _:
                    raise ValueError("a line that no trial writes")


def read_all(path: Path) -> tuple[tuple[Measurement | Artifact, ...], str]:
    """What the file holds, and why it holds no more; empty where it is whole.

    A trial may have removed it, or written into it.
    """
    found: list[Measurement | Artifact] = []
    try:
        found.extend(proper(read(path), path))
    except (OSError, SeqlabError, TypeError, ValueError) as error:
        return tuple(found), in_a_line(error)
    return tuple(found), ""
