"""How fast is Seqlab itself? Printed as a table by `nox -s bench`; nothing here asserts a time.

Goals, in seconds on 2 cores: a report with nothing to do 0.5; 25 figures to HTML and PDF 4; loading
100,000 runs with a million measurements 5, in at most 1 GB; the smoke budget of all pages 60; planning 5,000
trials for a limited time 0.5. The harness may cost 1 % of the time in trials, and 1 µs a step within a timed
region. Merging as many runs from a hundred stores has no goal.
"""

import shutil
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from seqlab.measure.timing import seconds
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.running.costs import stored_costs
from seqlab.running.schedule import by_need
from seqlab.running.worker import Worker
from seqlab.store.database import Run, Store
from tests.project import CALM, HERE, make
from tests.running.limited import compares, page, plan

Benchmark = Callable[..., Any]

PICTURES = CALM.replace(
    'Interval(x="accuracy", y="model", split="test", caption="Accuracy of both."),',
    '*(Interval(x="accuracy", y="model", split="test", caption=f"Accuracy {n}.") for n in range(25)),',
)


LOSSES = """    for step in range(50):
        yield Measurement("loss", 1.0, "train", step)
"""


def command(root: Path, *arguments: str) -> None:
    whole = [sys.executable, "-m", "seqlab", *arguments, "--root", str(root)]
    subprocess.run(whole, cwd=HERE, check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real project, without results."""
    root = tmp_path_factory.mktemp("project")
    for name in ("experiments", "report"):
        shutil.copytree(HERE / name, root / name)
    return root


@pytest.fixture(scope="module")
def finished(project: Path) -> Path:
    """The same with its smoke report made, by the benchmark of it or else now."""
    if not (project / "results" / "report.pdf").is_file():
        command(project, "report", "--smoke")
    return project


def test_smoke_report_from_nothing(benchmark: Any, project: Path) -> None:
    """All pages, the smoke budget: goal 60 s for the first four."""
    benchmark.pedantic(command, args=(project, "report", "--smoke"), rounds=1)


def test_report_with_nothing_to_do(benchmark: Any, finished: Path) -> None:
    """The whole process: goal 0.5 s."""
    benchmark.pedantic(command, args=(finished, "report", "--smoke"), rounds=7, warmup_rounds=1)


def test_what_the_harness_adds_to_a_trial(benchmark: Any, finished: Path, tmp_path: Path) -> None:
    """Sending a trial to the worker, spooling 50 measurements, storing the run: goal 1 % of the trials."""
    page = tmp_path / "calm.py"
    page.write_text(CALM.replace("    lift = LIFT", LOSSES + "    lift = LIFT"))
    trial = Trial("calm", {"model": "LSTM"}, 0, "smoke", {"pause": 0.0})
    inside: list[float] = []

    with Worker(device="cpu", memory_limit=1 << 40) as worker, Store(tmp_path / "seqlab.db") as store:

        def one_trial() -> None:
            *_, outcome = worker.run(page, trial)
            assert outcome is not None
            inside.append(outcome.seconds)
            store.add(replace(a_run(trial, points=0), measurements=outcome.measurements))

        one_trial()  # starts the process
        inside.clear()
        benchmark.pedantic(one_trial, rounds=100)

    with sqlite3.connect(finished / "results" / "seqlab.db") as connection:
        (mean,) = connection.execute("SELECT avg(seconds) FROM run").fetchone()
    added = benchmark.stats["median"] - sorted(inside)[len(inside) // 2]
    benchmark.extra_info["added to a trial, ms (goal: see the next)"] = 1e3 * added
    benchmark.extra_info["share of the smoke budget's mean trial, % (goal 1)"] = 100 * added / mean


def a_run(trial: Trial, *, points: int) -> Run:
    return Run(
        trial=trial,
        status="ok",
        seconds=1.0,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        device="cpu (bench)",
        mlx="0",
        fingerprint="f",
        provenance={},
        measurements=tuple(Measurement("loss", 1.0 / (step + 1), "train", step) for step in range(points)),
    )


def test_planning_5_000_trials_for_a_limited_time(benchmark: Any, tmp_path: Path) -> None:
    """Reading what is stored, predicting, ordering: 500 points of ten pages, half of them run. Goal 0.5 s."""
    plans = [
        plan(page(f"p{n}", compares("C38"), compares("C39"), sizes=range(25), seeds=10)) for n in range(10)
    ]
    assert sum(len(one.due) for one in plans) == 5_000
    with Store(tmp_path / "seqlab.db") as store:
        for one in plans:
            for trial in one.planned[::2]:
                store.add(a_run(trial, points=0))

        def planned() -> int:
            costs = stored_costs(store, [one.experiment.name for one in plans], device="cpu (bench)")
            return len(by_need(plans, decided={}, costs=costs, jobs=2))

        assert benchmark.pedantic(planned, rounds=5) == 5_000


def test_an_empty_step_within_a_timed_region(benchmark: Any) -> None:
    """What `step_time` says of a step that does nothing: goal 1 µs."""

    def median_of_many() -> float:
        return statistics.median(seconds(lambda: ()) for _ in range(1_001))

    inside = benchmark.pedantic(median_of_many, rounds=5)
    benchmark.extra_info["an empty step, µs (goal 1)"] = 1e6 * inside


def test_25_figures_to_html_and_pdf(benchmark: Any, tmp_path: Path) -> None:
    """From stored results, in a new process, charts and imports included: goal 4 s."""
    root = make(tmp_path, pictures=PICTURES)
    command(root, "run", "pictures", "--smoke")

    def again() -> tuple[tuple[Path, str], dict[str, str]]:
        shutil.rmtree(root / "results" / "report", ignore_errors=True)
        return (root, "report", "--smoke"), {}

    benchmark.pedantic(command, setup=again, rounds=3)


def test_merging_a_hundred_stores(benchmark: Any, tmp_path: Path) -> None:
    """Each of a thousand runs with ten measurements, in one command."""
    paths = [tmp_path / f"{number}.db" for number in range(100)]
    for path in paths:
        fill(path, runs=1_000, points=10)

    def merge() -> None:
        command(tmp_path, "results", "merge", *map(str, paths))

    benchmark.pedantic(merge, rounds=1)
    with Store(tmp_path / "results" / "seqlab.db") as store:
        assert store.rows("SELECT count(*) FROM run") == [(100_000,)]


def fill(path: Path, *, runs: int, points: int) -> None:
    """Make a store of so many runs, each with so many measurements."""
    with Store(path) as store:
        add, execute = store.add, store._connection.execute
        add(a_run(Trial("bench", {"model": "LSTM", "length": 64}, 0, "smoke", {"steps": 10}), points=points))
        execute("BEGIN")
        execute(
            f"WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {runs}) "
            "INSERT INTO run SELECT i, hex(randomblob(16)), key || i, experiment, i % 10, budget, "
            "json_object('length', i % 1000, 'model', 'LSTM'), settings, status, error, traceback, seconds, "
            "started, device, mlx, fingerprint, provenance FROM run, n WHERE id = 1"
        )
        execute(
            "INSERT INTO measurement SELECT r.id, m.metric, m.split, m.step, m.value "
            "FROM run r, measurement m WHERE r.id > 1 AND m.run = 1"
        )
        execute("COMMIT")


def test_loading_100_000_runs_with_a_million_measurements(benchmark: Any, tmp_path: Path) -> None:
    """Into the two tables, in a new process: goal 5 s and 1 GB."""
    path = tmp_path / "many.db"
    fill(path, runs=100_000, points=10)

    script = (
        "import resource, sys, time; from pathlib import Path; from seqlab.store.tables import load; "
        "begin = time.perf_counter(); tables = load(Path(sys.argv[1])); "
        "assert len(tables.runs) == 100_000 and len(tables.measurements) == 1_000_000; "
        "print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )

    def load_all() -> str:
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], cwd=HERE, check=True, capture_output=True, text=True
        )
        return done.stdout

    seconds, peak = map(float, benchmark.pedantic(load_all, rounds=3).split())
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes here
    benchmark.extra_info["loading alone, s (goal 5)"] = seconds
    benchmark.extra_info["its peak memory, GB (goal 1)"] = peak * unit / 1e9
