"""`seqlab claims`: what do we predict of each claim, and what did the last verdicts say?"""

import argparse

from seqlab.commands.common import new_table, no_verdicts, print_table, workspace_of
from seqlab.notebook.discover import discover
from seqlab.notebook.ledger import read as read_ledger
from seqlab.store.database import OWN, Store


def run(options: argparse.Namespace) -> int:
    """Print every claim with our prediction and the last verdict by each rule that the pages have for it."""
    workspace = workspace_of(options)
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
        with Store(workspace.database) as store:
            kept = [OWN] if options.no_reference else []
            verdicts, notice = store.latest_verdicts(*kept), no_verdicts(store)
        for found in verdicts:
            # A verdict by a rule that its page no longer has is history.
            if rule := rules.get((found.claim, found.experiment, found.rule)):
                row = (
                    found.outcome, found.experiment, rule, found.budget, found.evidence, found.judged[:10]
                )  # fmt: skip
                last.setdefault(found.claim, []).append(row)
    table = new_table(
        "claim", "quote", "predicted", "verdict", "page", "rule", "budget", "evidence", "judged"
    )
    for entry in ledger.values():
        for verdict in last.get(entry.id, [("not tested", "", "", "", "", "")]):
            table.add_row(entry.id, entry.quote, entry.prediction, *verdict)
    print_table(table)
    if notice:
        print(notice)
    return 0
