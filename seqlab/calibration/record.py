"""The record of a calibration, and where it is stored.

There is one JSON file in the user's cache folder per device, MLX version, BLAS, number of cores and version
of the record. Another machine, a newer MLX or another version are calibrated anew. So is a file that cannot
be read, with a message. `SEQLAB_CALIBRATE=0` turns calibration off: then the defaults apply. This module does
not import MLX, so a command reads its settings quickly.
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

# Of the file, and of the workloads in `calibrate` and `work`: raise it when either changes, and every device
# is calibrated anew.
VERSION = 3
QUIET = 0.2  # share of processor time used by other processes: less than half a core of two


@dataclass(frozen=True)
class Machine:
    """What a calibration applies to. `threads` is the initial number of threads of the BLAS.

    `tf32` is the value of MLX_ENABLE_TF32 on a GPU; if it is not set, MLX uses TF32 if the GPU supports it.
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
        """This machine with a device of this kind and name."""
        loaded = blas.load()
        tf32 = os.environ.get("MLX_ENABLE_TF32", "") if kind == "gpu" else ""
        return cls(kind, device, mlx, loaded.name, blas.cores(), loaded.threads, tf32)

    @property
    def file(self) -> Path:
        """The file of its calibration."""
        digest = sha256(json.dumps([VERSION, asdict(self)]).encode()).hexdigest()[:16]
        return blas.cache_folder() / f"calibration-{digest}.json"


@dataclass(frozen=True)
class Timing:
    """One value of a setting: the median time of its rounds in seconds, and the quartiles."""

    setting: str
    value: str
    seconds: float
    low: float
    high: float
    chosen: bool


@dataclass(frozen=True)
class Calibration:
    """The chosen settings, the timings behind them, and the two ceilings of the device with them."""

    machine: Machine
    settings: Settings
    timings: tuple[Timing, ...]
    flops_per_second: float  # the largest rate of matrix products
    bytes_per_second: float  # memory bandwidth
    seconds: float  # duration of the calibration
    others: float  # share of all processor time used by other processes meanwhile
    date: str  # UTC, ISO 8601

    @property
    def busy(self) -> str:
        """A warning if other processes were busy, which makes the timings unreliable; empty if not."""
        if self.others <= QUIET:
            return ""
        return f"other processes used {self.others:.0%} of the processors meanwhile"

    def text(self) -> str:
        """The record as JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1)

    def save(self) -> None:
        """Write the record to its file, completely or not at all."""
        self.machine.file.parent.mkdir(parents=True, exist_ok=True)
        aside = self.machine.file.with_suffix(f".{os.getpid()}.part")
        aside.write_text(self.text())
        aside.replace(self.machine.file)


@dataclass(frozen=True)
class InUse:
    """The settings of a run, and their origin."""

    settings: Settings
    origin: str
    calibration: Calibration | None = None

    def summary(self) -> str:
        """Origin and settings in one line, for the provenance of a run."""
        return f"{self.origin}: {self.settings.summary()}"


def parse(text: str) -> Calibration:
    """Read what `Calibration.text` wrote; raises `ValueError` for anything else."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("expected a JSON object")
    if (version := data.pop("version", None)) != VERSION:
        raise ValueError(f"expected version {VERSION}, found {version}")
    try:
        found: Calibration = _typed(Calibration, data, "the record")
    except (UsageError, OverflowError) as error:
        raise ValueError(str(error)) from None
    return found


def _typed(kind: Any, data: Any, where: str) -> Any:
    """JSON data as a value of a type; raises `ValueError` if any field has another type or is missing."""
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(data, dict):
        fields = get_type_hints(kind)
        if odd := sorted(fields.keys() ^ data.keys()):  # no defaults: a missing setting was not measured
            wrong = "lacks" if odd[0] in fields else "has an unknown"
            raise ValueError(f"{where} {wrong} {odd[0]!r}")
        return kind(**{name: _typed(part, data[name], name) for name, part in fields.items()})
    if get_origin(kind) is tuple and isinstance(data, list):
        return tuple(_typed(get_args(kind)[0], item, where) for item in data)
    if get_origin(kind) is Literal and data in get_args(kind):
        return data
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if type(data) in kinds and (type(data) is not float or math.isfinite(data)):
        return data
    if float in kinds and type(data) is int:
        return float(data)
    wanted = kind.__name__ if isinstance(kind, type) else kind
    raise ValueError(f"{where}: expected {wanted}, found {data!r}"[:200])


def read(machine: Machine) -> Calibration | str:
    """The stored calibration of this machine, or a message why there is none."""
    try:
        found = parse(machine.file.read_text())
    except FileNotFoundError:
        return "not calibrated yet"
    except (OSError, ValueError) as error:
        return f"calibration unreadable, {machine.file}: {error}"
    return found if found.machine == machine else f"calibration of another machine, {machine.file}"


def switched_off() -> bool:
    """Whether the environment turns calibration off."""
    return os.environ.get("SEQLAB_CALIBRATE") == "0"


def in_use(machine: Machine) -> InUse:
    """The settings for a run on this machine: the calibrated ones if there are any, else the defaults."""
    found = "SEQLAB_CALIBRATE=0" if switched_off() else read(machine)
    if isinstance(found, str):
        return InUse(defaults(machine.kind), f"defaults ({found})")
    return measured(found)


def measured(found: Calibration) -> InUse:
    """The settings of a calibration, for a run."""
    return InUse(found.settings, ", ".join(filter(None, [f"measured {found.date}", found.busy])), found)


def now() -> str:
    """The current time as in `Calibration.date`."""
    return datetime.now(UTC).isoformat(timespec="seconds")
