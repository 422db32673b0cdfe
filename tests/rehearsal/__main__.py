"""`nox -s rehearsal`: do all pages run where MLX refuses what Metal refuses?

Of each page as many trials of the smoke budget as it takes to see every level of every factor, in a worker as
on a GPU: with its settings, one at a time, training steps compiled as far as the rehearsal can tell.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.rehearsal import rehearsed

ROOT = Path(__file__).parents[2]
MEMORY = 4 << 30  # bytes a trial may hold
TIMEOUT = 900.0  # seconds: every operation is looked at on its way


def main() -> int:
    """Run the trials and print a line a page; returns 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="nox -s rehearsal --", description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="default: all of them")
    pages = parser.parse_args().pages
    if "SEQLAB_REHEARSED" not in os.environ:  # once more, with MLX patched from the start
        command = [sys.executable, "-m", "tests.rehearsal", *pages]
        return subprocess.run(command, env=rehearsed() | {"SEQLAB_REHEARSED": "1"}, check=False).returncode
    from seqlab.machine import blas

    blas.load()
    from seqlab.notebook.discover import load
    from seqlab.running.plan import Request, trials
    from seqlab.running.worker import Worker

    known = sorted(path.stem for path in (ROOT / "experiments").glob("*.py"))
    failed = []
    with Worker(device="gpu", memory_limit=MEMORY) as worker:
        for name in pages or known:
            page, began = ROOT / "experiments" / f"{name}.py", time.monotonic()
            errors, planned = [], covering(trials(load(page), Request("smoke", seeds=1)))
            for trial in planned:
                with tempfile.TemporaryDirectory() as folder:
                    longer = replace(trial, timeout=TIMEOUT)
                    outcome = list(worker.run(page, longer, checkpoints=Path(folder)))[-1]
                if outcome is None or outcome.status != "ok":
                    errors.append(f"  {dict(trial.factors)}: {outcome.error if outcome else 'no outcome'}")
            print(
                f"{name}: {len(planned) - len(errors)} of {len(planned)} trials, "
                f"{time.monotonic() - began:.0f} s",
                *errors,
                sep="\n",
                flush=True,
            )
            failed += [name] if errors else []
    print(f"{len(pages or known) - len(failed)} of {len(pages or known)} pages")
    return 1 if failed else 0


def covering(planned: Sequence) -> list:  # type: ignore[type-arg]
    """The fewest trials, taken greedily, in which every level of every factor occurs."""
    missing = {level for trial in planned for level in trial.factors.items()}
    chosen = []
    while missing:
        best = max(planned, key=lambda trial: len(missing & set(trial.factors.items())))
        chosen.append(best)
        missing -= set(best.factors.items())
    return chosen


if __name__ == "__main__":
    sys.exit(main())
