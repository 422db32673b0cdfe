"""Configure, run, measure, record, analyse, chart, render: the whole job, in `report`, on one screen.

The desk (pandas, seaborn, engines) is imported only once something has to be judged or drawn, so that
a command with nothing to do answers at once. Measured numbers are safe before the desk begins: a
failure there costs no result.
"""

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from seqlab.document import attachments
from seqlab.document.freshness import EARLY, FULL, NOT_SOURCES, Stamp, covered, sources
from seqlab.engines.choice import Engine, choose
from seqlab.errors import NothingRanError, RenderError, StoreError, UsageError
from seqlab.machine import blas
from seqlab.notebook.experiment import Trial
from seqlab.notebook.ledger import Entry
from seqlab.notebook.ledger import read as read_ledger
from seqlab.running.decided import Decided
from seqlab.running.execute import execute, fix_rules_of
from seqlab.running.fingerprint import KNOWN_FILE, Fingerprints
from seqlab.running.identity.changes import Changes, state_beside
from seqlab.running.identity.files import Files
from seqlab.running.limit import Limit
from seqlab.running.plan import Plan, Request, due_trials, runs_that_count, trials
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

if TYPE_CHECKING:  # the desk is not imported to look at a type
    from seqlab.analysis.findings import PageFindings
    from seqlab.cluster.elsewhere import Elsewhere
    from seqlab.reference.beside import Beside
    from seqlab.reference.stored import Reference

# Each holds a model's memory, and one trial of a small model keeps a core and a little more busy.
MOST_JOBS = 8

QUICK_SECONDS = 900.0  # that the whole report of the default budget may take; the same command goes on

# What judging, drawing and rendering take, set aside where the time is limited, until a report tells it here.
REPORT_SECONDS, FIGURE_SECONDS = 3.0, 0.15
REPORT_TOOK = ".report-time"  # in the results folder: the last report's time, of the usual

Evidence = Mapping[str, list[int]]  # for each page, the numbers of the runs that count


@dataclass(frozen=True)
class Options:
    """How to run and render, beside what to run."""

    device: str | None = None
    memory_gib: float | None = None
    jobs: int | None = None
    dry_run: bool = False
    engine: str = "auto"
    run: bool = True
    limit: Limit | None = None
    reference: bool = True  # whether verdicts may rest on it, and its trials need not run
    timed: bool = False  # whether the limit was asked for: then all of the time is used
    scheduler: str | None = None  # of a Dask cluster whose workers run the trials

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Options":
        """From the command line; `UsageError` for a number that makes no sense."""
        if options.memory is not None and not 0 < options.memory < math.inf:
            raise UsageError(f"--memory must be above 0 GiB, found {options.memory:g}.")
        if options.jobs is not None and options.jobs < 1:
            raise UsageError(f"--jobs must be 1 or more, found {options.jobs}.")
        limit = Limit.of(options.minutes, options.hours, budget=options.budget, force=options.force)
        if limit and getattr(options, "no_run", False):
            raise UsageError("--no-run runs nothing, so --minutes and --hours limit nothing. Leave one out.")
        scheduler = getattr(options, "scheduler", None)
        if scheduler and options.jobs is not None:
            raise UsageError(
                "--jobs is about this machine, and --scheduler has as many as it has workers. Leave one out."
            )
        return cls(
            options.device,
            options.memory,
            options.jobs,
            options.dry_run,
            getattr(options, "engine", "auto"),
            not getattr(options, "no_run", False),
            limit,
            not getattr(options, "no_reference", False),
            options.minutes is not None or options.hours is not None,
            scheduler,
        )

    def limited_at_quick(self, request: Request) -> "Options":
        """The same; at the quick budget, where no other time was given, with the time that it means."""
        if request.budget != "quick" or request.force or self.limit or self.dry_run or not self.run:
            return self
        return replace(self, limit=Limit(QUICK_SECONDS))


@dataclass(frozen=True)
class Work:
    """What a command works on: the plans of its pages, the broken pages, the claims, the device."""

    plans: tuple[Plan, ...]
    broken: Mapping[str, str]
    ledger: Mapping[str, Entry]
    device: tuple[str, str, str]  # kind, name, MLX version
    sources: str  # a hash of all files that pages, words and our own code were read from
    request: Request
    files: Files  # as they were when the trials were planned
    beside: "Beside | None" = None  # what the reference holds of them
    elsewhere: "Elsewhere | None" = None  # the workers that run the trials, where that is not this machine
    unjudged: dict[str, str] = field(default_factory=dict)  # pages whose runs cannot be judged, filled later


def report(workspace: Workspace, request: Request, *, names: Sequence[str] | None, options: Options) -> int:
    """`seqlab report`: configure, run, measure, record, analyse, chart, render; a second time, nothing."""
    if names is None:
        options = options.limited_at_quick(request)
    with workspace.locked(), Store(workspace.database) as store, ExitStack() as stack:
        early, elsewhere = Stamp(workspace, EARLY), joined(workspace, options, stack)
        repeatable = options.run and not (options.dry_run or request.force)
        conditions = _conditions(request, names, options, elsewhere) if repeatable else ""
        replicates_more = options.timed and options.reference and os.path.isdir(workspace.reference)
        if (
            repeatable
            and not replicates_more
            and early.holds(conditions, sources(workspace), *_stored(workspace, store))
        ):
            _print_unchanged(workspace)
            _print_scope(names)
            return 0

        reference = opened_reference(workspace, request, options, stack)
        work = configure(
            workspace,
            request,
            store,
            names=names,
            kind=options.device,
            reference=reference,
            covers=names is None,
            elsewhere=elsewhere,
        )
        if options.dry_run:
            return print_due(work)
        for name, reason in work.broken.items():
            print(f"seqlab: {name}: cannot be used: {reason}", file=sys.stderr)
        if options.engine != "auto":  # one that was asked for must be there before hours are spent
            choose(options.engine)
        fix_rules(work, store)
        decided = decisions(work, store)
        failed = measure(workspace, work, store, options, decided) if options.run else 0  # and record
        failed += replicate(workspace, work, store, options) if options.run else 0
        begin = time.monotonic()
        left = print_left_out(work, store, options, decided, failed=failed)
        evidence = evidence_runs(work, store)
        engine = choose(options.engine)
        troubles: list[str] = []
        full = Stamp(workspace, FULL, tuple(plan.experiment.name for plan in work.plans))
        parts = _made_from(work, evidence, store, request, engine)
        if full.holds(*parts):
            _print_unchanged(workspace)
        else:
            with _writing(workspace):
                full.remove()
                findings = analyse(work, evidence, store, request=request)
                attach(workspace, findings, store)

                def weave(hidden: Mapping[str, str]) -> tuple[str, ...]:
                    return chart(
                        workspace, work, findings, store,
                        request=request, engine=engine, left=left, hidden=hidden,
                    )  # fmt: skip

                troubles = [f"{name}: {reason}" for name, reason in work.unjudged.items()]
                troubles += weave({})
                troubles += render(workspace, engine, [page.experiment.name for page in findings], weave)
                for trouble in troubles:
                    print(f"seqlab: {trouble}", file=sys.stderr)
                _keep_report_seconds(workspace, work, time.monotonic() - begin)
                if not troubles:
                    full.keep(*_made_from(work, evidence, store, request, engine))

        if not any(evidence.values()) and not (work.beside and work.beside.held) and not work.broken:
            raise NothingRanError(_why_empty(store))
        wrong = bool(failed or _any_failed(store, evidence) or work.broken or troubles)
        if repeatable and not wrong and not left:
            early.keep(conditions, work.sources, *_stored(workspace, store, work.files))
    _print_scope(names)
    return 1 if wrong else 0


def run(workspace: Workspace, request: Request, *, names: Sequence[str], options: Options) -> int:
    """`seqlab run`: run the named pages, then print what they show and their verdicts."""
    with workspace.locked(), Store(workspace.database) as store, ExitStack() as stack:
        elsewhere = joined(workspace, options, stack)
        reference = opened_reference(workspace, request, options, stack)
        work = configure(
            workspace,
            request,
            store,
            names=list(dict.fromkeys(names)),
            kind=options.device,
            reference=reference,
            elsewhere=elsewhere,
        )
        if options.dry_run:
            return print_due(work)
        fix_rules(work, store)
        decided = decisions(work, store)
        failed = measure(workspace, work, store, options, decided)
        from seqlab.document.terminal import print_findings

        findings = analyse(work, evidence_runs(work, store), store, request=request)
        attach(workspace, findings, store)
        print_findings(findings, store, results=workspace.results)
        for name, reason in work.unjudged.items():
            print(f"seqlab: {name}: {reason}", file=sys.stderr)
        print_left_out(work, store, options, decided, failed=failed)
    return 1 if failed or work.unjudged else 0


def opened_reference(
    workspace: Workspace, request: Request, options: Options, stack: ExitStack
) -> "Reference | None":
    """The reference, to be closed with the stack; none for the smoke budget, whose toys it does not hold."""
    if not options.reference or request.budget == "smoke":
        return None
    from seqlab.reference.stored import opened

    return stack.enter_context(opened(workspace.reference, workspace.results))


def joined(workspace: Workspace, options: Options, stack: ExitStack) -> "Elsewhere | None":
    """The workers of `--scheduler`, to be left with the stack; None where this machine runs the trials."""
    if options.scheduler is None:
        return None
    from seqlab.cluster.elsewhere import elsewhere

    return stack.enter_context(
        elsewhere(options.scheduler, workspace, kind=options.device, memory_gib=options.memory_gib)
    )


def configure(
    workspace: Workspace,
    request: Request,
    store: Store,
    *,
    names: Sequence[str] | None,
    kind: str | None,
    reference: "Reference | None" = None,
    covers: bool = False,
    elsewhere: "Elsewhere | None" = None,
) -> Work:
    """Read the pages and the ledger; plan every trial of the named pages (all of them for None).

    With `covers`, trials that learn and that the reference holds are not due. The device is that of the
    workers `elsewhere`, if there are any.
    """
    blas.load()  # before anything imports MLX
    read_from = sources(workspace)  # before they are read: an edit from here on makes the report stale
    from seqlab.machine import device as devices
    from seqlab.notebook.discover import discover

    ledger = read_ledger(workspace.ledger)
    here = elsewhere.device if elsewhere else astuple(devices.current(kind))
    pages = discover(workspace.pages, ledger)
    plans, codes = [], Fingerprints(workspace.results / KNOWN_FILE)
    files = codes.files(workspace.pages / "any")
    for name in names if names is not None else pages.experiments:
        experiment, page = pages.named(name), pages.path(name)
        planned = trials(experiment, request)
        code = codes.of(page, files)
        changes = Changes(files, files.project.name(page.absolute()), code, store.used(name))
        plans.append(Plan(experiment, page, code, planned, (), changes))
    extra = _beside(reference, plans, files) if reference else None
    if extra and covers and not request.force:
        plans = [replace(plan, covered=extra.covered(plan)) for plan in plans]
    codes.keep()
    broken = dict(pages.broken) if names is None else {}
    due = due_now(plans, store, here, force=request.force)
    return Work(due, broken, ledger, here, read_from, request, files, extra, elsewhere)


def _beside(reference: "Reference", plans: Sequence[Plan], files: Files) -> "Beside":
    from seqlab.reference.beside import beside

    def since(plan: Plan, store: Store) -> Changes:
        page = files.project.name(plan.page.absolute())
        return Changes(files, page, plan.fingerprint, store.used(plan.experiment.name))

    return beside(reference, plans, since)


def due_now(
    plans: Sequence[Plan], store: Store, device: tuple[str, str, str], *, force: bool = False
) -> tuple[Plan, ...]:
    """The plans with those of their trials that are due by what is stored now."""
    _, name, mlx = device
    return tuple(
        replace(
            plan,
            due=tuple(
                due_trials(
                    _to_run(plan),
                    store.records(plan.experiment.name),
                    fingerprint=plan.fingerprint,
                    device=name,
                    mlx=mlx,
                    force=force,
                    changes=_changes(plan, store),
                )
            ),
        )
        for plan in plans
    )


def _to_run(plan: Plan) -> list[Trial]:
    """The planned trials that the reference does not cover."""
    covered = set(map(id, plan.covered))
    return [trial for trial in plan.planned if id(trial) not in covered]


def _changes(plan: Plan, store: Store) -> Changes | None:
    """What has changed since the page's stored runs, those that were stored meanwhile included."""
    if plan.changes is not None:
        plan.changes.add(store.used(plan.experiment.name))
    return plan.changes


def fix_rules(work: Work, store: Store) -> None:
    """Keep every rule with today's date, unless it is kept already: before it is run or judged by."""
    for plan in work.plans:
        fix_rules_of(plan.experiment, store)


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
        for line in changes.unforeseen_since() if (changes := _changes(plan, store)) else ():
            print(line)
    return failed


def _limit(workspace: Workspace, work: Work, options: Options) -> Limit | None:
    """The time for trials, without what the report will take."""
    return options.limit.reserving(_report_seconds(workspace, work)) if options.limit else None


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


def decisions(work: Work, store: Store) -> Decided | None:
    """What counts the decided claims; None for the smoke budget, which is not there to decide any."""
    if work.request.budget == "smoke":
        return None

    def judged(page: str) -> list[bool]:
        from seqlab.analysis.combined import DECIDED
        from seqlab.analysis.findings import analyse_pages

        own = replace(work, plans=tuple(plan for plan in work.plans if plan.experiment.name == page))
        pages = [(plan.experiment, plan.planned) for plan in own.plans]
        unjudged: dict[str, str] = {}
        found = analyse_pages(
            pages, evidence_runs(own, store), store, unjudged=unjudged,
            **beside_own(own, store),
        )  # fmt: skip
        if unjudged:
            raise UsageError(unjudged[page])
        return [verdict.outcome in DECIDED for verdict in found[0].verdicts]

    claims = {plan.experiment.name: [claim.id for claim in plan.experiment.claims] for plan in work.plans}
    return Decided(judged, claims)


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


def evidence_runs(work: Work, store: Store) -> Evidence:
    """For each page, the numbers of the runs that count."""
    _, device, mlx = work.device
    return {
        plan.experiment.name: runs_that_count(
            plan.planned,
            store.records(plan.experiment.name),
            fingerprint=plan.fingerprint,
            device=device,
            mlx=mlx,
            changes=_changes(plan, store),
        )
        for plan in work.plans
    }


def _runs_of_others(work: Work, store: Store) -> dict[str, dict[str, list[int]]]:
    """The runs of the same trials by other devices with the same MLX, by page and device."""
    _, own, mlx = work.device
    others = [
        device
        for (device,) in store.rows("SELECT DISTINCT device FROM run WHERE mlx = ? ORDER BY device", (mlx,))
        if device != own
    ]
    found: dict[str, dict[str, list[int]]] = {}
    for plan in work.plans if others else ():
        records, changes = store.records(plan.experiment.name), _changes(plan, store)
        for device in others:
            numbers = runs_that_count(
                plan.planned, records, fingerprint=plan.fingerprint, device=device, mlx=mlx, changes=changes
            )
            if numbers:
                found.setdefault(plan.experiment.name, {})[device] = numbers
    return found


def analyse(work: Work, evidence: Evidence, store: Store, *, request: Request) -> "list[PageFindings]":
    """Judge every claim of every page; keep what changed as history, if a whole budget was asked for.

    The smoke budget gives no verdicts, only whether each page works.
    """
    from seqlab.analysis.findings import analyse_pages

    pages = [(plan.experiment, plan.planned) for plan in work.plans]
    findings = analyse_pages(
        pages, evidence, store, smoke=request.budget == "smoke", unjudged=work.unjudged,
        **beside_own(work, store),
    )  # fmt: skip
    whole = not request.changes and request.seed is None
    for page in findings:
        for verdict in page.verdicts if whole else ():
            store.add_verdict(verdict, budget=request.budget)
    return findings


def beside_own(work: Work, store: Store) -> dict[str, Any]:
    """Runs beside those made here, for `analyse_pages`: of other devices, and of the reference."""
    others = _runs_of_others(work, store)
    if work.beside is None:
        return {"others": others}
    from seqlab.analysis.findings import ReferenceRuns

    planned = {plan.experiment.name for plan in work.plans}
    runs = {
        page: ReferenceRuns(held.numbers, work.beside.changed(page))
        for page, held in work.beside.held.items()
        if page in planned
    }
    return {"others": others, "reference": work.beside.store, "referred": runs}


def attach(workspace: Workspace, findings: "Sequence[PageFindings]", store: Store) -> None:
    """Write the pages' attachments into the results folder, where the report links to them."""
    from seqlab.document.artifacts import contents

    try:
        attachments.keep(workspace.results, contents(findings, store))
    except OSError as error:
        raise StoreError(
            f"cannot write attachments into {workspace.results}: {error.strerror}. Make room or make it "
            "writable, then run the same command again; every result is safe."
        ) from error


def chart(
    workspace: Workspace,
    work: Work,
    findings: "Sequence[PageFindings]",
    store: Store,
    *,
    request: Request,
    engine: Engine,
    left: int = 0,
    hidden: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Draw every figure and weave the report's source, for an engine to render.

    Returns what of the pages could not be shown. Of `hidden` pages only the reason is.
    """
    from seqlab.document.compose import compose
    from seqlab.engines.prose import faults

    return compose(
        findings,
        ledger=work.ledger,
        broken={**work.broken, **work.unjudged},
        store=store,
        budget=request.budget,
        options=request.options(),
        device=work.device[1],
        engine_note=engine.note,
        left=left,
        sources=workspace.words,
        folder=workspace.document,
        check=faults,
        hidden=hidden,
    )


def render(
    workspace: Workspace, engine: Engine, pages: Sequence[str], weave: Callable[[Mapping[str, str]], object]
) -> list[str]:
    """Render the woven source; put HTML and PDF in their places, each whole or not at all; print their paths.

    Where it cannot be rendered, `weave` is asked to leave out those `pages` that are to blame, each with the
    reason; returns them. Raises `RenderError` where a document is missing nevertheless.
    """
    hidden: dict[str, str] = {}
    try:
        rendered = engine.render(workspace.document)
        problem = " ".join(rendered.problems)
    except RenderError as error:
        rendered, problem = None, str(error)
    if problem:
        print("The report cannot be rendered; looking for the page that is the cause ...", file=sys.stderr)
        hidden = dict.fromkeys(_culprits(workspace, engine, pages, weave), problem)
        weave(hidden)
        if hidden or rendered is None:
            rendered = engine.render(workspace.document)
    assert rendered
    for made, final in zip((rendered.html, rendered.pdf), workspace.finished, strict=True):
        if made is not None:
            aside = final.with_name(f".{final.name}.part")
            shutil.copyfile(made, aside)
            aside.replace(final)
            print(final)
    if rendered.problems:
        raise RenderError(" ".join(rendered.problems))
    return [f"{name}: could not be rendered. {reason}" for name, reason in hidden.items()]


def _culprits(
    workspace: Workspace, engine: Engine, pages: Sequence[str], weave: Callable[[Mapping[str, str]], object]
) -> list[str]:
    from seqlab.engines.culprits import culprits

    def renders(shown: Sequence[str]) -> bool:
        weave({name: "left out" for name in pages if name not in shown})
        try:
            return not engine.render(workspace.document).problems
        except RenderError:
            return False

    return culprits(pages, renders)


@contextmanager
def _writing(workspace: Workspace) -> Iterator[None]:
    """What is called within writes the report; a disk that is full or closed becomes a line to the user."""
    try:
        yield
    except OSError as error:
        raise RenderError(
            f"cannot write the report into {workspace.results}: {error}. Make room or make it writable, then "
            "run the same command again; every result is safe."
        ) from error


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


def _keep_report_seconds(workspace: Workspace, work: Work, seconds: float) -> None:
    """Keep how long the report took, as a multiple of what is usual for so many figures."""
    (workspace.results / REPORT_TOOK).write_text(f"{seconds / _usual_report_seconds(work):.3f}\n")


def _usual_report_seconds(work: Work) -> float:
    return REPORT_SECONDS + FIGURE_SECONDS * sum(len(plan.experiment.figures) for plan in work.plans)


def _conditions(
    request: Request, names: Sequence[str] | None, options: Options, elsewhere: "Elsewhere | None"
) -> str:
    """What a report is asked for, and what would make it: device, engine, Python."""
    blas.load()  # before anything imports MLX
    from seqlab.machine import device as devices

    device = elsewhere.device if elsewhere else astuple(devices.current(options.device))
    engine = choose(options.engine).identity
    return repr((request, names, device, engine, sys.version, options.reference))


def _stored(workspace: Workspace, store: Store, files: Files | None = None) -> tuple[str, str]:
    """The state of the store, and of what its runs used that `sources` does not cover."""
    files = files or Fingerprints(workspace.results / KNOWN_FILE).files(workspace.pages / "any")
    return store.state(), state_beside(files, store.used().values(), covered(workspace), NOT_SOURCES)


def _made_from(
    work: Work, evidence: Evidence, store: Store, request: Request, engine: Engine
) -> tuple[object, ...]:
    """All that the report is made from: trials, runs, rules, pages, words, code, engine."""
    planned = [trial for plan in work.plans for trial in plan.planned]
    referred = {page: held.numbers for page, held in work.beside.held.items()} if work.beside else {}
    made_by = (work.device, request.options(), engine.identity, work.sources, referred)
    return planned, evidence, store.state(), dict(work.broken), made_by


def _print_scope(names: Sequence[str] | None) -> None:
    """Say that the report, which took the place of the last one, is about some pages alone."""
    if names is not None:
        print(
            f"It is about {', '.join(dict.fromkeys(names))} alone; `seqlab report` makes that of all pages."
        )


def _print_unchanged(workspace: Workspace) -> None:
    print("Nothing is due and nothing changed; the report is up to date.")
    for path in workspace.finished:
        print(path)


def print_due(work: Work) -> int:
    """Say which trials are due and why; run none."""
    total = 0
    for plan in work.plans:
        total += len(plan.due)
        covered = f", {len(plan.covered)} are in the reference" if plan.covered else ""
        print(f"{plan.experiment.name}: {len(plan.due)} of {len(plan.planned)} trials are due{covered}")
        for due_one in plan.due:
            print(f"  {due_one.trial.label()}: {due_one.reason}")
        for line in plan.changes.unforeseen() if plan.changes else ():
            print(f"  {line}")
    for name, reason in work.broken.items():
        print(f"{name}: cannot be used: {reason}")
    print(f"{total} trials are due." if total else "Nothing is due.")
    return 0


def _why_empty(store: Store) -> str:
    stored = store.rows("SELECT count(*) FROM run")[0][0]
    if not stored:
        return "nothing ran and nothing is stored: the report is empty. Run `seqlab report`."
    return (
        f"none of the {stored:,} stored runs counts for what was asked, by the present code and device: "
        "the report is empty. `seqlab report --dry-run` says why trials are due, `seqlab report` runs them."
    )


def _any_failed(store: Store, evidence: Evidence) -> bool:
    """Whether any run that counts is a failed one."""
    numbers = json.dumps([number for numbers in evidence.values() for number in numbers])
    counted = "SELECT count(*) FROM run WHERE status != 'ok' AND id IN (SELECT value FROM json_each(?))"
    return bool(store.rows(counted, (numbers,))[0][0])
