"""`seqlab claims`: what do we predict of each claim, what did the last verdicts say, do the rules stand?"""

import argparse

from seqlab.commands.common import new_table, no_verdicts, print_table, require_database, width, workspace_of
from seqlab.notebook.discover import discover
from seqlab.notebook.ledger import read as read_ledger
from seqlab.store.database import OWN, Store
from seqlab.store.workspace import Workspace

WIDE, NARROW_COLUMNS = 140, 5  # narrower terminals get the first columns alone: no word of them is cut


def run(options: argparse.Namespace) -> int:
    """Print every claim with our prediction and the last verdict by each rule that the pages have for it."""
    workspace = workspace_of(options)
    if options.verify:
        return _verify(workspace)
    ledger = read_ledger(workspace.ledger)
    pages = discover(workspace.pages, ledger).experiments
    rules = {
        (claim.id, page.name, claim.rule.digest()): f"{type(claim.rule).__name__} of {claim.rule.metric}"
        for page in pages.values()
        for claim in page.claims
    }
    last: dict[str, list[tuple[str, ...]]] = {}
    notice = ""
    if workspace.database.is_file():
        with Store.reading(workspace.database) as store:
            kept = [OWN] if options.no_reference else []
            verdicts, notice = store.latest_verdicts(*kept), no_verdicts(store)
        for found in verdicts:
            # A verdict by a rule that its page no longer has is history.
            if rule := rules.get((found.claim, found.experiment, found.rule)):
                row = (
                    found.outcome, found.experiment, rule, found.budget, found.evidence, found.device,
                    found.judged[:10],
                )  # fmt: skip
                last.setdefault(found.claim, []).append(row)
    columns = (
        "claim",
        "quote",
        "predicted",
        "verdict",
        "page",
        "rule",
        "budget",
        "evidence",
        "device",
        "judged",
    )
    shown = len(columns) if width() >= WIDE else NARROW_COLUMNS
    table = new_table(*columns[:shown], whole=("claim", "predicted", "verdict", "page", "judged"))
    for entry in ledger.values():
        for verdict in last.get(entry.id, [("not tested", "", "", "", "", "", "")]):
            table.add_row(*(entry.id, entry.quote, entry.prediction, *verdict)[:shown])
    print_table(table)
    if notice:
        print(notice)
    return 0


def _verify(workspace: Workspace) -> int:
    """Say which rules were changed after they were fixed; 1 where any was."""
    require_database(workspace)
    with Store.reading(workspace.database) as store:
        changed, (rules, link) = store.rules_changed_afterwards(), store.last_rule()
    for line in changed:
        print(line)
    if changed:
        return 1
    print(f"None of {rules} rules was changed after it was fixed; the last link is {link or 'none'}.")
    return 0
