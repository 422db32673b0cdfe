"""In which order are cells measured, so that stopping at any time leaves a usable atlas? And which never?

Each axis is a list of sizes. Its ends are of level 0, the middle between them of level 1, the middles of the
halves of level 2, and so on; a cell has the highest level of its three axes. Cells are measured level by
level, so that a coarse grid over everything comes before anything finer, and within a level the quick ones
first. Before each level the times of its cells are predicted from all that is measured by then (`roofline`).
A cell is left out whose slowest network would take longer for a step than a limit, or whose networks would
need more memory than half of what trials may have: that is a bound, not a measurement.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seqlab.analysis.atlas.cells import TASKS, Cell, Measured, log_seconds, networks_of
from seqlab.analysis.atlas.predictor import LEAST_CELLS
from seqlab.analysis.atlas.roofline import fitted, guessed_seconds, memory_bytes

LONGEST_SECONDS = 2.0  # of a step of the slowest network, unless it is told otherwise
MEMORY_SHARE = 0.5  # of what trials may have

Slowest = Callable[[Sequence[Cell]], np.ndarray]  # predicted seconds of the slowest network of each cell


@dataclass(frozen=True)
class Skipped:
    """A cell that is not measured, since it would take so many seconds a step or bytes, whichever is set."""

    cell: Cell
    seconds: float | None = None
    bytes: float | None = None


def levels(count: int) -> list[int]:
    """The level of each of so many sizes in ascending order: 0, 3, 2, 3, 1, 3, 2, 3, 0 of nine."""
    found = [0] * count
    spans, level = [(0, count - 1)], 0
    while spans := [(low, high) for low, high in spans if high - low > 1]:
        level += 1
        for low, high in spans:
            found[(low + high) // 2] = level
        spans = [
            half for low, high in spans for half in ((low, (low + high) // 2), ((low + high) // 2, high))
        ]
    return found


def by_level(cells: Iterable[Cell]) -> list[list[Cell]]:
    """The cells level by level, coarse first."""
    cells = list(cells)
    found: dict[int, list[Cell]] = {}
    for task in TASKS:
        own = [cell for cell in cells if cell.task == task]
        axes = [sorted({cell.sizes[axis] for cell in own}) for axis in range(3)]
        ranks = [dict(zip(sizes, levels(len(sizes)), strict=True)) for sizes in axes]
        for cell in own:
            level = max(rank[size] for rank, size in zip(ranks, cell.sizes, strict=True))
            found.setdefault(level, []).append(cell)
    return [found[level] for level in sorted(found)]


def sifted(
    cells: Sequence[Cell], known: Sequence[Measured], *, kind: str, longest: float, memory: float
) -> tuple[list[Cell], list[Skipped]]:
    """Those to measure, the quick ones first, and those to leave out; `memory` is what trials may have, in B.

    What is measured already is never left out.
    """
    there, kept, skipped = {one.cell for one in known}, list[tuple[float, Cell]](), list[Skipped]()
    for task in TASKS:
        own = [cell for cell in cells if cell.task == task]
        if not own:
            continue
        for cell, seconds in zip(own, slowest(task, known, kind)(own), strict=True):
            if cell in there:
                kept.append((float(seconds), cell))
            elif memory_bytes(cell) > MEMORY_SHARE * memory:
                skipped.append(Skipped(cell, bytes=memory_bytes(cell)))
            elif seconds > longest:
                skipped.append(Skipped(cell, seconds=float(seconds)))
            else:
                kept.append((float(seconds), cell))
    return [cell for _, cell in sorted(kept)], skipped


def slowest(task: str, known: Sequence[Measured], kind: str) -> Slowest:
    """Predicts the seconds of the slowest network: by what is measured of the task, or guessed."""
    own = [one for one in known if one.cell.task == task]
    if len(own) < LEAST_CELLS:
        return lambda cells: np.array([guessed_seconds(cell, kind) for cell in cells])
    measured, networks = [one.cell for one in own], networks_of(own)
    times = np.exp(log_seconds(own, networks))
    lines = [fitted(name, measured, times[:, place]) for place, name in enumerate(networks)]
    return lambda cells: np.max([line.seconds(cells) for line in lines], axis=0)
