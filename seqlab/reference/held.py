"""Which runs of the reference answer what is asked of a page?

Those of one machine, since seeds of two are never mixed: of the one that has most of the planned trials, and
of several the one that measured last.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from seqlab.notebook.experiment import Trial
from seqlab.running.plan import runs_that_count
from seqlab.store.database import Record, canonical_json

Tried = tuple[str, str, int]  # factors and settings as JSON, and the seed


@dataclass(frozen=True)
class Held:
    """The runs of one machine that count for a plan: their records, and the trials with a good one."""

    records: tuple[Record, ...]
    trials: frozenset[Tried]

    @property
    def numbers(self) -> list[int]:
        """The numbers of the runs."""
        return [record.id for record in self.records]

    def has(self, trial: Trial) -> bool:
        """Whether there is a good run of the trial."""
        return tried(trial) in self.trials


def held(planned: Sequence[Trial], records: Iterable[Record]) -> Held | None:
    """What the runs of the page in the reference hold of the planned trials; None for nothing."""
    machines: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        machines.setdefault((record.device, record.mlx), []).append(record)
    wanted = {tried(trial) for trial in planned}
    best: tuple[int, str] = 0, ""
    found: Held | None = None
    for machine, own in machines.items():
        counted = tuple(_counting(planned, own, machine, wanted))
        good = frozenset(tried_of(record) for record in counted if record.status == "ok")
        rank = len(good & wanted), max((record.started for record in counted), default="")
        if rank > best:
            best, found = rank, Held(counted, good)
    return found if best[0] else None


def _counting(
    planned: Sequence[Trial], records: Sequence[Record], machine: tuple[str, str], wanted: set[Tried]
) -> Iterator[Record]:
    """Those of a machine's runs that count: planned ones, and good ones at more seeds or numeric levels."""
    device, mlx = machine
    points = {(record.factors, record.settings): record for record in reversed(records)}
    good = [replace(record, status="ok") for record in points.values()]  # one of each point is enough to ask
    numbers = set(
        runs_that_count(planned, good, fingerprint="", device=device, mlx=mlx, changes=lambda _: "")
    )
    asked = {point for point, record in points.items() if record.id in numbers}
    for record in records:
        if tried_of(record) in wanted or (
            record.status == "ok" and (record.factors, record.settings) in asked
        ):
            yield record


def tried(trial: Trial) -> Tried:
    """What identifies a trial on any machine."""
    return canonical_json(trial.factors), canonical_json(trial.settings), trial.seed


def tried_of(record: Record) -> Tried:
    """The same of a stored run."""
    return record.factors, record.settings, record.seed
