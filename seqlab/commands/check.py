"""`seqlab reference --check N`: do trainings of the reference, run anew here, give what its seeds allow?"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from seqlab import pipeline
from seqlab.analysis.findings import PageFindings, analyse_pages
from seqlab.analysis.replication import CheckedTrial, replication
from seqlab.analysis.scope import format_number
from seqlab.errors import NothingRanError, UsageError
from seqlab.notebook.experiment import Trial
from seqlab.notebook.figures import Level
from seqlab.running.costs import stored_costs
from seqlab.running.plan import Plan, Request
from seqlab.running.replication import Drawn, sample
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

Key = tuple[str, tuple[tuple[str, Level], ...], int]  # page, factors and seed of a trial


def run(
    workspace: Workspace, request: Request, *, names: Sequence[str], options: pipeline.Options, count: int
) -> int:
    """Run `count` trials of the reference anew, drawn by the stored seed, and compare them with it."""
    if count < 1:
        raise UsageError(f"--check needs a number of trials of 1 or more, found {count}.")
    if request.budget == "smoke":
        raise UsageError("the reference has no trials of the smoke budget. Choose --budget quick or full.")
    with workspace.locked(), Store(workspace.database) as store, ExitStack() as stack:
        opened = pipeline.opened_reference(workspace, request, options, stack)
        chosen = list(dict.fromkeys(names)) or None
        work = pipeline.configure(
            workspace, request, store, names=chosen, kind=options.device, reference=opened, covers=True
        )
        covered = [trial for plan in work.plans for trial in plan.covered]
        if work.beside is None or not covered:
            raise NothingRanError(f"the reference holds no trial of these pages: {workspace.reference}.")
        drawn = Drawn.read(workspace.results)
        drawn.keep(workspace.results)
        prices = stored_costs(
            store, [plan.experiment.name for plan in work.plans], device=work.device[1],
            reference=work.beside.store,
        )  # fmt: skip
        wanted = sample(covered, drawn, prices, count)
        plans = pipeline.due_now([_only(plan, wanted) for plan in work.plans], store, work.device)
        again = replace(work, plans=tuple(plan for plan in plans if plan.planned))
        if options.dry_run:
            return pipeline.print_due(again)
        failed = pipeline.measure(workspace, again, store, options, limit=options.limit)
        found = analyse_pages(
            [(plan.experiment, plan.planned) for plan in again.plans],
            pipeline.evidence_runs(again, store), store, **pipeline.beside_own(again, store),
        )  # fmt: skip
        checked = dict(_checked(found))
    print("\n".join(_told(checked, wanted)))
    return 1 if failed else 0


def _only(plan: Plan, wanted: Iterable[Trial]) -> Plan:
    chosen = set(map(id, wanted))
    return replace(plan, planned=tuple(trial for trial in plan.planned if id(trial) in chosen), covered=())


def _checked(pages: Iterable[PageFindings]) -> Iterator[tuple[tuple[Key, str], CheckedTrial]]:
    """Each value of a trial by which some claim is judged, once, with what the reference seeds allow."""
    for page in pages:
        for claim in page.experiment.claims if page.reference else ():
            assert page.reference is not None
            found = replication(claim.rule, page.reference.evidence, page.evidence)
            for one in (trial for side in found.sides for trial in side.trials):
                key = page.experiment.name, tuple(one.factors.items()), one.seed
                yield (key, claim.rule.metric), one


def _told(checked: dict[tuple[Key, str], CheckedTrial], wanted: Sequence[Trial]) -> Iterator[str]:
    """A line for each value, and how many trials lie inside with all of their values."""
    outside: dict[Key, bool] = {}
    for (key, metric), one in sorted(checked.items(), key=str):
        page, factors, seed = key
        outside[key] = outside.get(key, False) or not one.inside
        levels = ", ".join(f"{name}={level}" for name, level in factors)
        yield (
            f"{'inside ' if one.inside else 'OUTSIDE'} {page}: {levels}, seed {seed}: {metric} "
            f"{format_number(one.value)}, allowed {format_number(one.low)} to {format_number(one.high)}"
        )
    told = sum(not found for found in outside.values())
    yield (
        f"{told} of {len(outside)} trials lie within the prediction intervals of the reference seeds; of "
        f"{len(wanted)} drawn, {max(len(wanted) - len(outside), 0)} did not run or are compared by no claim."
    )
