"""`nox -s bench -- OPTIONS`: time the models and print the tables; `--write FILE` makes the document."""

import argparse
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from seqlab.calibration.record import Machine
from seqlab.machine import blas
from seqlab.running.calibrate import ensure
from seqlab.store import provenance
from tests.benchmarks.performance.cases import LENGTHS, MODELS, Phase, cases
from tests.benchmarks.performance.document import document, profile_table, tables
from tests.benchmarks.performance.goals import judge
from tests.benchmarks.performance.run import Plan, measure, profiles
from tests.pytorch_folder import add_to_path

ROOT = Path(__file__).parents[3]
TOLD = {  # of the circumstances of a run: what speed depends on
    "processor": "processor", "cores": "cores", "BLAS threads": "threads, of every library", "BLAS": "BLAS",
    "calibration": "settings of MLX", "system": "system", "python": "Python", "commit": "commit",
    "uncommitted changes": "uncommitted changes",
}  # fmt: skip


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL")
    parser.add_argument("--lengths", nargs="+", type=int, default=LENGTHS, metavar="N")
    parser.add_argument(
        "--phases", nargs="+", choices=get_args(Phase), default=get_args(Phase), metavar="PHASE"
    )
    parser.add_argument("--threads", type=int, help="of every library; by default one a core")
    parser.add_argument("--blocks", type=int, default=Plan.blocks)
    parser.add_argument("--block-seconds", type=float, default=Plan.block_seconds, metavar="S")
    parser.add_argument("--eager", action="store_true", help="leave the compiled form out")
    parser.add_argument(
        "--profile", action="store_true", help="print what holds the time, and time nothing else"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables there as a document")
    return parser.parse_args()


def main() -> int:
    """Run what was asked for."""
    asked = options()
    pytorch = add_to_path()
    library = blas.load()
    from seqlab.machine import device  # not above: it brings MLX, which comes after the BLAS

    here = device.current("cpu")
    found = ensure(Machine.here(here.kind, here.name, here.mlx))
    settings = replace(found.settings, blas_threads=asked.threads or blas.cores())
    wanted = cases(asked.models, asked.lengths, asked.phases)
    if asked.profile:
        print("\n\n".join(map(profile_table, profiles(wanted, settings))))
        return 0
    if not pytorch:
        print("PyTorch is not here: the tables do without it.", file=sys.stderr)
    plan = Plan(settings, not asked.eager, pytorch, asked.blocks, asked.block_seconds)
    begin = datetime.now(UTC)
    rows = list(measure(wanted, plan))
    print(tables(rows))
    if asked.write:
        told = provenance.gather(
            ROOT,
            device=here.name,
            blas=library.name,
            threads=asked.threads or blas.cores(),
            calibration=f"{found.origin}: {settings.summary()}",
            cache_bytes=settings.cache_bytes,
        )
        circumstances = {
            "date": f"{begin:%d %B %Y, %H:%M} UTC",
            "took": f"{(datetime.now(UTC) - begin).total_seconds() / 60:.0f} minutes",
            **{what: told[name] for name, what in TOLD.items() if name in told},
            "MLX": here.mlx,
            "PyTorch": version("torch") if pytorch else "not here",
        }
        missed = {each.case: None for each in judge(rows) if each.verdict != "met"}
        text = document(
            rows,
            profiles(list(missed), settings),
            command=shlex.join(["nox", "-s", "bench", "--", *sys.argv[1:]]),
            circumstances=circumstances,
        )
        asked.write.parent.mkdir(parents=True, exist_ok=True)
        asked.write.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
