"""How does what a trial yields reach the parent process? As lines of a file, written as they come.

A measurement is a JSON list, an artifact a JSON object. A process that is killed loses at most the line that
it was writing.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.metrics import Measurement


def line_of(yielded: Measurement | Artifact) -> str:
    """A measurement or an artifact as one line."""
    if isinstance(yielded, Artifact):
        data = base64.b64encode(yielded.data).decode()
        return json.dumps({"name": yielded.name, "media": yielded.media, "data": data}) + "\n"
    return json.dumps([yielded.metric, yielded.value, yielded.split, yielded.step]) + "\n"


def read(path: Path) -> Iterator[Measurement | Artifact]:
    """What the lines of the file hold, in order; a last line that is not whole is left out."""
    with path.open() as lines:
        for line in lines:
            if not line.endswith("\n"):
                continue
            match json.loads(line):
                case [metric, value, split, step]:
                    yield Measurement(metric, value, split, step)
                case {"name": name, "media": media, "data": data}:
                    yield Artifact(name, media, base64.b64decode(data))
