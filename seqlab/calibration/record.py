"""What was found when this device was calibrated, and where is it kept?

One JSON file per device, MLX version, BLAS and number of cores, in the user's cache folder: another
machine, or a newer MLX, is calibrated anew. `SEQLAB_CALIBRATE=0` does without: then the defaults hold.
No MLX in here: a command that has something to run reads one small file.
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from seqlab import blas
from seqlab.errors import UsageError
from seqlab.forms import Forms
from seqlab.settings import Settings, defaults

SCHEMA = 1  # of the file; one of another schema is not read
QUIET = 0.2  # of the processors' time taken by others: less than half a core of two


@dataclass(frozen=True)
class Machine:
    """What a calibration holds for. `threads` are those that the BLAS began with."""

    kind: str
    device: str
    mlx: str
    blas: str
    cores: int
    threads: int

    @classmethod
    def here(cls, kind: str, device: str, mlx: str) -> "Machine":
        """This machine, with a device of these names."""
        loaded = blas.load()
        return cls(kind, device, mlx, loaded.name, blas.cores(), loaded.threads)

    @property
    def file(self) -> Path:
        """Where its calibration is kept."""
        digest = sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]
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
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1)

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
    try:
        told: dict[str, Any] = json.loads(text)
        if told.pop("schema") != SCHEMA:
            raise ValueError("it is of another version")
        settings = told.pop("settings")
        found = Calibration(
            machine=Machine(**told.pop("machine")),
            settings=Settings(**{**settings, "forms": Forms(**settings["forms"])}),
            figures=tuple(Figure(**figure) for figure in told.pop("figures")),
            **told,
        )
        if json.loads(found.text()) != json.loads(text):  # a default would stand for what was not tried
            raise ValueError("it lacks a setting")
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        raise ValueError(f"it is not a calibration ({error})") from None
    return found


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
