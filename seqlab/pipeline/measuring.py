"""Which due trials run, here or elsewhere, in the time that there is? Each is stored as it ends."""

import math
import sys
from dataclasses import replace

from seqlab.machine import blas
from seqlab.pipeline.judging import evidence_runs
from seqlab.pipeline.options import Options
from seqlab.pipeline.work import Work, changes_since, due_now
from seqlab.running.decided import Decided
from seqlab.running.execute import execute
from seqlab.running.limit import Limit
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

# Each holds a model's memory, and one trial of a small model keeps a core and a little more busy.
MOST_JOBS = 8

# What judging, drawing and rendering take, set aside where the time is limited, until a report tells it here.
REPORT_SECONDS, FIGURE_SECONDS = 3.0, 0.15
REPORT_TOOK = ".report-time"  # in the results folder: the last report's time, of the usual


def measure(
    workspace: Workspace,
    work: Work,
    store: Store,
    options: Options,
    decided: Decided | None = None,
    *,
    limit: Limit | None = None,
) -> int:
    """Run every due trial, or those that the time allows, and store each; returns how many failed.

    A new device is calibrated before. `decided` counts the claims meanwhile. `limit` is for the trials alone;
    without one they have what the options leave for them.
    """
    if not any(plan.due for plan in work.plans):
        return 0
    from seqlab.running.awake import awake

    if decided:
        evidence = evidence_runs(work, store)
        held = work.beside.held if work.beside else {}
        decided.refresh(page for page, runs in evidence.items() if runs or page in held)
    limit, reference = limit or _limit(workspace, work, options), work.beside.store if work.beside else None
    with awake():
        if work.elsewhere:
            failed = work.elsewhere.execute(
                work.plans, store, limit=limit, decided=decided, reference=reference
            )
        else:
            from seqlab.running.circumstances import Circumstances

            here = Circumstances.here(workspace.root, work.device, memory_gib=options.memory_gib)
            failed = execute(
                work.plans,
                store,
                device=work.device,
                memory_limit=here.memory,
                settings=here.found.settings,
                checkpoints=workspace.results / "checkpoints",
                jobs=_jobs(work, options),
                limit=limit,
                decided=decided,
                provenance=here.gather,
                results=workspace.results,
                reference=reference,
            )
    for plan in work.plans:
        for line in changes.unforeseen_since() if (changes := changes_since(plan, store)) else ():
            print(line)
    return failed


def replicate(workspace: Workspace, work: Work, store: Store, options: Options) -> int:
    """Run some trials anew that the reference covers, as time allows; returns how many failed.

    Which ones a stored seed decides. A limited time has to be left over by all that is due.
    """
    from seqlab.running.replication import SECONDS, FromReference, anew

    limit = _limit(workspace, work, options)
    left = limit.left() if limit else math.inf
    seconds = left if options.timed else SECONDS[work.request.budget]
    if work.beside is None or not any(plan.covered for plan in work.plans) or min(seconds, left) <= 0:
        return 0
    if limit and any(plan.due for plan in due_now(work.plans, store, work.device)):
        return 0
    asked = FromReference(work.beside.store, work.beside.reference.key, seconds, more=options.timed)
    chosen = anew(work.plans, store, workspace.results, asked, device=work.device, jobs=_jobs(work, options))
    plans = due_now(chosen, store, work.device)
    if due := sum(len(plan.due) for plan in plans):
        covered = sum(len(plan.covered) for plan in work.plans)
        print(f"The reference has {covered:,} of the trials; {due:,} of them run here too.", file=sys.stderr)
    return measure(workspace, replace(work, plans=plans), store, options, limit=Limit(min(seconds, left)))


def print_left_out(
    work: Work, store: Store, options: Options, decided: Decided | None, *, failed: int
) -> int:
    """Say what a limited time left out and what more of it would decide; returns how many trials.

    Those that ran and `failed` are due again, but no time would have changed that.
    """
    if options.limit is None or decided is None:
        return 0
    plans = [
        replace(plan, due=tuple(one for one in plan.due if not (failed and one.failed)))
        for plan in due_now(work.plans, store, work.device)
    ]
    left = sum(len(plan.due) for plan in plans)
    if left and options.run:
        from seqlab.running.costs import stored_costs
        from seqlab.running.outlook import outlook

        decided.catch_up()
        decided.refresh({plan.experiment.name for plan in work.plans} - decided.by_page.keys())
        costs = stored_costs(
            store, [plan.experiment.name for plan in plans], device=work.device[1],
            reference=work.beside.store if work.beside else None,
        )  # fmt: skip
        ran = sum(len(plan.due) for plan in work.plans) - left
        jobs = _jobs(work, options)
        for line in outlook(plans, decided, costs, jobs=jobs, limit=options.limit, ran=ran):
            print(line, file=sys.stderr)
    return left


def _limit(workspace: Workspace, work: Work, options: Options) -> Limit | None:
    """The time for trials, without what the report will take."""
    return options.limit.reserving(_report_seconds(workspace, work)) if options.limit else None


def _jobs(work: Work, options: Options) -> int:
    """How many trials run at a time where no time is measured."""
    if work.elsewhere:
        return work.elsewhere.jobs
    return options.jobs or (min(blas.cores(), MOST_JOBS) if work.device[0] == "cpu" else 1)


def _report_seconds(workspace: Workspace, work: Work) -> float:
    """What the report will take after the trials: as long as the last one, for as many figures."""
    try:
        kept = float((workspace.results / REPORT_TOOK).read_text())
    except (OSError, ValueError):
        kept = 1.0
    return (kept if 0 < kept < math.inf else 1.0) * _usual_report_seconds(work)


def keep_report_seconds(workspace: Workspace, work: Work, seconds: float) -> None:
    """Keep how long the report took, as a multiple of what is usual for so many figures."""
    (workspace.results / REPORT_TOOK).write_text(f"{seconds / _usual_report_seconds(work):.3f}\n")


def _usual_report_seconds(work: Work) -> float:
    return REPORT_SECONDS + FIGURE_SECONDS * sum(len(plan.experiment.figures) for plan in work.plans)
