"""`seqlab reference --check N`: do trainings of the reference, run anew here, give what its seeds allow?"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from seqlab import pipeline
from seqlab.analysis.evidence import Evidence
from seqlab.analysis.findings import analyse_pages, of_reference
from seqlab.analysis.replication import CheckedTrial, replication
from seqlab.analysis.scope import format_number
from seqlab.errors import NothingRanError, UsageError
from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import Level
from seqlab.running.costs import stored_costs
from seqlab.running.plan import Plan, Request
from seqlab.running.replication import Drawn, sample
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

Key = tuple[str, frozenset[tuple[str, Level]], int]  # page, factors and seed of a trial


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
        comparable = _comparable(work, store) if work.beside else set()
        covered = [trial for plan in work.plans for trial in plan.covered if _key(trial) in comparable]
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
        pairs = [
            (page.experiment, page.reference.evidence, page.evidence) for page in found if page.reference
        ]
        checked = dict(_checked(pairs))
    print("\n".join(_told(checked, wanted)))
    return 1 if failed else 0


def _only(plan: Plan, wanted: Iterable[Trial]) -> Plan:
    chosen = set(map(id, wanted))
    return replace(plan, planned=tuple(trial for trial in plan.planned if id(trial) in chosen), covered=())


def _comparable(work: pipeline.Work, store: Store) -> set[Key]:
    """The trials by which some claim is judged and of which the reference has enough seeds."""
    beside = pipeline.beside_own(work, store)
    pages = [(plan.experiment, plan.planned) for plan in work.plans]
    held = of_reference(pages, beside["reference"], beside["referred"])
    itself = [
        (page, held[page.name].evidence, held[page.name].evidence) for page, _ in pages if page.name in held
    ]
    return {key for (key, _), _ in _checked(itself)}


def _key(trial: Trial) -> Key:
    return trial.experiment, frozenset(trial.factors.items()), trial.seed


def _checked(
    pages: Iterable[tuple[Experiment, Evidence, Evidence]],
) -> Iterator[tuple[tuple[Key, str], CheckedTrial]]:
    """Each value of a trial by which some claim is judged, once, with what the reference seeds allow."""
    for page, reference, here in pages:
        for claim in page.claims:
            for side in replication(claim.rule, reference, here).sides:
                for one in side.trials:
                    yield ((page.name, frozenset(one.factors.items()), one.seed), claim.rule.metric), one


def _told(checked: dict[tuple[Key, str], CheckedTrial], wanted: Sequence[Trial]) -> Iterator[str]:
    """A line for each value, and how many trials lie inside with all of their values."""
    outside: dict[Key, bool] = {}
    for (key, metric), one in checked.items():
        page, _, seed = key
        outside[key] = outside.get(key, False) or not one.inside
        levels = ", ".join(f"{name}={level}" for name, level in one.factors.items())
        yield (
            f"{'inside ' if one.inside else 'OUTSIDE'} {page}: {levels}, seed {seed}: {metric} "
            f"{format_number(one.value)}, allowed {format_number(one.low)} to {format_number(one.high)}"
        )
    told = sum(not found for found in outside.values())
    yield (
        f"{told} of {len(outside)} trials lie within the prediction intervals of the reference seeds; of "
        f"{len(wanted)} drawn, {max(len(wanted) - len(outside), 0)} did not run."
    )
