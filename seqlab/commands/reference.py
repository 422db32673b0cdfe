"""`seqlab reference`: which stored trainings go into `report/reference/`, after running what is due?"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from seqlab import pipeline
from seqlab.commands import goals
from seqlab.errors import NothingRanError, UsageError
from seqlab.reference.export import export
from seqlab.reference.sources import of_learning, sources_of
from seqlab.running.plan import Request
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace


def run(
    workspace: Workspace, request: Request, *, names: Sequence[str], options: pipeline.Options, runs: bool
) -> int:
    """Run the learning trials that are due, if it `runs`; then, also after an interruption, export."""
    if request.budget == "smoke":
        raise UsageError(
            "the reference needs --budget quick or full, found smoke, whose settings are toys. Leave it out."
        )
    if options.limit and not runs:
        raise UsageError("--minutes and --hours limit trials, and no --run was given. Leave them out.")
    with workspace.locked(), Store(workspace.database) as store, ExitStack() as stack:
        opened = pipeline.opened_reference(workspace, request, options, stack)
        chosen = list(dict.fromkeys(names)) or None
        planned = pipeline.configure(
            workspace, request, store, names=chosen, kind=options.device, reference=opened
        )
        covering = None if request.force else planned.beside
        plans = of_learning(planned.plans, request, covering, planned.device, named=bool(names))
        due = pipeline.due_now(plans, store, planned.device, force=request.force)
        work = replace(planned, plans=due)
        if options.dry_run:
            return pipeline.print_due(work)
        failed, told = 0, list[str]()
        try:
            if runs:
                pipeline.fix_rules(work, store)
                decided = pipeline.decisions(work, store)
                failed = pipeline.measure(workspace, work, store, options, decided, limit=options.limit)
                pipeline.print_left_out(work, store, options, decided, failed=failed)
        finally:
            told = export(
                workspace.reference, workspace.root, store, sources_of(work.plans, store),
                gone=lambda page: not names and not (workspace.pages / f"{page}.py").is_file(),
            )  # fmt: skip
            if told and goals.write(workspace.root, workspace.reference):
                told.append(f"{goals.TABLE}: what was reached beside the goals of {goals.FILE}.")
            print("\n".join(told), end="\n" if told else "", flush=True)
        if not told and not failed:
            raise NothingRanError(
                f"no run in {workspace.results} may be in the reference. `nox -s reference` makes some."
            )
    return 1 if failed else 0
