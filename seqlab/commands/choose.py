"""`seqlab choose`: which network is the fastest at this length, width and batch, and how sure is that?

The answer is from the measured cells of the atlas: of the cell itself where it was measured, else predicted
(`analysis.atlas.predictor`). Nothing is measured here.
"""

import argparse
import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from seqlab.analysis.atlas.cells import TASKS, Cell, Device, Measured, Task, measured
from seqlab.commands.common import share, workspace_of, wrapped
from seqlab.errors import NothingRanError, UsageError, unknown
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

NEAREST = 3  # measured cells that are shown
SURE = 0.9
LARGEST = 1 << 30
ASKED = {
    "train": "A training step on sequences of {length:,} tokens",
    "decode": "One more token after {length:,} tokens",
}
NOTHING = (
    "no cell of the atlas is measured{where}. Run `nox -s atlas`, some 20 minutes on 2 cores; "
    "`-- --minutes 5` measures a part."
)
QUALITY = (
    "This is about speed alone, at equal parameters. Which network learns better is another question: "
    "`nox -s report` answers it in its parts “What can be learnt” and “What it is good for”."
)


def run(options: argparse.Namespace) -> int:
    """Print an answer for each device that the store holds."""
    cell = cell_of(options)
    workspace = workspace_of(options)
    found = _measured(workspace)
    own = {
        device: of_task for device, cells in found.items()
        if (of_task := [one for one in cells if one.cell.task == cell.task])
    }  # fmt: skip
    if not own:
        raise NothingRanError(NOTHING.format(where=f" for the task {cell.task}" if found else ""))
    for device, cells in own.items():
        scores = _scores(workspace.results / "atlas" / "scores.csv", device, cell.task, len(cells))
        print("\n".join([*answer(cell, device, cells, scores), ""]))
    print("\n".join(wrapped(QUALITY)))
    return 0


def cell_of(options: argparse.Namespace) -> Cell:
    """The cell that is asked for; `UsageError` where a size or the task makes no sense."""
    for name in ("task", "length", "width", "batch"):
        if getattr(options, name) is None:
            raise UsageError(
                f"expected --{name}, found none. For example: "
                "seqlab choose --length 4096 --width 256 --batch 1 --task decode"
            )
    if options.task not in TASKS:
        raise UsageError(unknown("task", options.task, TASKS))
    sizes = [_size(name, getattr(options, name)) for name in ("length", "width", "batch")]
    return Cell(cast(Task, options.task), *sizes)


def _size(name: str, text: str) -> int:
    try:
        size = int(text)
    except ValueError:
        size = 0
    if not 1 <= size <= LARGEST:
        raise UsageError(f"--{name} expects a whole number from 1 to {LARGEST:,}, found {text!r}.")
    return size


def _measured(workspace: Workspace) -> Mapping[Device, Sequence[Measured]]:
    if not workspace.database.is_file():
        return {}
    with Store.reading(workspace.database) as store:
        return measured(store)


def answer(
    cell: Cell, device: Device, found: Sequence[Measured], scores: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """Lines for one device, whose cells of this task were `found`; `scores` by what was held out."""
    asked = ASKED[cell.task].format(length=cell.length)
    yield from wrapped(f"{asked}, width {cell.width:,}, batch {cell.batch:,}, on {device}:", hanging=2)
    yield ""
    here = next((one for one in found if one.cell == cell), None)
    if here is not None:
        yield from _of_measured(here)
        return
    from seqlab.analysis.atlas.predictor import LEAST_CELLS

    if len(found) < LEAST_CELLS:
        said = f"This cell was not measured, and {len(found)} measured cells are too few to predict it from."
        yield from wrapped(f"{said} `nox -s atlas` measures more.", indent=2)
        yield from _nearest(cell, found)
        return
    yield from _predicted(cell, found, scores)


def _of_measured(one: Measured) -> Iterator[str]:
    """What was measured of the very cell."""
    first, second = one.ranked[:2]
    lead = one.seconds[second] / one.seconds[first] - 1
    noise = "more than" if one.is_clear else "within"
    blocks = len(one.blocks[first])
    yield from wrapped(
        f"{first} is the fastest: measured. {second} takes {share(lead)} longer, which is {noise} the noise "
        f"of {blocks} blocks of timing.",
        indent=2,
    )
    yield ""
    yield from _table([(name, one.seconds[name], "", "") for name in one.ranked], one.seconds[first])


def _predicted(
    cell: Cell, found: Sequence[Measured], scores: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """What is predicted of a cell never measured."""
    from seqlab.analysis.atlas.fit import coordinates
    from seqlab.analysis.atlas.predictor import MOST_CELLS, Predictor, octaves_outside

    near = sorted(found, key=lambda one: distance(cell, one.cell))[:MOST_CELLS]
    predicted = Predictor(near).predict([cell])
    sure = dict(zip(predicted.networks, predicted.probabilities[0], strict=True))
    ranked = sorted(sure, key=sure.__getitem__, reverse=True)
    seconds = dict(zip(predicted.networks, map(math.exp, predicted.log_seconds[0]), strict=True))
    low, high = (dict(zip(predicted.networks, ends[0], strict=True)) for ends in predicted.bounds)
    first, second = ranked[:2]
    said = f"{first} is the fastest: {percent(sure[first])} sure, predicted and not measured."
    if sure[first] < SURE:
        said += f" It may be {second} ({percent(sure[second])})."
    yield from wrapped(said, indent=2)
    yield ""
    rows = [
        (name, seconds[name], f"{_time(low[name])} to {_time(high[name])}", percent(sure[name]))
        for name in ranked
    ]
    yield from _table(rows, seconds[first])
    yield ""
    outside = float(octaves_outside(coordinates([cell]), coordinates([one.cell for one in near]))[0])
    if outside > 0:
        yield from wrapped(
            f"This is an extrapolation: no measured cell reaches so far, by a factor of {2**outside:.3g}. "
            f"Measured: {_range(found)}.",
            indent=2,
        )
    else:
        yield from wrapped(f"It lies within what was measured: {_range(found)}.", indent=2)
    yield from _nearest(cell, found)
    yield from wrapped(_trust(scores, extrapolated=outside > 0), indent=2)


def _trust(scores: Mapping[str, Mapping[str, str]], *, extrapolated: bool) -> str:
    """How often such answers were right on cells held out."""
    by, held = (
        ("length", "whole lengths") if extrapolated and "length" in scores else ("cell", "a tenth of them")
    )
    if by not in scores:
        return "`seqlab atlas --no-run` says how often such answers are right."
    score = scores[by]
    right, regret = share(float(score["right"])), share(float(score["regret"]), 1)
    return (
        f"On the {score['measured']} measured cells, with {held} held out at a time, the fastest was named "
        f"rightly in {right}, and the choice took {regret} longer than the best on average."
    )


def _nearest(cell: Cell, found: Sequence[Measured]) -> Iterator[str]:
    """The nearest measured cells with their times."""
    near = sorted(found, key=lambda one: distance(cell, one.cell))[:NEAREST]
    yield from wrapped("Nearest measured cells:", indent=2)
    for one in near:
        times = ", ".join(f"{name} {_time(one.seconds[name])}" for name in one.ranked)
        yield from wrapped(f"{one.cell}: {times}", indent=4, hanging=2)


def distance(one: Cell, other: Cell) -> float:
    """How far two cells are apart, in octaves."""
    return math.dist(*([math.log2(size) for size in cell.sizes] for cell in (one, other)))


def _range(found: Sequence[Measured]) -> str:
    """`length 16 to 4,096, width 32 to 512, batch 1 to 16, in 68 cells`."""
    ends = []
    for axis, name in enumerate(("length", "width", "batch")):
        sizes = [one.cell.sizes[axis] for one in found]
        ends.append(f"{name} {min(sizes):,} to {max(sizes):,}")
    return f"{', '.join(ends)}, in {len(found):,} cells"


def _table(rows: Sequence[tuple[str, float, str, str]], best: float) -> Iterator[str]:
    """Name, time, its interval, the time over the chosen one's, and the probability of being the fastest."""
    wide = any(row[2] for row in rows)
    head = (
        ("network", "time", "90 % interval", "times", "fastest")
        if wide
        else ("network", "time", "", "times", "")
    )
    table = [head, *((name, _time(s), between, f"{s / best:.2f}", sure) for name, s, between, sure in rows)]
    for row in table:
        yield f"  {row[0]:<18}{row[1]:>10}{row[2]:>24}{row[3]:>9}{row[4]:>12}".rstrip()


def percent(probability: float) -> str:
    """`93 %`, and never a certainty that no prediction has."""
    if probability > 0.995:
        return "over 99 %"
    return "under 1 %" if probability < 0.005 else share(probability)


def _time(seconds: float) -> str:
    from seqlab.document.numbers import number

    return number(seconds, "s")


def _scores(path: Path, device: Device, task: Task, cells: int) -> dict[str, dict[str, str]]:
    """What `seqlab atlas` wrote of this task, by what was held out; nothing if cells came since."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, csv.Error, UnicodeDecodeError):
        return {}
    wanted = {"device": device.name, "mlx": device.mlx, "task": task, "measured": str(cells), "over": "all"}
    return {row["by"]: row for row in rows if all(row.get(name) == value for name, value in wanted.items())}
