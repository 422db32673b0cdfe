"""`seqlab atlas`: which network is the fastest, by length, width and batch? Measures cells, draws maps.

Cells are trials of the page `experiments/aside/atlas.py`, stored like any others, so the same command goes on
where it stopped, and `seqlab results merge` brings in another machine's. Their order is that of
`analysis.atlas.order`.
"""

import argparse
import math
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from seqlab import pipeline
from seqlab.analysis.atlas.cells import PAGE, Cell, Device, Measured, measured
from seqlab.analysis.atlas.order import LONGEST_SECONDS, Skipped, by_level, sifted
from seqlab.commands.common import workspace_of
from seqlab.errors import NothingRanError, UsageError
from seqlab.machine.memory import memory_limit
from seqlab.notebook.experiment import Trial
from seqlab.running.limit import Limit
from seqlab.running.plan import Request
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

MOST_CELLS = 10_000
MOST_SIZES = 64  # of one option
SIZES = {"lengths": "length", "widths": "width", "batches": "batch"}  # options, and their factors
HEADS = 4  # of the Transformer; RoPE turns pairs of features in each
LARGEST = 1 << 24
AFTERWARDS = 20.0  # seconds: what fitting, holding out and drawing may take of a limited time
FOLDER = "atlas"  # in the results folder


@dataclass
class Progress:
    """What became of the planned cells."""

    planned: int = 0
    failed: int = 0
    left: int = 0  # due, for want of time
    skipped: list[Skipped] = field(default_factory=list)


def run(options: argparse.Namespace) -> int:
    """Measure what is due, then say and draw what the store holds; returns the exit status."""
    workspace = replace(workspace_of(options), aside=True)
    how, request = pipeline.Options.of(options), Request(options.budget, changes=changes(options))
    longest = options.longest if options.longest is not None else LONGEST_SECONDS
    if not longest > 0:
        raise UsageError(f"--longest must be above 0 s, found {longest:g}. For example: --longest 2.")
    with workspace.locked(), Store(workspace.database) as store, ExitStack() as stack:
        elsewhere = pipeline.joined(workspace, how, stack)
        work = pipeline.configure(
            workspace, request, store, names=[PAGE], kind=how.device, elsewhere=elsewhere
        )
        memory = how.memory_gib * 2**30 if how.memory_gib else memory_limit()
        atlas = _Atlas(work, store, how, longest, memory)
        if how.dry_run:
            return atlas.print_plan()
        progress = atlas.measure(workspace) if how.run else Progress()
        found = measured(store)
    if options.budget == "smoke":
        print("The smoke budget only shows that the page works: its cells are in no map and no answer.")
        return 1 if progress.failed else 0
    if not found:
        raise NothingRanError("no cell of the atlas is measured. Run `nox -s atlas`.")
    from seqlab.commands.atlas_report import report

    report(found, progress.skipped, atlas.device, workspace.results / FOLDER)
    _print_end(progress)
    return 1 if progress.failed else 0


def changes(options: argparse.Namespace) -> dict[str, str]:
    """The sizes that were asked for, as changes of the page's plan; `UsageError` for one that cannot be."""
    found: dict[str, str] = {}
    for option, factor in SIZES.items():
        sizes: list[int] = getattr(options, option) or []
        if len(sizes) > MOST_SIZES:
            raise UsageError(f"--{option} takes at most {MOST_SIZES} sizes, found {len(sizes):,}.")
        for size in sizes:
            if not 1 <= size <= LARGEST:
                raise UsageError(f"--{option} takes sizes from 1 to {LARGEST:,}, found {size:,}.")
            if factor == "width" and size % (2 * HEADS):
                raise UsageError(
                    f"--widths takes multiples of {2 * HEADS}, since the Transformer has {HEADS} heads, "
                    f"found {size:,}. The nearest is {max(1, round(size / 8)) * 8:,}."
                )
        if sizes:
            found[factor] = ",".join(map(str, dict.fromkeys(sizes)))
    if options.tasks:
        found["task"] = ",".join(dict.fromkeys(options.tasks))
    _check_number(math.prod(text.count(",") + 1 for text in found.values()))
    return found


def _check_number(cells: int) -> None:
    if cells > MOST_CELLS:
        raise UsageError(f"expected at most {MOST_CELLS:,} cells, found {cells:,}. Ask for fewer sizes.")


def seed_of(cell: Cell) -> int:
    """The cell's own seed: as trials of a seed stay on one worker of a cluster, cells spread over all."""
    return zlib.crc32(f"{cell.task} {cell.sizes}".encode())


def cell_of(trial: Trial) -> Cell:
    """The cell that a trial of the page measures."""
    return Cell(trial["task"], trial["length"], trial["width"], trial["batch"])


class _Atlas:
    """The planned cells and the trials that measure them."""

    def __init__(
        self, work: pipeline.Work, store: Store, how: pipeline.Options, longest: float, memory: float
    ) -> None:
        (self._plan,) = work.plans
        self._work, self._store, self._how = work, store, how
        self._longest, self._memory = longest, memory
        self._trials: dict[Cell, Trial] = {}
        for trial in self._plan.planned:
            cell = cell_of(trial)
            self._trials[cell] = replace(trial, seed=seed_of(cell))
        _check_number(len(self._trials))
        self.device = Device(*work.device[1:])

    def measure(self, workspace: Workspace) -> Progress:
        """Level by level, as far as the time goes. What is left out is looked at again after each level."""
        progress, limit = Progress(len(self._trials)), self._limit()
        waiting: list[Cell] = []
        for level in [*by_level(self._trials), []]:
            kept, progress.skipped = self._sift([*waiting, *level])
            waiting = [one.cell for one in progress.skipped]
            due = self._due(kept)
            if limit is None or limit.left() > 0:
                progress.failed += pipeline.measure(workspace, due, self._store, self._how, limit=limit)
                due = self._due(kept)
            (plan,) = due.plans
            progress.left += sum(not one.failed for one in plan.due)
        return progress

    def print_plan(self) -> int:
        """Say which cells would be measured, in their order, and which are left out by what is known now."""
        total = 0
        for number, level in enumerate(by_level(self._trials)):
            kept, skipped = self._sift(level)
            (plan,) = self._due(kept).plans
            total += len(plan.due)
            print(
                f"level {number}: {len(level)} cells, {len(plan.due)} due, {len(kept) - len(plan.due)} "
                f"measured, {len(skipped)} left out by what is known now"
            )
            for due in plan.due:
                print(f"  {due.trial.label()}: {due.reason}")
        print(f"{total} cells are due." if total else "Nothing is due.")
        return 0

    def _sift(self, cells: Sequence[Cell]) -> tuple[list[Cell], list[Skipped]]:
        known: Mapping[Device, list[Measured]] = measured(self._store)
        return sifted(
            cells, known.get(self.device, []),
            kind=self._work.device[0], longest=self._longest, memory=self._memory,
        )  # fmt: skip

    def _due(self, cells: Sequence[Cell]) -> pipeline.Work:
        plan = replace(self._plan, planned=tuple(self._trials[cell] for cell in cells))
        return replace(self._work, plans=pipeline.due_now([plan], self._store, self._work.device))

    def _limit(self) -> Limit | None:
        return self._how.limit.reserving(AFTERWARDS) if self._how.limit else None


def _print_end(progress: Progress) -> None:
    if progress.left:
        print(f"{progress.left:,} of {progress.planned:,} cells are left; the same command goes on.")
