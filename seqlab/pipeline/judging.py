"""Which runs count, and what do they say of the claims?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seqlab.errors import UsageError
from seqlab.pipeline.work import Work, changes_since
from seqlab.running.decided import Decided
from seqlab.running.execute import fix_rules_of
from seqlab.running.plan import Request, runs_that_count
from seqlab.store.database import Store

if TYPE_CHECKING:  # the desk is not imported to look at a type
    from seqlab.analysis.findings import PageFindings

Evidence = Mapping[str, list[int]]  # for each page, the numbers of the runs that count


def fix_rules(work: Work, store: Store) -> None:
    """Keep every rule with today's date, unless it is kept already: before it is run or judged by."""
    for plan in work.plans:
        fix_rules_of(plan.experiment, store)


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
            changes=changes_since(plan, store),
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
        records, changes = store.records(plan.experiment.name), changes_since(plan, store)
        for device in others:
            numbers = runs_that_count(
                plan.planned, records, fingerprint=plan.fingerprint, device=device, mlx=mlx, changes=changes
            )
            if numbers:
                found.setdefault(plan.experiment.name, {})[device] = numbers
    return found


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
