"""What was found when this device was calibrated, and where is it kept?

One JSON file per device, MLX version, BLAS, number of cores and version of what is tried, in the user's
cache folder: another machine, a newer MLX, or other trials, are calibrated anew. So is a file that is not as
it was written, with a line that says so. `SEQLAB_CALIBRATE=0` does without: then the defaults hold.
No MLX in here: a command that has something to run reads one small file.
"""

import json
import math
import os
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from seqlab.errors import UsageError
from seqlab.machine import blas
from seqlab.machine.settings import Settings, defaults

# Of the file, and of the trials in `calibrate` and `work` that fill it: count up when either changes, and
# every device is calibrated anew.
VERSION = 2
QUIET = 0.2  # of the processors' time taken by others: less than half a core of two


@dataclass(frozen=True)
class Machine:
    """What a calibration holds for. `threads` are those that the BLAS began with.

    `tf32` is what a GPU is asked by MLX_ENABLE_TF32; where it is not set, MLX takes TF32 if the GPU has it.
    """

    kind: str
    device: str
    mlx: str
    blas: str
    cores: int
    threads: int
    tf32: str

    @classmethod
    def here(cls, kind: str, device: str, mlx: str) -> "Machine":
        """This machine, with a device of these names."""
        loaded = blas.load()
        tf32 = os.environ.get("MLX_ENABLE_TF32", "") if kind == "gpu" else ""
        return cls(kind, device, mlx, loaded.name, blas.cores(), loaded.threads, tf32)

    @property
    def file(self) -> Path:
        """Where its calibration is kept."""
        digest = sha256(json.dumps([VERSION, asdict(self)]).encode()).hexdigest()[:16]
        return blas.cache_folder() / f"calibration-{digest}.json"


@dataclass(frozen=True)
class Figure:
    """One value that was tried: the median seconds of its rounds and their quartiles."""

    setting: str
    tried: str
    seconds: float
    low: float
    high: float
    chosen: bool


@dataclass(frozen=True)
class Calibration:
    """The settings chosen, the figures behind them, and the device's two ceilings under them."""

    machine: Machine
    settings: Settings
    figures: tuple[Figure, ...]
    flops_per_second: float  # the largest rate of matrix products
    bytes_per_second: float  # memory bandwidth
    seconds: float  # how long calibrating took
    others: float  # the share of all processors' time that other processes took meanwhile
    date: str  # UTC, ISO 8601

    @property
    def busy(self) -> str:
        """A warning where others were at work, since figures taken then are of little worth."""
        if self.others <= QUIET:
            return ""
        return f"other processes took {self.others:.0%} of the processors meanwhile"

    def text(self) -> str:
        """As JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1)

    def keep(self) -> None:
        """Write it to its file, whole or not at all."""
        self.machine.file.parent.mkdir(parents=True, exist_ok=True)
        aside = self.machine.file.with_suffix(f".{os.getpid()}.part")
        aside.write_text(self.text())
        aside.replace(self.machine.file)


@dataclass(frozen=True)
class InUse:
    """The settings that a run gets, and in a few words where they come from."""

    settings: Settings
    origin: str
    calibration: Calibration | None = None

    def words(self) -> str:
        """For the provenance of a run."""
        return f"{self.origin}: {self.settings.words()}"


def parse(text: str) -> Calibration:
    """Read what `text()` wrote; `ValueError` for anything else."""
    told = json.loads(text)
    if not isinstance(told, dict):
        raise ValueError("it is not a calibration")
    if (version := told.pop("version", None)) != VERSION:
        raise ValueError(f"expected version {VERSION}, found {version}")
    try:
        found: Calibration = _typed(Calibration, told, "it")
    except (UsageError, OverflowError) as error:
        raise ValueError(str(error)) from None
    return found


def _typed(kind: Any, told: Any, where: str) -> Any:
    """What JSON told, as a value of this type; `ValueError` where it is not one, to the last field."""
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(told, dict):
        fields = get_type_hints(kind)
        if odd := sorted(fields.keys() ^ told.keys()):  # a default would stand for what was not tried
            wrong = "lacks" if odd[0] in fields else "has an unknown"
            raise ValueError(f"{where} {wrong} {odd[0]!r}")
        return kind(**{name: _typed(part, told[name], name) for name, part in fields.items()})
    if get_origin(kind) is tuple and isinstance(told, list):
        return tuple(_typed(get_args(kind)[0], one, where) for one in told)
    if get_origin(kind) is Literal and told in get_args(kind):
        return told
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if type(told) in kinds and (type(told) is not float or math.isfinite(told)):
        return told
    if float in kinds and type(told) is int:
        return float(told)
    wanted = kind.__name__ if isinstance(kind, type) else kind
    raise ValueError(f"{where}: expected {wanted}, found {told!r}"[:200])


def read(machine: Machine) -> Calibration | str:
    """The calibration kept for this machine, or in words why there is none."""
    try:
        found = parse(machine.file.read_text())
    except FileNotFoundError:
        return "not calibrated yet"
    except (OSError, ValueError) as error:
        return f"calibration unreadable, {machine.file}: {error}"
    return found if found.machine == machine else f"calibration of another machine, {machine.file}"


def switched_off() -> bool:
    """Whether the environment asks for the defaults."""
    return os.environ.get("SEQLAB_CALIBRATE") == "0"


def in_use(machine: Machine) -> InUse:
    """The settings for a run on this machine: calibrated ones if there are any, else the defaults."""
    found = "SEQLAB_CALIBRATE=0" if switched_off() else read(machine)
    if isinstance(found, str):
        return InUse(defaults(machine.kind), f"defaults ({found})")
    return measured(found)


def measured(found: Calibration) -> InUse:
    """A calibration's settings for a run."""
    return InUse(found.settings, ", ".join(filter(None, [f"measured {found.date}", found.busy])), found)


def now() -> str:
    """The date of a calibration made now."""
    return datetime.now(UTC).isoformat(timespec="seconds")
