"""What does the reference keep of a run, and how is that one line of text?

A line is JSON with sorted names: what was tried, how it ended, and what it measured as
`{"metric/split": [[step, value], ...]}`. What many runs share (settings, code, circumstances) is told once,
by number, in the manifest. Values that are no whole numbers keep `DIGITS` digits.
"""

import base64
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

from seqlab.notebook.artifacts import SUFFIXES, Artifact
from seqlab.notebook.figures import Level
from seqlab.reference.manifest import Code, Manifest
from seqlab.reference.problems import problem
from seqlab.store.database import Status, canonical_json

DIGITS = 8  # significant ones: MLX computes with the 7.2 of float32
Series = list[tuple[int | None, float]]  # (step, value), in the order of measuring

TEXT, PACKED = "text", "base64 of zlib"  # how the data of an artifact are written


@dataclass(frozen=True)
class Entry:
    """A run of the reference. `series` has what it measured by metric and split; `date` is ISO, UTC."""

    factors: Mapping[str, Level]
    settings: Mapping[str, Level]
    seed: int
    status: Status
    seconds: float
    date: str
    code: Code
    about: Mapping[str, Any]  # the circumstances, `device` and `mlx` among them
    series: Mapping[tuple[str, str], Series]
    artifacts: tuple[Artifact, ...] = ()
    error: str = ""

    @property
    def machine(self) -> tuple[str, str]:
        """The device and the version of MLX."""
        return self.about["device"], self.about["mlx"]

    @property
    def trial(self) -> tuple[str, str, int]:
        """What was tried, wherever: factors and settings as JSON, and the seed."""
        return canonical_json(self.factors), canonical_json(self.settings), self.seed

    @property
    def key(self) -> tuple[tuple[str, str, int], tuple[str, str]]:
        """What was tried, and on which machine."""
        return self.trial, self.machine


def line(entry: Entry, manifest: Manifest) -> str:
    """The entry as a line, without its end. What runs share gets its number in the manifest."""
    said: dict[str, Any] = {
        "factors": dict(entry.factors),
        "settings": manifest.settings.number(dict(entry.settings)),
        "seed": entry.seed,
        "status": entry.status,
        "seconds": float(f"{entry.seconds:.3g}"),
        "date": entry.date,
        "code": manifest.codes.number(entry.code),
        "about": manifest.about.number(dict(entry.about)),
        "measured": {
            "/".join(name) if name[1] else name[0]: [[step, _rounded(value)] for step, value in points]
            for name, points in entry.series.items()
        },
    }
    if entry.error:
        said["error"] = entry.error
    if entry.artifacts:
        said["artifacts"] = [_packed(one) for one in entry.artifacts]
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def entry_of(text: str, manifest: Manifest, *, where: str) -> Entry:
    """The entry that a line tells; `where` names the line if it tells none."""
    try:
        said = json.loads(text)
        entry = Entry(
            factors=_levels(said["factors"]),
            settings=manifest.settings[said["settings"]],
            seed=_whole(said["seed"]),
            status=_one_of(said["status"], get_args(Status)),
            seconds=_finite(said["seconds"]),
            date=date.fromisoformat(said["date"]).isoformat(),
            code=manifest.codes[said["code"]],
            about=manifest.about[said["about"]],
            series={_name(name): _series(points) for name, points in said["measured"].items()},
            artifacts=tuple(map(_unpacked, said.get("artifacts", ()))),
            error=str(said.get("error", "")),
        )
    except (AttributeError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise problem(f"a run in {where}", f"something else ({type(error).__name__}: {error})") from error
    return entry


def _rounded(value: float) -> float:
    return int(value) if value % 1 == 0 and abs(value) < 2**53 else float(f"{value:.{DIGITS}g}")


def _packed(artifact: Artifact) -> dict[str, str]:
    try:
        text = artifact.data.decode()
    except UnicodeDecodeError:
        text = None
    packed = base64.b64encode(zlib.compress(artifact.data, 9)).decode()
    form, data = (TEXT, text) if text is not None and len(text) <= len(packed) else (PACKED, packed)
    return {"name": artifact.name, "media": artifact.media, "form": form, "data": data}


def _unpacked(said: Mapping[str, str]) -> Artifact:
    form = _one_of(said["form"], (TEXT, PACKED))
    data = said["data"].encode() if form == TEXT else zlib.decompress(base64.b64decode(said["data"]))
    return Artifact(str(said["name"]), _one_of(said["media"], tuple(SUFFIXES)), data)


def _levels(values: Mapping[str, Any]) -> dict[str, Level]:
    if not all(isinstance(value, str | int | float | bool) for value in values.values()):
        raise ValueError("a factor's level is a text or a number")
    return dict(values)


def _name(text: str) -> tuple[str, str]:
    metric, _, split = text.partition("/")
    return metric, split


def _series(points: list[list[Any]]) -> Series:
    return [(None if step is None else _whole(step), _finite(value)) for step, value in points]


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _finite(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value)


def _one_of(value: Any, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(map(str, known))}")
    return value
