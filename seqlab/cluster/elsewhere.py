"""What do the workers of `--scheduler` offer a command? The device that its report is about, and time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace

from seqlab.cluster.crew import Crew
from seqlab.cluster.dispatch import dispatch
from seqlab.cluster.joined import check, joined
from seqlab.cluster.same import data, versions
from seqlab.cluster.words import Terms
from seqlab.errors import UsageError
from seqlab.machine import blas
from seqlab.running.decided import Decided
from seqlab.running.limit import Limit
from seqlab.running.plan import Plan
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace


@dataclass
class Elsewhere:
    """Workers of one `device` (kind, name, MLX version); others of the cluster are named and left out."""

    crew: Crew
    terms: Terms
    device: tuple[str, str, str]

    @property
    def jobs(self) -> int:
        """How many trials run at a time."""
        return max(1, len(self.crew.hands))

    def execute(
        self,
        plans: Sequence[Plan],
        store: Store,
        *,
        limit: Limit | None,
        decided: Decided | None,
        reference: Store | None,
    ) -> int:
        """Run the due trials on the workers that have the code and data of these plans; how many failed."""
        pages = {plan.page.name: plan.fingerprint for plan in plans if plan.due}
        terms = replace(self.terms, device=self.device[1], pages=pages, data=data())
        if terms != self.crew.terms:
            self.crew.engage(terms)
        return dispatch(
            plans, store, self.crew, device=self.device, limit=limit, decided=decided, reference=reference
        )


@contextmanager
def elsewhere(
    address: str, workspace: Workspace, *, kind: str | None, memory_gib: float | None
) -> Iterator[Elsewhere]:
    """The workers of this scheduler. Raises `UsageError` where none can take part."""
    check(address)
    blas.load()  # before anything imports MLX
    from seqlab.machine import device as devices

    mlx = devices.current().mlx
    try:
        own = astuple(devices.current(kind))
    except UsageError:  # this machine need not have one
        own = None
    terms = Terms(
        workspace.root, workspace.results, kind, mlx, versions(),
        memory_gib=memory_gib, aside=workspace.aside,
    )  # fmt: skip
    with joined(address) as client:
        crew = Crew(client, address)
        crew.engage(terms)
        yield Elsewhere(crew, terms, crew.device(own))
