"""What does a run make that is not a number? Texts, small images, and files for other programs.

A page's `run` yields artifacts among its measurements; the store keeps them with the run. Numbers stay
measurements: what a verdict could rest on is never hidden in an artifact.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any, Literal, Self

from seqlab.errors import UsageError

Media = Literal["text/plain", "application/json", "audio/midi"]
Matrix = tuple[tuple[float, ...], ...]

SUFFIXES: dict[str, str] = {"text/plain": ".txt", "application/json": ".json", "audio/midi": ".mid"}
LONGEST = 120  # characters of a file's name: file systems take 255 bytes, and a list has to be read


@dataclass(frozen=True)
class Panel:
    """One small image of a grid: a matrix, row by row from the top, and what its axes say.

    With `categories` each number is the place of a category, and -1 leaves its field empty; without, it is
    a shade, the more the darker. `over` is a second matrix of the same shape, laid over the first in colour:
    where attention goes, over the image that it reads. `rows` names each row; `x` and `y` are the axes'
    titles, empty for none; a titled axis without names counts its fields from 1.
    """

    title: str
    matrix: Matrix
    categories: tuple[str, ...] = ()
    over: Matrix = ()
    rows: tuple[str, ...] = ()
    x: str = ""
    y: str = ""

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.matrix}
        if len(widths) != 1 or 0 in widths:
            raise UsageError(
                f"panel {self.title!r} needs rows of one length, 1 or more, found {sorted(widths)}."
            )
        if self.over and [len(row) for row in self.over] != [len(row) for row in self.matrix]:
            raise UsageError(f"panel {self.title!r} needs `over` and `matrix` of the same shape.")
        if self.rows and len(self.rows) != len(self.matrix):
            raise UsageError(
                f"panel {self.title!r} needs a name for each of its {len(self.matrix)} rows, "
                f"found {len(self.rows)}."
            )
        values = [value for matrix in (self.matrix, self.over) for row in matrix for value in row]
        if not all(map(math.isfinite, values)):
            raise UsageError(f"panel {self.title!r} needs finite numbers, found NaN or infinity.")
        if self.categories:
            wrong = {value for row in self.matrix for value in row} - set(range(-1, len(self.categories)))
            if wrong:
                raise UsageError(
                    f"panel {self.title!r} needs places of its {len(self.categories)} categories, or -1, "
                    f"found {min(wrong):g}."
                )


@dataclass(frozen=True)
class Artifact:
    """What a run made beside its measurements. Make it with `Artifact.text`, `.images` or `.file`."""

    name: str
    media: Media
    data: bytes

    def __post_init__(self) -> None:
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(
                f"an artifact's name has letters, digits, hyphens and underscores only, found {self.name!r}."
            )

    @classmethod
    def text(cls, name: str, text: str) -> Self:
        """A text, shown as it is, line by line."""
        return cls(name, "text/plain", text.encode(errors="backslashreplace"))

    @classmethod
    def images(cls, name: str, panels: Sequence[Panel]) -> Self:
        """A row of small images. All that a figure shows of them share one colour scale and one legend."""
        if not panels:
            raise UsageError(f"the images {name!r} need one or more panels, found none.")
        return cls(name, "application/json", json.dumps([asdict(panel) for panel in panels]).encode())

    @classmethod
    def file(cls, name: str, media: Media, data: bytes) -> Self:
        """A file for other programs; it is written beside the report."""
        return cls(name, media, data)


def text_of(artifact: Artifact) -> str:
    """The text of a text artifact."""
    if artifact.media != "text/plain":
        raise UsageError(
            f"expected a text in the artifact {artifact.name!r}, found {artifact.media}. "
            "Yield it with Artifact.text(…)."
        )
    return artifact.data.decode(errors="replace")


def panels_of(artifact: Artifact) -> tuple[Panel, ...]:
    """The panels of an image artifact."""
    names = {item.name for item in fields(Panel)}
    try:
        return tuple(
            Panel(**{name: _frozen(value) for name, value in panel.items() if name in names})
            for panel in json.loads(artifact.data)
        )
    except (ValueError, TypeError, AttributeError):
        raise UsageError(
            f"the artifact {artifact.name!r} holds no images. Yield it with Artifact.images(…)."
        ) from None


def file_name(artifact: Artifact, *words: str) -> str:
    """What an artifact is called as a file: `words`, then its own name, in characters safe everywhere.

    A name too long is cut, and what was cut off is told apart by a hash.
    """
    parts = [safe(word) for word in (*words, artifact.name)]
    stem = "-".join(part for part in parts if part) or "artifact"
    if len(stem) > LONGEST:
        stem = f"{stem[: LONGEST - 9]}-{sha256(stem.encode()).hexdigest()[:8]}"
    return stem + SUFFIXES.get(artifact.media, ".bin")


def safe(word: str) -> str:
    """A word in characters that a file's name may have everywhere."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", word).strip("-")


def _frozen(value: Any) -> Any:
    """Lists, as JSON gives them, as tuples again."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
