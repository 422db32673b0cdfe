"""What does the reference add to a command: trials that are covered, evidence, and times that are known?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from seqlab.notebook.experiment import Trial
from seqlab.reference.held import Held, held
from seqlab.reference.stored import Reference
from seqlab.running.learning import learning
from seqlab.running.plan import Plan
from seqlab.store.database import Record, Store

Since = Callable[[Record], str]  # what changed since a run of the reference, beyond comments and layout


@dataclass(frozen=True)
class Beside:
    """What the reference holds of each page that is planned, by name; `since` compares the runs of a page."""

    reference: Reference
    held: Mapping[str, Held]
    since: Mapping[str, Since]

    @property
    def store(self) -> Store:
        """The reference as a store."""
        return self.reference.store

    def covered(self, plan: Plan) -> tuple[Trial, ...]:
        """The planned trials that learn and that the reference holds."""
        own, planned = self.held.get(plan.experiment.name), learning(plan.experiment, plan.planned)
        return tuple(trial for trial in planned if own.has(trial)) if own else ()

    def changed(self, page: str) -> dict[int, str]:
        """What changed since each run of the page that counts, by its number; none for an unchanged one."""
        found = {record.id: self.since[page](record) for record in self.held[page].records}
        return {number: text for number, text in found.items() if text}


def beside(reference: Reference, plans: Sequence[Plan], since: Callable[[Plan, Store], Since]) -> Beside:
    """What the reference holds of the planned trials that learn; `since` compares a page's runs of it."""
    found: dict[str, Held] = {}
    changes: dict[str, Since] = {}
    for plan in plans:
        page = plan.experiment.name
        planned = learning(plan.experiment, plan.planned)
        if page in reference.pages and (own := held(planned, reference.store.records(page))):
            found[page], changes[page] = own, since(plan, reference.store)
    return Beside(reference, found, changes)
