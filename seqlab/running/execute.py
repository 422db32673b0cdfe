"""Run what is due, page by page, and store each run as soon as it ends."""

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqlab.machine import blas
from seqlab.machine.settings import Settings
from seqlab.notebook.claims import Claim
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.running.plan import Due
from seqlab.store.database import FixedRule, Run, Store


@dataclass(frozen=True)
class Plan:
    """One page's part of the work: every trial that was asked for, and those of them that are due."""

    experiment: Experiment
    page: Path
    fingerprint: str
    planned: tuple[Trial, ...]
    due: tuple[Due, ...]


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
) -> int:
    """Run every due trial; returns how many failed. `device` is (kind, name, MLX version).

    Pages that measure time come first, each with the machine to itself. The trials of the others then run
    `jobs` at a time, which share the cores and the memory. The circumstances are taken once a page, since
    power and heat change within an hour. A trial that did not end keeps its trainings in a folder under
    `checkpoints`, until it ended or the code changed.
    """
    alone, beside = _chains(plans)
    if not alone and not beside:
        return 0
    # A command with nothing to run needs neither rich nor pebble, and answers sooner without.
    from seqlab.running.progress import display
    from seqlab.running.worker import Worker, rest

    kind, name, mlx = device
    jobs = min(jobs, len(beside)) or 1
    shared = replace(settings, blas_threads=max(1, blas.cores() // jobs)) if jobs > 1 else settings
    known = _seconds_before(store, [plan.experiment.name for plan in plans])
    circumstances: dict[tuple[str, int], Mapping[str, Any]] = {}
    failed = 0

    def all_left(chains: deque[_Chain], worker: Worker, *, at_once: int) -> Iterator[None]:
        """Run what no other worker has taken up; None wherever there is time to look after others."""
        while chains:
            chain = chains.popleft()
            for trial in chain.trials:
                yield from one(trial, chain.plan, worker, at_once=at_once)

    def one(trial: Trial, plan: Plan, worker: Worker, *, at_once: int) -> Iterator[None]:
        nonlocal failed
        page, precise = plan.experiment.name, plan.experiment.precise and kind == "gpu"
        if (page, at_once) not in circumstances:
            found = dict(provenance())
            found["trials at once"] = at_once
            found |= {"TF32": "0"} if precise else {}
            found |= {"BLAS threads": shared.blas_threads} if at_once > 1 else {}
            circumstances[page, at_once] = found
            _discard_of_other_code(checkpoints / page, plan.fingerprint)
        shown.begin(trial)
        kept = checkpoints / page / plan.fingerprint / trial.key(device=name, mlx=mlx)[:16]
        running = worker.run(
            plan.page, trial, checkpoints=kept, code=plan.fingerprint, precise=precise, patient=False
        )
        for outcome in running:
            if outcome is None:
                shown.advance(trial, *worker.seen())
                yield
                continue
            store.add(
                Run(
                    trial=trial,
                    status=outcome.status,
                    seconds=outcome.seconds,
                    started=outcome.started,
                    device=name,
                    mlx=mlx,
                    fingerprint=plan.fingerprint,
                    provenance=circumstances[page, at_once],
                    measurements=outcome.measurements,
                    artifacts=outcome.artifacts,
                    error=outcome.error,
                    traceback=outcome.traceback,
                )
            )
            if outcome.status in ("ok", "diverged"):
                shutil.rmtree(kept, ignore_errors=True)
            failed += outcome.status != "ok"
            shown.end(trial, outcome.status, outcome.seconds, outcome.error)

    phases = [(alone, 1, settings), (beside, jobs, shared)]
    work = [
        (trial, chain.plan, count)
        for chains, count, _ in phases
        for chain in chains
        for trial in chain.trials
    ]
    at_once = {plan.experiment.name: count for _, plan, count in work}
    with display([trial for trial, *_ in work], known, at_once) as shown:
        for chains, count, chosen in phases:
            limit = memory_limit // count
            with ExitStack() as stack:
                workers = [
                    stack.enter_context(Worker(device=kind, memory_limit=limit, settings=chosen))
                    for _ in range(count if chains else 0)
                ]
                left = [all_left(chains, worker, at_once=count) for worker in workers]
                ended = object()
                while left := [each for each in left if next(each, ended) is not ended]:
                    rest(workers)
    return failed


@dataclass(frozen=True)
class _Chain:
    """Trials of a page that follow one another in one worker, where they may share what they computed."""

    plan: Plan
    trials: tuple[Trial, ...]


def _chains(plans: Sequence[Plan]) -> tuple[deque[_Chain], deque[_Chain]]:
    """The due trials of the pages that need the machine to themselves, and those of the others."""
    alone, beside = deque[_Chain](), deque[_Chain]()
    for plan in plans:
        page = plan.experiment
        groups: dict[tuple[object, ...], list[Trial]] = {}
        for due in plan.due:
            factors = due.trial.factors
            shares = page.parallel_over and not (page.exclusive and page.exclusive.items() <= factors.items())
            key: tuple[object, ...] = tuple(map(factors.get, page.parallel_over)) if shares else ()
            groups.setdefault(key, []).append(due.trial)
        for key, group in groups.items():
            (beside if key else alone).append(_Chain(plan, tuple(group)))
    return alone, beside


def fix_rules_of(experiment: Experiment, store: Store) -> None:
    """Keep each rule of the page with today's date, unless it is kept already."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for claim in experiment.claims:
        store.fix_rule(FixedRule(claim.id, experiment.name, claim.rule.digest(), _statement(claim), now))


def _discard_of_other_code(folder: Path, fingerprint: str) -> None:
    """Trainings that other code began must not go on; nor is anything else to lie there."""
    for other in folder.glob("*"):
        if other.name == fingerprint:
            continue
        if other.is_dir() and not other.is_symlink():
            shutil.rmtree(other, ignore_errors=True)  # what cannot be removed is not found either
        else:
            with suppress(OSError):
                other.unlink()


def _statement(claim: Claim) -> str:
    side = "above" if claim.rule.above is not None else "below"
    rule = f"{type(claim.rule).__name__} of {claim.rule.metric}, {side} {claim.rule.threshold:g}"
    return f"{claim.statement} [{rule}]"


def _seconds_before(store: Store, experiments: Sequence[str]) -> dict[str, float]:
    """Mean seconds of a good trial of each page, from earlier runs."""
    found = {}
    for name in experiments:
        spent = [record.seconds for record in store.records(name) if record.status == "ok"]
        if spent:
            found[name] = sum(spent) / len(spent)
    return found
