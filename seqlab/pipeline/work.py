"""Which pages does a command work on, and which of their trials are due?"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass, field, replace
from typing import TYPE_CHECKING

from seqlab.document.freshness import sources
from seqlab.machine import blas
from seqlab.notebook.experiment import Trial
from seqlab.notebook.ledger import Entry
from seqlab.notebook.ledger import read as read_ledger
from seqlab.pipeline.options import Options
from seqlab.running.fingerprint import KNOWN_FILE, Fingerprints
from seqlab.running.identity.changes import Changes
from seqlab.running.identity.files import Files
from seqlab.running.plan import Plan, Request, due_trials, trials
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace

if TYPE_CHECKING:
    from seqlab.cluster.elsewhere import Elsewhere
    from seqlab.reference.beside import Beside
    from seqlab.reference.stored import Reference


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
                    changes=changes_since(plan, store),
                )
            ),
        )
        for plan in plans
    )


def _to_run(plan: Plan) -> list[Trial]:
    """The planned trials that the reference does not cover."""
    covered = set(map(id, plan.covered))
    return [trial for trial in plan.planned if id(trial) not in covered]


def changes_since(plan: Plan, store: Store) -> Changes | None:
    """What has changed since the page's stored runs, those that were stored meanwhile included."""
    if plan.changes is not None:
        plan.changes.add(store.used(plan.experiment.name))
    return plan.changes


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
