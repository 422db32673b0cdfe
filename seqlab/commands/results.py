"""`seqlab results`: what is stored? Show it, export it, or merge another machine's results into it."""

import argparse

from seqlab.commands.common import new_table, print_table, require_database, workspace_of
from seqlab.errors import UsageError, unknown
from seqlab.store.database import Store
from seqlab.store.workspace import Workspace


def run(options: argparse.Namespace) -> int:
    """Do what `options.action` says: show, export or merge."""
    workspace, targets = workspace_of(options), options.targets
    if options.action != "merge":
        require_database(workspace)
        if len(targets) > 1:
            raise UsageError(f"expected one name or folder for {options.action}, found {len(targets)}.")
    target = targets[0] if targets else None
    if options.action == "export":
        from seqlab.store.export import export  # pandas

        for path in export(workspace.database, target or workspace.results / "export", options.format):
            print(path)
    elif options.action == "merge":
        if not targets:
            raise UsageError("expected a database to merge, found none. Run `seqlab results merge OTHER.db`.")
        from seqlab.commands.merging import merge  # metrics

        with Store(workspace.database) as store:
            return merge(store, targets)
    else:
        _show(workspace, str(target) if target else None)
    return 0


def _show(workspace: Workspace, only: str | None) -> None:
    """A line for each experiment, or for one."""
    table = new_table("experiment", "runs", "good", "failed", "seconds", "last run (UTC)")
    with Store.reading(workspace.database) as store:
        rows = store.rows(
            "SELECT experiment, count(*), sum(status = 'ok'), sum(status != 'ok'), sum(seconds), "
            "max(started) FROM run GROUP BY experiment ORDER BY experiment"
        )
    if only is not None and only not in (known := [row[0] for row in rows]):
        raise UsageError(unknown("experiment with results", only, known))
    for name, runs, good, failed, seconds, last in rows:
        if only not in (None, name):
            continue
        table.add_row(name, str(runs), str(good), str(failed), f"{seconds:.1f}", last[:16].replace("T", " "))
    print_table(table)
    print(workspace.database)
