"""What do the command and a worker of the cluster say to each other? Plain values, the same on both sides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqlab.notebook.experiment import Trial
from seqlab.running.worker import Outcome

DEVICE = "device"  # the resource of a Dask worker; a trial takes one, so a worker runs one at a time


@dataclass(frozen=True)
class Terms:
    """What a worker must have to take part. Without a `device`, it is only asked which one it has.

    `root` and `results` are the command's folders. A worker that finds the pages there, as on a shared disk,
    uses them; another its own project. `pages` has the fingerprint of each page by its file's name, and
    `versions` those of Python and the packages that compute. `aside` is that of the command's `Workspace`.
    """

    root: Path
    results: Path
    kind: str | None  # cpu or gpu, as asked for; None for MLX's own choice
    mlx: str
    versions: Mapping[str, str]
    device: str = ""
    pages: Mapping[str, str] = field(default_factory=dict)
    data: str = ""  # of the packaged data files
    memory_gib: float | None = None
    aside: bool = False


@dataclass(frozen=True)
class Met:
    """What a worker says of itself: its device's kind, name and MLX version, or why it cannot take part.

    Workers of one `place` share a device or the same cores.
    """

    device: tuple[str, str, str] = ("", "", "")
    place: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class Job:
    """A trial for a worker, which shares its place with so many others."""

    terms: Terms
    page: str  # the file's name
    trial: Trial
    fingerprint: str
    at_once: int
    environment: Mapping[str, str]  # variables of the process that runs it


@dataclass(frozen=True)
class Home:
    """What comes home of a job: how the trial ended and under which circumstances, or why it was refused."""

    outcome: Outcome | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    refusal: str = ""
