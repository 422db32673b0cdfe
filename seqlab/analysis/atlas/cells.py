"""What has been measured of the atlas? The times of all networks in each cell, by device.

Of several runs of a cell the latest good one counts, and of several versions of MLX on a device the one that
ran last, since versions differ in speed.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median, stdev
from typing import Literal, NamedTuple, cast

import numpy as np
from scipy import stats

from seqlab.store.database import Record, Store

PAGE = "atlas"
Task = Literal["train", "decode"]
TASKS: tuple[Task, ...] = ("train", "decode")
METRIC: Mapping[Task, str] = {"train": "step_time", "decode": "token_time"}
CONFIDENCE = 0.95  # that a margin is more than noise


class Cell(NamedTuple):
    """A training step, or one more token: tokens of a sequence or of context, features, sequences."""

    task: Task
    length: int
    width: int
    batch: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Length, width and batch."""
        return self.length, self.width, self.batch

    def __str__(self) -> str:
        return f"length {self.length:,}, width {self.width:,}, batch {self.batch:,}"


class Device(NamedTuple):
    """A device, as the store calls it, and its version of MLX."""

    name: str
    mlx: str

    def __str__(self) -> str:
        return f"{self.name}, MLX {self.mlx}"


@dataclass(frozen=True)
class Measured:
    """The seconds of a step or token in a cell, for each network by block; a block has all networks."""

    cell: Cell
    blocks: Mapping[str, Mapping[int, float]]

    @cached_property
    def seconds(self) -> dict[str, float]:
        """The median over blocks of each network."""
        return {name: median(taken.values()) for name, taken in self.blocks.items()}

    @property
    def ranked(self) -> list[str]:
        """The networks, the fastest first."""
        return sorted(self.seconds, key=self.seconds.__getitem__)

    def regret(self, chosen: str) -> float:
        """How much longer the chosen network takes than the fastest: 0.1 is a tenth."""
        return self.seconds[chosen] / min(self.seconds.values()) - 1

    @cached_property
    def is_clear(self) -> bool:
        """Whether the lead of the fastest over the second is more than the noise of blocks.

        By Student's t on the log ratio within a block. A cell of one block is never clear.
        """
        first, second = (self.blocks[name] for name in self.ranked[:2])
        leads = [math.log(second[block] / first[block]) for block in first.keys() & second.keys()]
        if len(leads) < 2:
            return False
        error = stdev(leads) / math.sqrt(len(leads))
        return bool(fmean(leads) > stats.t.ppf((1 + CONFIDENCE) / 2, len(leads) - 1) * error)


def log_seconds(found: Sequence[Measured], networks: Sequence[str]) -> np.ndarray:
    """The logarithms of the times: a row for each cell, a column for each network."""
    return np.log([[one.seconds[name] for name in networks] for one in found]).reshape(-1, len(networks))


def networks_of(found: Iterable[Measured]) -> list[str]:
    """The networks that were timed in every cell, in the order in which they were first met."""
    names: dict[str, None] = {}
    common: set[str] | None = None
    for one in found:
        names.update(dict.fromkeys(one.blocks))
        common = set(one.blocks) if common is None else common & one.blocks.keys()
    return [name for name in names if name in (common or ())]


def measured(store: Store) -> dict[Device, list[Measured]]:
    """Every measured cell of each device; the device that measured last comes first."""
    runs = [record for record in store.records(PAGE) if record.status == "ok" and record.budget != "smoke"]
    newest = {record.device: record for record in runs}  # of each device: they come oldest first
    latest: dict[tuple[Device, Cell], Record] = {}
    for record in runs:
        cell = _cell_of(json.loads(record.factors))
        if cell is not None and record.mlx == newest[record.device].mlx:
            latest[Device(record.device, record.mlx), cell] = record
    times = _times(store, {record.id: cell for (_, cell), record in latest.items()})
    found: dict[Device, list[Measured]] = {
        Device(record.device, record.mlx): []
        for record in sorted(newest.values(), key=lambda record: record.started, reverse=True)
    }
    for (device, cell), record in sorted(latest.items(), key=lambda one: one[0][1]):
        if len(times[record.id]) > 1:
            found[device].append(Measured(cell, times[record.id]))
    return {device: cells for device, cells in found.items() if cells}


def _cell_of(factors: Mapping[str, object]) -> Cell | None:
    sizes = [factors.get(name) for name in ("length", "width", "batch")]
    if factors.get("task") not in TASKS or not all(isinstance(size, int) and size > 0 for size in sizes):
        return None
    return Cell(cast(Task, factors["task"]), *cast(list[int], sizes))


def _times(store: Store, cells: Mapping[int, Cell]) -> dict[int, dict[str, dict[int, float]]]:
    """For each run, the seconds of each network by block."""
    found: dict[int, dict[str, dict[int, float]]] = {run: {} for run in cells}
    for run, metric, network, block, seconds in store.measured(cells):
        if metric == METRIC[cells[run].task] and block is not None and seconds > 0:
            found[run].setdefault(network, {})[block] = seconds
    return found
