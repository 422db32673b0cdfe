"""What does the atlas say? Who is the fastest where, how far predictions can be trusted, maps and tables.

Everything comes from the store: this prints it and writes it into the folder `atlas` of the results.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from seqlab.analysis.atlas.cells import TASKS, Device, Measured, Task
from seqlab.analysis.atlas.held_out import (
    BY_CELL,
    BY_DEVICE,
    REGIONS,
    REGRET_GOAL,
    RIGHT_GOAL,
    Answer,
    Score,
    held_out,
    held_out_devices,
)
from seqlab.analysis.atlas.order import Skipped
from seqlab.analysis.atlas.predictor import LEAST_CELLS, Predictor
from seqlab.commands.common import new_table, print_table, share
from seqlab.document.numbers import number
from seqlab.errors import StoreError

MOST_NAMED = 3  # cells left out
SCORES, HELD_OUT, CELLS = "scores.csv", "held-out.csv", "cells.csv"

Found = Mapping[Device, Sequence[Measured]]
Scored = list[tuple[Device, Task, str, int, list[Answer]]]  # with what was held out, and of how many cells


def report(found: Found, skipped: Sequence[Skipped], here: Device, folder: Path) -> None:
    """Print and write all of it. `skipped` are the cells that were left out on the device `here`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [_write_cells(found, folder / CELLS)]
        for device, cells in found.items():
            print(f"\n{device}: {_counted(cells)}")
        _print_skipped(skipped)
        scored = list(_scored(found))
        if scored:
            print_table(_scores(scored))
        else:
            print(f"Predictions need more than {LEAST_CELLS} cells of a task; `nox -s atlas` measures more.")
        paths += [_write_scores(scored, folder / SCORES), _write_answers(scored, folder / HELD_OUT)]
        paths += _maps(found, skipped, here, folder)
    except OSError as error:
        raise StoreError(
            f"cannot write the atlas into {folder}: {error.strerror}. Make room or make it writable, then "
            "run the same command again; every result is safe."
        ) from error
    print("\n".join(map(str, paths)))


def of_task(cells: Sequence[Measured], task: Task) -> list[Measured]:
    """The cells of this task."""
    return [one for one in cells if one.cell.task == task]


def _counted(cells: Sequence[Measured]) -> str:
    """`136 cells, 120 with a clear lead. train: Transformer fastest in 35, …; decode: …`."""
    parts = []
    for task in TASKS:
        if own := of_task(cells, task):
            first = Counter(one.ranked[0] for one in own).most_common()
            parts.append(f"{task}: " + ", ".join(f"{name} fastest in {many}" for name, many in first))
    clear = sum(one.is_clear for one in cells)
    return f"{len(cells):,} cells, {clear:,} with a lead beyond the noise\n  " + "\n  ".join(parts)


def _print_skipped(skipped: Sequence[Skipped]) -> None:
    """Say which cells were left out: bounds, not measurements."""
    for why, chosen in (
        ("a step", [one for one in skipped if one.seconds is not None]),
        ("memory", [one for one in skipped if one.bytes is not None]),
    ):
        if chosen:
            smallest = sorted(chosen, key=lambda one: one.seconds or one.bytes or 0.0)[:MOST_NAMED]
            named = "; ".join(
                f"{one.cell.task}, {one.cell} ("
                + (number(one.seconds, "s") if one.seconds else number(one.bytes or 0.0, "B"))
                + ")"
                for one in smallest
            )
            more = f"; and {len(chosen) - len(smallest):,} more" if len(chosen) > len(smallest) else ""
            print(
                f"Left out, since {why} is predicted to take more than the limit (a bound, not a "
                f"measurement): {named}{more}."
            )


def _scored(found: Found) -> Iterator[tuple[Device, Task, str, int, list[Answer]]]:
    """The answers on cells held out, for each device and task, by cell, by region and by device."""
    for task in TASKS:
        own = {device: of_task(cells, task) for device, cells in found.items()}
        for device, cells in own.items():
            for by in (BY_CELL, *REGIONS):
                if answers := held_out(by, cells):
                    yield device, task, by, len(cells), answers
        for device, answers in held_out_devices(own):
            if answers:
                yield device, task, BY_DEVICE, len(own[device]), answers


def _scores(scored: Scored) -> Table:
    """Two rows for each way to hold out: over all cells, and over those with a clear lead."""
    table = new_table(
        "task", "held out by", "of", "cells", "right", "regret", "worst", "intervals hold", "sure: right",
        "goals",
        title=f"On cells held out: goals {share(RIGHT_GOAL)} right, {share(REGRET_GOAL)} regret",
    )  # fmt: skip
    several = len({device for device, *_ in scored}) > 1
    for device, task, by, _, answers in scored:
        for over, chosen in over_which(answers):
            score = Score.of(chosen)
            met = score.right >= RIGHT_GOAL and score.regret <= REGRET_GOAL
            table.add_row(
                f"{task}, {device}" if several else task, by, over, f"{score.cells:,}", share(score.right, 1),
                share(score.regret, 1), share(score.worst, 1), share(score.within, 1),
                f"{share(score.sure_right, 1)} of {score.sure}" if score.sure else "–",
                "met" if met else "not met",
            )  # fmt: skip
    return table


def over_which(answers: Sequence[Answer]) -> Iterator[tuple[str, list[Answer]]]:
    """All answers, and those on cells with a lead beyond the noise, if there are any."""
    clear = [answer for answer in answers if answer.measured.is_clear]
    for over, chosen in (("all", list(answers)), ("clear", clear)):
        if chosen:
            yield over, chosen


def _maps(found: Found, skipped: Sequence[Skipped], here: Device, folder: Path) -> list[Path]:
    """A drawing for each device and task with enough cells."""
    from seqlab.charts.frontier import Frontier, draw_frontier

    paths: list[Path] = []
    for device, cells in found.items():
        for task in TASKS:
            own = of_task(cells, task)
            if len(own) < LEAST_CELLS:
                continue
            there = {one.cell for one in own}
            left_out = [
                one.cell
                for one in skipped
                if device == here and one.cell.task == task and one.cell not in there
            ]
            frontier = Frontier(task, str(device), own, Predictor(own), left_out)
            name = re.sub(r"[^a-z0-9]+", "-", f"{task} {device}".lower()).strip("-")
            paths += draw_frontier(frontier, folder / name)
    return paths


def _write_cells(found: Found, path: Path) -> Path:
    """A row for each network in each measured cell."""
    head = (
        "device",
        "mlx",
        "task",
        "length",
        "width",
        "batch",
        "network",
        "seconds",
        "blocks",
        "rank",
        "clear",
    )
    rows = [
        (
            *device, *one.cell, name, f"{one.seconds[name]:.6g}", len(one.blocks[name]),
            rank, int(one.is_clear),
        )
        for device, cells in found.items()
        for one in cells
        for rank, name in enumerate(one.ranked, start=1)
    ]  # fmt: skip
    return _write(path, head, rows)


def _write_scores(scored: Scored, path: Path) -> Path:
    """A row for each way to hold out, over all cells and over those with a clear lead."""
    rows = []
    for device, task, by, measured, answers in scored:
        for over, chosen in over_which(answers):
            values = [f"{value:.6g}" for value in asdict(Score.of(chosen)).values()]
            rows.append((*device, task, by, measured, over, *values))
    return _write(path, ("device", "mlx", "task", "by", "measured", "over", *Score.__annotations__), rows)


def _write_answers(scored: Scored, path: Path) -> Path:
    """A row for each answer."""
    head = (
        "device", "mlx", "task", "length", "width", "batch", "held out by", "chosen", "probability",
        "fastest", "regret", "clear",
    )  # fmt: skip
    rows = [
        (
            *device, *answer.measured.cell, by, answer.chosen, f"{answer.probability:.4f}",
            answer.measured.ranked[0], f"{answer.regret:.6g}", int(answer.measured.is_clear),
        )
        for device, _, by, _, answers in scored
        for answer in answers
    ]  # fmt: skip
    return _write(path, head, rows)


def _write(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)
    return path
