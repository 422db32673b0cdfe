"""Run what is due, page by page, and store each run as soon as it ends."""

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.machine import blas
from seqlab.machine.settings import Settings
from seqlab.notebook.claims import Claim
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.running.plan import DueTrial
from seqlab.store.database import FixedRule, Run, Store

if TYPE_CHECKING:
    from seqlab.running.identity.changes import Changes
    from seqlab.running.progress import Display
    from seqlab.running.worker import Worker


@dataclass(frozen=True)
class Plan:
    """What to do for one page: every trial that was asked for, and those of them that are due."""

    experiment: Experiment
    page: Path
    fingerprint: str
    planned: tuple[Trial, ...]
    due: tuple[DueTrial, ...]
    changes: "Changes | None" = None  # since the runs stored before; None to go by the fingerprint


def execute(
    plans: Sequence[Plan],
    store: Store,
    *,
    device: tuple[str, str, str],
    memory_limit: int,
    settings: Settings,
    checkpoints: Path,
    provenance: Callable[[], Mapping[str, Any]],
    jobs: int = 1,
    results: Path | None = None,
) -> int:
    """Run every due trial; returns how many failed. `device` is (kind, name, MLX version).

    Pages that measure time come first, each trial with the machine to itself. The trials of the others then
    run `jobs` at a time, and share the cores and the memory. `provenance` is asked once for each page, since
    power and heat change within an hour. A trial that was interrupted keeps its training states in a folder
    under `checkpoints`, until it has ended or the code has changed.
    """
    exclusive, parallel = _groups(plans)
    if not exclusive and not parallel:
        return 0
    # A command with nothing to run needs neither rich nor pebble, and answers sooner without.
    from seqlab.running.progress import display

    jobs = min(jobs, len(parallel)) or 1
    shared = replace(settings, blas_threads=max(1, blas.cores() // jobs)) if jobs > 1 else settings
    phases = (_Phase(exclusive, 1, settings), _Phase(parallel, jobs, shared))
    groups = [(group, phase.at_once) for phase in phases for group in phase.groups]
    trials = [trial for group, _ in groups for trial in group.trials]
    at_once = {group.plan.experiment.name: count for group, count in groups}
    mean_seconds = _mean_seconds(store, [plan.experiment.name for plan in plans])
    with display(trials, mean_seconds, at_once) as shown:
        executor = _Executor(store, device, checkpoints, provenance, shown, results)
        for phase in phases:
            executor.run(phase, memory_limit // phase.at_once)
    return executor.failed


@dataclass(frozen=True)
class _Group:
    """Trials of a page that run one after another in one worker, where they may share what they computed."""

    plan: Plan
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class _Phase:
    """Groups of trials that run so many at once, on a device with these settings."""

    groups: Sequence[_Group]
    at_once: int
    settings: Settings


@dataclass
class _Executor:
    """Runs phases of trials and stores each run; counts those that failed."""

    store: Store
    device: tuple[str, str, str]
    checkpoints: Path
    provenance: Callable[[], Mapping[str, Any]]
    shown: "Display"
    results: Path | None
    failed: int = 0
    _provenance_of: dict[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)

    def run(self, phase: _Phase, memory_limit: int) -> None:
        """Run all trials of the phase; each worker may hold so many bytes."""
        from seqlab.running.worker import Worker, wait_for_any

        kind, *_ = self.device
        with ExitStack() as stack:
            workers = [
                stack.enter_context(
                    Worker(
                        device=kind, memory_limit=memory_limit, settings=phase.settings, results=self.results
                    )
                )
                for _ in range(phase.at_once if phase.groups else 0)
            ]
            waiting = deque(phase.groups)
            active = [self._take_groups(waiting, phase, worker) for worker in workers]
            done = object()
            while active := [steps for steps in active if next(steps, done) is not done]:
                wait_for_any(workers)

    def _take_groups(self, waiting: deque[_Group], phase: _Phase, worker: "Worker") -> Iterator[None]:
        """Run groups that no other worker has taken; None wherever there is time to look after others."""
        while waiting:
            group = waiting.popleft()
            for trial in group.trials:
                yield from self._run_trial(trial, group.plan, phase, worker)

    def _run_trial(self, trial: Trial, plan: Plan, phase: _Phase, worker: "Worker") -> Iterator[None]:
        kind, name, mlx = self.device
        precise = plan.experiment.precise and kind == "gpu"
        provenance = self._provenance(plan, phase, precise=precise)
        self.shown.begin(trial)
        folder = self.checkpoints / trial.experiment / plan.fingerprint
        kept = folder / trial.key(device=name, mlx=mlx)[:16]
        for outcome in worker.run(
            plan.page, trial, checkpoints=kept, fingerprint=plan.fingerprint, precise=precise, blocking=False
        ):
            if outcome is None:
                self.shown.advance(trial, *worker.progress())
                yield
                continue
            self.store.add(
                Run(
                    trial=trial,
                    status=outcome.status,
                    seconds=outcome.seconds,
                    started=outcome.started,
                    device=name,
                    mlx=mlx,
                    fingerprint=plan.fingerprint,
                    provenance=provenance,
                    measurements=outcome.measurements,
                    artifacts=outcome.artifacts,
                    error=outcome.error,
                    traceback=outcome.traceback,
                    used=outcome.used,
                )
            )
            if outcome.status in ("ok", "diverged"):
                shutil.rmtree(kept, ignore_errors=True)
            self.failed += outcome.status != "ok"
            self.shown.end(trial, outcome.status, outcome.seconds, outcome.error)

    def _provenance(self, plan: Plan, phase: _Phase, *, precise: bool) -> Mapping[str, Any]:
        """The circumstances of the page's trials in this phase, taken before its first one."""
        page = plan.experiment.name
        if (page, phase.at_once) not in self._provenance_of:
            found = dict(self.provenance())
            found["trials at once"] = phase.at_once
            found |= {"TF32": "0"} if precise else {}
            found |= {"BLAS threads": phase.settings.blas_threads} if phase.at_once > 1 else {}
            self._provenance_of[page, phase.at_once] = found
            _discard_of_other_code(self.checkpoints / page, plan.fingerprint)
        return self._provenance_of[page, phase.at_once]


def _groups(plans: Sequence[Plan]) -> tuple[list[_Group], list[_Group]]:
    """The due trials that need the machine to themselves, and those that may run in parallel."""
    exclusive, parallel = list[_Group](), list[_Group]()
    for plan in plans:
        page = plan.experiment
        groups: dict[tuple[object, ...], list[Trial]] = {}
        for due in plan.due:
            factors = due.trial.factors
            shares = page.parallel_over and not (page.exclusive and page.exclusive.items() <= factors.items())
            key: tuple[object, ...] = tuple(map(factors.get, page.parallel_over)) if shares else ()
            groups.setdefault(key, []).append(due.trial)
        for key, trials in groups.items():
            (parallel if key else exclusive).append(_Group(plan, tuple(trials)))
    return exclusive, parallel


def fix_rules_of(experiment: Experiment, store: Store) -> None:
    """Store each rule of the page with today's date, unless it is stored already."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for claim in experiment.claims:
        store.fix_rule(FixedRule(claim.id, experiment.name, claim.rule.digest(), _statement(claim), now))


def _discard_of_other_code(folder: Path, fingerprint: str) -> None:
    """Remove training states that other code left, which must not be resumed, and anything else there."""
    for other in folder.glob("*"):
        if other.name == fingerprint:
            continue
        if other.is_dir() and not other.is_symlink():
            shutil.rmtree(
                other, ignore_errors=True
            )  # what stays is found by nothing, since its name is the other code's
        else:
            with suppress(OSError):
                other.unlink()


def _statement(claim: Claim) -> str:
    side = "above" if claim.rule.above is not None else "below"
    rule = f"{type(claim.rule).__name__} of {claim.rule.metric}, {side} {claim.rule.threshold:g}"
    return f"{claim.statement} [{rule}]"


def _mean_seconds(store: Store, experiments: Sequence[str]) -> dict[str, float]:
    """The mean seconds of a good trial of each page, from earlier runs."""
    found = {}
    for name in experiments:
        spent = [record.seconds for record in store.records(name) if record.status == "ok"]
        if spent:
            found[name] = sum(spent) / len(spent)
    return found
