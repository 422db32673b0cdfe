"""Run what is due, page by page, and store each run as soon as it ends."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.errors import PageChangedError
from seqlab.machine import blas
from seqlab.machine.settings import Settings
from seqlab.notebook.claims import Claim
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.running.decided import Decided
from seqlab.running.environment import TOLD, environment
from seqlab.running.limit import Limit
from seqlab.running.plan import Plan
from seqlab.running.schedule import Block, Group, Queue, as_asked, by_need, cheapest, in_order, segments
from seqlab.store.database import FixedRule, Run, Store

if TYPE_CHECKING:
    from seqlab.running.costs import Costs
    from seqlab.running.progress import Display
    from seqlab.running.worker import Outcome, Worker

ENDED = ("ok", "diverged")  # how a trial ended that needs its training states no more


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
    limit: Limit | None = None,
    decided: Decided | None = None,
    results: Path | None = None,
    reference: Store | None = None,
) -> int:
    """Run every due trial; returns how many failed. `device` is (kind, name, MLX version).

    A page that is changed meanwhile counts as one more; its other trials are left out.

    Pages that measure time come first, each trial with the machine to itself. The trials of the others then
    run `jobs` at a time, and share the cores and the memory. `provenance` is asked once for each page, since
    power and heat change within an hour. A trial that was interrupted keeps its training states in a folder
    under `checkpoints`, until it has ended or the code has changed.

    With a `limit`, trials run in the order of `schedule.by_need` and only as far as they end in time; but at
    least one runs, the cheapest, so that the same command given again gets on. `decided` counts the claims.
    The `reference` tells what trials took elsewhere.
    """
    if not any(plan.due for plan in plans):
        return 0
    # A command with nothing to run needs neither rich nor pebble, and answers sooner without.
    from seqlab.running.costs import stored_costs
    from seqlab.running.progress import Estimate, display

    costs = stored_costs(
        store, [plan.experiment.name for plan in plans], device=device[1], reference=reference
    )
    blocks = as_asked(plans)
    jobs = min(jobs, len({block.group for block in blocks if not block.alone})) or 1
    if limit:
        blocks = by_need(plans, decided=decided.by_page if decided else {}, costs=costs, jobs=jobs)
    estimate = Estimate(blocks, costs, jobs=jobs, limit=limit)
    with display(sum(len(block.trials) for block in blocks), estimate, decided) as shown:
        book = Book.of(plans, store, shown, costs, decided)
        executor = _Executor(book, device, checkpoints, provenance, memory_limit, limit, results)
        executor.run(blocks, {True: _Phase(1, settings), False: _Phase(jobs, share_of(settings, jobs))})
    return book.failed


@dataclass
class Book:
    """Stores each run as its trial ends, shows it, and counts those that ran and that failed."""

    store: Store
    shown: "Display"
    costs: "Costs"
    decided: Decided | None
    left: Counter[str]  # due trials of each page that have not run
    ran: int = 0
    failed: int = 0

    @classmethod
    def of(
        cls, plans: Sequence[Plan], store: Store, shown: "Display", costs: "Costs", decided: Decided | None
    ) -> "Book":
        """For the due trials of these plans."""
        left = Counter(due.trial.experiment for plan in plans for due in plan.due)
        return cls(store, shown, costs, decided, left)

    def end(self, run: Run) -> None:
        """A trial has ended, in whatever way."""
        self.store.add(run)
        trial = run.trial
        self.ran += 1
        self.failed += run.status != "ok"
        self.left[trial.experiment] -= 1
        self.costs.ended(trial, run.seconds, run.status)
        if self.decided:
            self.decided.ended(trial.experiment, last=not self.left[trial.experiment])
        self.shown.end(trial, run.status, run.seconds, run.error)


@dataclass(frozen=True)
class _Phase:
    """So many trials at once, on a device with these settings."""

    at_once: int
    settings: Settings


@dataclass
class _Executor:
    """Runs blocks of trials, and has each run stored."""

    book: Book
    device: tuple[str, str, str]
    checkpoints: Path
    provenance: Callable[[], Mapping[str, Any]]
    memory_limit: int  # bytes, for all workers that run at the same time
    limit: Limit | None
    results: Path | None
    _changed: set[str] = field(default_factory=set)  # pages that were changed meanwhile
    _owners: dict[Group, object] = field(default_factory=dict)
    _provenance_of: dict[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)

    def run(self, blocks: Sequence[Block], phases: Mapping[bool, _Phase]) -> None:
        """Run the blocks in order, as far as they end in time; `phases[True]` says how those alone run."""
        crews: dict[_Phase, ExitStack] = {}
        workers: dict[_Phase, list[Worker]] = {}
        waiting = list(blocks)
        with ExitStack() as stack:
            while waiting:
                alone, some = next(segments(waiting))
                phase, rest = phases[alone], waiting[len(some) :]
                if phase not in workers:
                    crews[phase] = stack.enter_context(ExitStack())
                    workers[phase] = self._start(phase, crews[phase])
                queue = Queue(some, self.book.costs, self.limit, self._owners, pauses=alone)
                self._run(queue, phase, workers[phase])
                if self._late():
                    return
                waiting = rest
                if queue.paused:
                    waiting = in_order([*queue.waiting, *rest], self.book.costs, jobs=phases[False].at_once)
                if phase not in {phases[block.alone] for block in waiting}:
                    crews[phase].close()
                    del workers[phase]
        if self.limit and not self.book.ran:
            self.limit, first = None, cheapest(blocks, self.book.costs)  # it ends, however long it takes
            with ExitStack() as crew:
                phase = _Phase(1, phases[first.alone].settings)
                self._run(Queue([first], self.book.costs, None, {}), phase, self._start(phase, crew))

    def _start(self, phase: _Phase, crew: ExitStack) -> "list[Worker]":
        from seqlab.running.worker import Worker

        memory = self.memory_limit // phase.at_once
        return [
            crew.enter_context(
                Worker(
                    device=self.device[0], memory_limit=memory, settings=phase.settings, results=self.results
                )
            )
            for _ in range(phase.at_once)
        ]

    def _run(self, queue: Queue, phase: _Phase, workers: "Sequence[Worker]") -> None:
        from seqlab.running.worker import wait_for_any

        active = [self._take_blocks(queue, phase, worker) for worker in workers]
        done = object()
        while active := [steps for steps in active if next(steps, done) is not done]:
            if self._late():
                one = f"{len(active)} trial{'s' if len(active) > 1 else ''}"
                self.book.shown.note(f"Ended {one} that took longer than predicted, without a result.")
                return
            wait_for_any(workers)

    def _late(self) -> bool:
        """Whether trials must be ended now. Not before one has ended: else no command would get on."""
        return bool(self.limit and self.book.ran and self.limit.overdue())

    def _take_blocks(self, queue: Queue, phase: _Phase, worker: "Worker") -> Iterator[None]:
        """Run blocks that no other worker has taken; None wherever there is time to look after others."""
        while block := queue.take(worker):
            for place, trial in enumerate(block.trials):
                if trial.experiment in self._changed:
                    break
                if place and not queue.fits([trial], late=True):
                    break  # late, since what the first of them computed would be lost to the others
                try:
                    yield from self._run_trial(trial, block.plan, phase, worker)
                except PageChangedError as error:  # the page's other trials would not run either
                    self._changed.add(trial.experiment)
                    self.book.failed += 1
                    self.book.shown.note(f"{trial.experiment}: {error}")

    def _run_trial(self, trial: Trial, plan: Plan, phase: _Phase, worker: "Worker") -> Iterator[None]:
        kind, name, mlx = self.device
        variables = environment(plan.experiment, kind)
        provenance = self._provenance(plan, phase, variables)
        self.book.shown.begin(trial)
        folder = self.checkpoints / trial.experiment / plan.fingerprint
        kept = folder / trial.key(device=name, mlx=mlx)[:16]
        for outcome in worker.run(
            plan.page,
            trial,
            checkpoints=kept,
            fingerprint=plan.fingerprint,
            environment=variables,
            blocking=False,
        ):
            if outcome is None:
                self.book.shown.advance(trial, *worker.progress())
                yield
                continue
            self.book.end(run_of(outcome, trial, plan, provenance, device=name, mlx=mlx))
            if outcome.status in ENDED:
                shutil.rmtree(kept, ignore_errors=True)

    def _provenance(self, plan: Plan, phase: _Phase, variables: Mapping[str, str]) -> Mapping[str, Any]:
        """The circumstances of the page's trials in this phase, taken before its first one."""
        page = plan.experiment.name
        if (page, phase.at_once) not in self._provenance_of:
            self._provenance_of[page, phase.at_once] = of_trials(
                self.provenance(), phase.at_once, phase.settings, variables
            )
            discard_of_other_code(self.checkpoints / page, plan.fingerprint)
        return self._provenance_of[page, phase.at_once]


def of_trials(
    provenance: Mapping[str, Any], at_once: int, settings: Settings, variables: Mapping[str, str]
) -> dict[str, Any]:
    """The provenance of so many trials at once, in processes with these variables of the environment."""
    found = {**provenance, "trials at once": at_once}
    if "MLX_ENABLE_TF32" in variables and "float32 products" in found:
        found["float32 products"] = "float32"
    found |= {name: variables[variable] for variable, name in TOLD.items() if variable in variables}
    if at_once > 1 and "BLAS threads" in found:  # else the library takes no number, as a Mac's
        found["BLAS threads"] = min(settings.blas_threads or 1, found["BLAS threads"])
    return found


def share_of(settings: Settings, at_once: int) -> Settings:
    """The settings of one of so many trials at once, which share the cores."""
    return replace(settings, blas_threads=max(1, blas.cores() // at_once)) if at_once > 1 else settings


def run_of(
    outcome: "Outcome", trial: Trial, plan: Plan, provenance: Mapping[str, Any], *, device: str, mlx: str
) -> Run:
    """The run to store of a trial that ended so."""
    return Run(
        trial=trial,
        status=outcome.status,
        seconds=outcome.seconds,
        started=outcome.started,
        device=device,
        mlx=mlx,
        fingerprint=plan.fingerprint,
        provenance=provenance,
        measurements=outcome.measurements,
        artifacts=outcome.artifacts,
        error=outcome.error,
        traceback=outcome.traceback,
        used=outcome.used,
    )


def fix_rules_of(experiment: Experiment, store: Store) -> None:
    """Store each rule of the page with today's date, unless it is stored already."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for claim in experiment.claims:
        store.fix_rule(FixedRule(claim.id, experiment.name, claim.rule.digest(), _statement(claim), now))


def discard_of_other_code(folder: Path, fingerprint: str) -> None:
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
    predicted = f" Predicted: {claim.predicted}." if claim.predicted else ""
    return f"{claim.statement} [{rule}]{predicted}"
