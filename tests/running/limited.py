"""Made-up pages and trials, a clock that stands still, workers that pretend: for time as a budget."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from seqlab.notebook.claims import Claim, Difference, Exact, Ratio
from seqlab.notebook.experiment import Budget, Experiment, Trial, grid
from seqlab.notebook.metrics import Measurement
from seqlab.running.plan import DueTrial, Plan, Request, trials
from seqlab.running.worker import Outcome
from seqlab.store.database import Record, canonical_json

DEVICE = ("cpu", "cpu (here)", "1.0")


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def nothing(_: Trial) -> Iterator[Measurement]:
    yield Measurement("loss", 0.0)


def compares(claim: str, metric: str = "accuracy") -> Claim:
    """Attention against a recurrence, at each size."""
    sides = {"left": {"model": "A"}, "right": {"model": "B"}}
    if metric == "step_time":
        return Claim(claim, Ratio(metric=metric, per=("size",), below=1.0, **sides), "It is faster.")
    return Claim(claim, Difference(metric=metric, per=("size",), above=0.1, **sides), "It is better.")


def page(
    name: str,
    *claims: Claim,
    sizes: Sequence[int] = (1, 2),
    seeds: int | None = 2,
    together: int = 1,
    parallel_over: tuple[str, ...] = ("model",),
) -> Experiment:
    """Models A and B at some sizes."""
    points = grid(model=("A", "B"), size=tuple(sizes), seeds=seeds)
    return Experiment(
        run=nothing, budgets=(Budget("quick", points, {"steps": 10, "together": together}),), claims=claims,
        parallel_over=parallel_over, name=name,
    )  # fmt: skip


def exact(claim: str) -> Claim:
    return Claim(claim, Exact(metric="max_abs_error", below=1e-3), "They agree.")


def plan(experiment: Experiment, *, done: Sequence[Trial] = (), failed: Sequence[Trial] = ()) -> Plan:
    """All trials of the page but those that are done."""
    planned = trials(experiment, Request("quick"))
    due = tuple(DueTrial(trial, "asked", trial in failed) for trial in planned if trial not in done)
    return Plan(experiment, Path(f"{experiment.name}.py"), "code", planned, due)


def record(trial: Trial, seconds: float, *, device: str = DEVICE[1], status: str = "ok") -> Record:
    """A stored run of the trial."""
    return Record(
        id=1, key="", seed=trial.seed, budget="quick", factors=canonical_json(trial.factors),
        settings=canonical_json(trial.settings), status=status, error="", started="2026-01-01T00:00:00",
        device=device, mlx="1.0", fingerprint="code", seconds=seconds,
    )  # type: ignore[arg-type]  # fmt: skip


@dataclass
class Machine:
    """Workers that run trials by the clock alone. `seconds` tells what a trial really takes."""

    clock: Clock
    seconds: Mapping[str, float]  # by page
    log: list[tuple[float, Trial]] = field(default_factory=list)  # when each trial began
    running: dict[int, float] = field(default_factory=dict)  # when each busy worker will have ended
    processes: list[tuple[int, Trial]] = field(default_factory=list)
    most_at_once: dict[str, int] = field(default_factory=dict)

    def worker(self, **_: object) -> "PretendedWorker":
        return PretendedWorker(self)

    def wait_for_any(self, _: object) -> None:
        """Let time pass to the next end of a trial, but at most a second, as there are looks in between."""
        if self.running:
            self.clock.now = min(self.clock.now + 1.0, max(self.clock.now, min(self.running.values())))


class PretendedWorker:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def __enter__(self) -> "PretendedWorker":
        return self

    def __exit__(self, *_: object) -> None:
        self.machine.running.pop(id(self), None)

    def progress(self) -> tuple[int, float]:
        return 0, 0.0

    def run(self, _: Path, trial: Trial, **__: object) -> Iterator[Outcome | None]:
        machine, now = self.machine, self.machine.clock.now
        machine.log.append((now, trial))
        machine.processes.append((id(self), trial))
        machine.running[id(self)] = end = now + machine.seconds[trial.experiment]
        at_once = machine.most_at_once
        at_once[trial.experiment] = max(at_once.get(trial.experiment, 0), len(machine.running))
        while machine.clock.now < end:
            yield None
        del machine.running[id(self)]
        yield Outcome("ok", end - now, datetime.now(UTC), (Measurement("accuracy", 0.5, "test"),))
