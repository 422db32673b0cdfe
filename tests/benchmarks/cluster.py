"""What does a trial on a cluster cost the command beside its own time, where workers are threads that sleep?

    python -m tests.benchmarks.cluster --trials 10000 --workers 100

Goals: at most 20 ms a trial, and at most 1 GB for a million measurements that come home. Scheduler and
workers share another process, so that processor time and memory are the command's own. On a busy machine only
those two and the count of round trips mean anything; the time per trial is then an upper bound.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqlab.cluster.crew import Crew
from seqlab.cluster.dispatch import dispatch
from seqlab.cluster.words import DEVICE as RESOURCE
from seqlab.cluster.words import Home, Job, Met, Terms
from seqlab.notebook.metrics import Measurement
from seqlab.running.worker import Outcome
from seqlab.store.database import Store
from tests.running.limited import DEVICE, compares, page, plan

SLEEP = 0.5  # seconds: with 100 workers 200 trials a second would be due
MEASUREMENTS = 100  # of a trial


def measured() -> Iterator[Measurement]:
    for step in range(MEASUREMENTS):
        yield Measurement("loss", 1.0 / (1 + step), "train", step)


def sleeping(question: Terms | Job) -> Met | Home:
    """A worker that does nothing but wait."""
    from distributed import get_worker

    if isinstance(question, Terms):
        return Met(DEVICE, place=get_worker().address)
    time.sleep(SLEEP)
    return Home(Outcome("ok", SLEEP, datetime.now(UTC), tuple(measured())))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trials", type=int, default=10_000)
    options.add_argument("--workers", type=int, default=100)
    options.add_argument("--serve", action="store_true", help="be the scheduler and the workers")
    asked = options.parse_args()
    if asked.serve:
        serve(asked.workers)
        return
    from distributed import Client

    sizes = tuple(range(1, 51))
    seeds = max(1, asked.trials // (2 * len(sizes)))
    wanted = plan(page("p", compares("C38"), sizes=sizes, seeds=seeds, parallel_over=("model", "size")))
    count = len(wanted.due)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "seqlab.db") as store,
        served(asked.workers) as address,
        Client(address, timeout=120, set_as_default=False) as client,
    ):
        crew = Crew(client, address, ask=sleeping)
        crew.engage(Terms(Path(folder), Path(folder), None, DEVICE[2], {}))
        while len(crew.hands) < asked.workers:
            list(crew.answers(0.2))
        trips = counted(client)
        before, began, worked = memory(), time.perf_counter(), time.process_time()
        failed = dispatch([wanted], store, crew, device=DEVICE)
        seconds, worked = time.perf_counter() - began, time.process_time() - worked
        stored = store.rows("SELECT count(*) FROM measurement")[0][0]
    overhead = (seconds - count * SLEEP / asked.workers) / count
    print(f"{count:,} trials of {SLEEP} s on {asked.workers} workers: {seconds:.0f} s, {failed} failed")
    print(f"processor time of the command: {1e3 * worked / count:.1f} ms a trial (goal 20)")
    print(f"round trips: {len(trips) / count:.2f} a trial; overhead in all {1e3 * overhead:.1f} ms a trial")
    held = memory()
    print(f"memory: {(held - before) / 1e9:.2f} GB for {stored:,} measurements, {held / 1e9:.2f} GB in all")


@contextmanager
def served(workers: int) -> Iterator[str]:
    """The address of a scheduler with so many workers, in a process of its own."""
    this = [sys.executable, "-m", "tests.benchmarks.cluster", "--serve", "--workers", str(workers)]
    with subprocess.Popen(this, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()  # which ends it


def serve(workers: int) -> None:
    """Scheduler and workers, until standard input ends."""
    import dask
    from distributed import LocalCluster

    dask.config.set({"distributed.worker.profile.enabled": False})  # a hundred would do little else
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=False, resources={RESOURCE: 1},
        memory_limit=0, dashboard_address=None, protocol="tcp",
    ) as cluster:  # fmt: skip
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()


def counted(client: Any) -> list[None]:
    """A list that grows with each question that the command waits for."""
    asked, sync = list[None](), client.sync

    def counting(*arguments: Any, **options: Any) -> Any:
        asked.append(None)
        return sync(*arguments, **options)

    client.sync = counting
    return asked


def memory() -> int:
    """The most that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
