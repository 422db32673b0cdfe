"""`python -m tests.benchmarks.trainings`: trainings an hour on all cores, ours beside PyTorch's.

One single-threaded process a core, all of one library at a time; blocks of the two take turns, in an order
drawn anew. A training is as many steps as the page allows at most.
"""

import argparse
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np

from seqlab.analysis.intervals import interval
from seqlab.calibration.record import Machine
from seqlab.machine import blas
from seqlab.running.calibrate import ensure
from tests.benchmarks.trainings.cases import CASES, Case
from tests.benchmarks.trainings.workers import LIBRARIES, Team
from tests.pytorch_folder import add_to_path

GOAL = 1.0  # trainings an hour, ours over PyTorch's, all networks together


@dataclass(frozen=True)
class Measured:
    """Trainings an hour of a case, block by block, for each library."""

    case: Case
    hourly: dict[str, list[float]]


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.trainings", description=__doc__)
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--block-seconds", type=float, default=1.0, metavar="S")
    asked = parser.parse_args()
    if not add_to_path():
        print("PyTorch is not here: nothing to compare with.", file=sys.stderr)
        return 0
    blas.load()
    from seqlab.machine import device  # not above: it brings MLX, which comes after the BLAS

    here = device.current("cpu")
    settings = replace(ensure(Machine.here(here.kind, here.name, here.mlx)).settings, blas_threads=1)
    found, rng = [], np.random.default_rng(0)
    with ExitStack() as stack:
        teams = {name: stack.enter_context(Team(name, blas.cores(), settings)) for name in LIBRARIES}
        for case in CASES:
            print(f"{case} ...", file=sys.stderr, flush=True)
            described = teams["ours"].describe(case)
            hourly: dict[str, list[float]] = {name: [] for name in LIBRARIES}
            for team in teams.values():
                team.prepare(case, described)
            for _ in range(asked.blocks):
                for name in rng.permutation(LIBRARIES):
                    rate = teams[name].steps_a_second(asked.block_seconds)
                    hourly[name].append(3_600 * rate / described.steps)
            found.append(Measured(case, hourly))
    print(table(found))
    return 0


def table(found: list[Measured]) -> str:
    """A row a network, then all of them together."""
    lines = [
        "| page | network | trainings an hour, ours | PyTorch | ratio | 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for each in found:
        ours, theirs = (np.array(each.hourly[name]) for name in LIBRARIES)
        ratio = interval(ours / theirs, log=True)
        lines.append(
            f"| `{each.case.page}` | {each.case.model} | {np.median(ours):.0f} | {np.median(theirs):.0f} | "
            f"{ratio.estimate:.2f} | {ratio.low:.2f} – {ratio.high:.2f} |"
        )
    # One training of each network: hours in each block, of either library.
    hours = {name: sum(1 / np.array(each.hourly[name]) for each in found) for name in LIBRARIES}
    ratio = interval(hours["pytorch"] / hours["ours"], log=True)
    met = "met" if ratio.low >= GOAL else "not met" if ratio.high < GOAL else "unclear"
    lines.append(
        f"| all | one of each | {len(found) / np.median(hours['ours']):.0f} | "
        f"{len(found) / np.median(hours['pytorch']):.0f} | {ratio.estimate:.2f} | "
        f"{ratio.low:.2f} – {ratio.high:.2f}: goal {GOAL} {met} |"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
