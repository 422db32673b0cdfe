"""Try to break Seqlab, again and again, each time in another way: `nox -s faults`.

nox -s faults                            all campaigns: most of an hour on an idle machine
nox -s faults -- kills disks --count 20  some of them, 20 cases each
nox -s faults -- edits --seed 2          other edits

A line tells each case that went wrong, with the command that tries it again, and a last line of each campaign
how many there were. Kills go by the clock, so that a case of them need not come out the same twice.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults import commands
from tests.faults.campaign import Campaign
from tests.faults.disks import Disks
from tests.faults.edits import Edits
from tests.faults.faults import Faults
from tests.faults.hostile import Hostile
from tests.faults.kills import Kills

KINDS: dict[str, type[Campaign]] = {
    "kills": Kills, "faults": Faults, "edits": Edits, "hostile": Hostile, "disks": Disks,
}  # fmt: skip


def main() -> int:
    """Run the campaigns; returns 1 if a case went wrong."""
    parser = argparse.ArgumentParser(prog="nox -s faults --", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)} (default: all)")
    parser.add_argument("--count", type=int, help="of each (default: as many as show that it holds)")
    parser.add_argument("--seed", type=int, default=1, help="other cases for another seed (default: 1)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case (default: 0)")
    asked = parser.parse_args()
    if unknown := set(asked.kinds) - KINDS.keys():
        parser.error(f"unknown kind {min(unknown)!r}; known: {', '.join(KINDS)}.")
    if (asked.count is not None and asked.count < 1) or asked.first < 0:
        parser.error("--count must be 1 or more, --first 0 or more.")
    os.environ["SEQLAB_CALIBRATE"] = "0"
    commands.preload()
    results = [
        tried(kind, count=asked.count, seed=asked.seed, first=asked.first) for kind in asked.kinds or KINDS
    ]
    return 0 if all(results) else 1


def tried(kind: str, *, count: int | None, seed: int, first: int) -> bool:
    """Whether all cases of a campaign went right."""
    began, wrong, counts, cases = time.monotonic(), 0, Counter[str](), 0
    with tempfile.TemporaryDirectory(prefix=f"seqlab-faults-{kind}-", ignore_cleanup_errors=True) as folder:
        campaign = KINDS[kind](Path(folder).resolve())
        wanted = count or campaign.COUNT
        while counts["tried"] < wanted:
            number = first + cases
            case = campaign.case(number, random.Random(f"{kind} {seed} {number}"))
            cases += 1
            counts.update(case.counts)
            counts["tried"] += 1 if "tried" not in case.counts else 0
            wrong += bool(case.wrong)
            again = f"python -m tests.faults {kind} --seed {seed} --first {number} --count 1"
            for text in case.wrong:
                print(f"{kind} {number}, {case.what}: {text} [{again}]", flush=True)
    tried = counts.pop("tried")
    told = "".join(f", {number:,} {name}" for name, number in counts.items())
    seconds = time.monotonic() - began
    print(f"{kind}: {tried:,} tried, {wrong} wrong{told}; {seconds:.0f} s", flush=True)
    return not wrong


if __name__ == "__main__":
    sys.exit(main())
