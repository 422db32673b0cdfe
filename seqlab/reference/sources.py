"""Which pages may be in the reference, which of their trials are due for it, and which may be exported?"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from seqlab.errors import UsageError
from seqlab.notebook.experiment import Trial
from seqlab.reference.beside import Beside
from seqlab.reference.export import Source
from seqlab.reference.held import tried, tried_of
from seqlab.running.learning import is_learning, learning
from seqlab.running.plan import Plan, Request, trials
from seqlab.store.database import Store, canonical_json


def of_learning(
    plans: Sequence[Plan],
    request: Request,
    beside: Beside | None,
    device: tuple[str, str, str],
    *,
    named: bool,
) -> list[Plan]:
    """The plans of the learning pages with their learning trials alone, those of smaller budgets included.

    Covered are trials that the reference has, unchanged since, of this very device. `UsageError` if a page
    was `named` that is no learning page.
    """
    others = [plan.experiment.name for plan in plans if not is_learning(plan.experiment)]
    if named and others:
        raise UsageError(
            f"expected pages that train networks side by side, found {others[0]}, which measures time or "
            "arithmetic: the reference has none of that. Leave it out."
        )
    return [
        replace(plan, planned=own, covered=_covered(plan, own, beside, device))
        for plan in plans
        if is_learning(plan.experiment) and (own := _planned(plan, request))
    ]


def _planned(plan: Plan, request: Request) -> tuple[Trial, ...]:
    """What the budget plans, and for a full one what the quick one plans beside it."""
    planned = {tried(trial): trial for trial in plan.planned}
    if request.budget == "full":
        with suppress(UsageError):  # the options may name factors that the quick budget lacks
            for trial in trials(plan.experiment, replace(request, budget="quick")):
                planned.setdefault(tried(trial), trial)
    return learning(plan.experiment, tuple(planned.values()))


def _covered(
    plan: Plan, planned: Sequence[Trial], beside: Beside | None, device: tuple[str, str, str]
) -> tuple[Trial, ...]:
    page = plan.experiment.name
    if beside is None or page not in beside.held:
        return ()
    since = beside.since[page]
    here = {
        tried_of(record)
        for record in beside.held[page].records
        if record.status == "ok" and (record.device, record.mlx) == device[1:] and not since(record)
    }
    return tuple(trial for trial in planned if tried(trial) in here)


def sources_of(plans: Sequence[Plan], store: Store) -> list[Source]:
    """What may be exported: what was planned, and all that the pages' own budgets ask for."""
    found = []
    for plan in plans:
        page, changes = plan.experiment, plan.changes
        own = [*trials(page, Request("quick")), *trials(page, Request("full"))]
        settings = {canonical_json(trial.settings) for trial in own}
        asked = [trial for trial in plan.planned if canonical_json(trial.settings) in settings]
        if changes is not None:
            changes.add(store.used(page.name))  # with what ran meanwhile
        since = changes or (lambda _: "")
        found.append(Source(page, learning(page, (*own, *asked)), since))
    return found
