"""Configure, run, measure, record, analyse, chart, render: the whole job, in `report`, on one screen.

The desk (pandas, seaborn, engines) is imported only once something has to be judged or drawn, so that
a command with nothing to do answers at once. Measured numbers are safe before the desk begins: a
failure there costs no result.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from seqlab.document.freshness import EARLY, FULL, Stamp, sources
from seqlab.engines.choice import choose
from seqlab.errors import NothingRanError
from seqlab.pipeline.current import conditions_of, made_from, print_unchanged, stored
from seqlab.pipeline.judging import Evidence, analyse, beside_own, decisions, evidence_runs, fix_rules
from seqlab.pipeline.measuring import keep_report_seconds, measure, print_left_out, replicate
from seqlab.pipeline.options import Options
from seqlab.pipeline.publishing import attach, chart, render, writing
from seqlab.pipeline.work import Work, configure, due_now, joined, opened_reference, print_due
from seqlab.running.plan import Request
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

__all__ = [
    "Options",
    "Work",
    "analyse",
    "beside_own",
    "configure",
    "decisions",
    "due_now",
    "evidence_runs",
    "fix_rules",
    "joined",
    "measure",
    "opened_reference",
    "print_due",
    "print_left_out",
    "report",
    "run",
]


def report(workspace: Workspace, request: Request, *, names: Sequence[str] | None, options: Options) -> int:
    """`seqlab report`: configure, run, measure, record, analyse, chart, render; a second time, nothing."""
    if names is None:
        options = options.limited_at_quick(request)
    with workspace.locked(), Store(workspace.database) as store, ExitStack() as stack:
        early, elsewhere = Stamp(workspace, EARLY), joined(workspace, options, stack)
        repeatable = options.run and not (options.dry_run or request.force)
        conditions = conditions_of(request, names, options, elsewhere) if repeatable else ""
        replicates_more = options.timed and options.reference and os.path.isdir(workspace.reference)
        if (
            repeatable
            and not replicates_more
            and early.holds(conditions, sources(workspace), *stored(workspace, store))
        ):
            print_unchanged(workspace)
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
        parts = made_from(work, evidence, store, request, engine)
        if full.holds(*parts):
            print_unchanged(workspace)
        else:
            with writing(workspace):
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
                keep_report_seconds(workspace, work, time.monotonic() - begin)
                if not troubles:
                    full.keep(*made_from(work, evidence, store, request, engine))

        if not any(evidence.values()) and not (work.beside and work.beside.held) and not work.broken:
            raise NothingRanError(_why_empty(store))
        wrong = bool(failed or _any_failed(store, evidence) or work.broken or troubles)
        if repeatable and not wrong and not left:
            early.keep(conditions, work.sources, *stored(workspace, store, work.files))
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


def _print_scope(names: Sequence[str] | None) -> None:
    """Say that the report, which took the place of the last one, is about some pages alone."""
    if names is not None:
        print(
            f"It is about {', '.join(dict.fromkeys(names))} alone; `seqlab report` makes that of all pages."
        )


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
