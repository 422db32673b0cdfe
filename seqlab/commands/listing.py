"""`seqlab list`: which experiments are there, and how many trials does each budget ask for?"""

import argparse

from seqlab.commands.common import new_table, print_table, workspace_of
from seqlab.machine import blas
from seqlab.notebook.discover import discover
from seqlab.notebook.experiment import BUDGETS
from seqlab.notebook.ledger import read as read_ledger
from seqlab.running.plan import Request, trials


def run(options: argparse.Namespace) -> int:
    """Print every page with its title, its claims and its number of trials under each budget."""
    blas.load()  # before a page imports MLX
    workspace = workspace_of(options)
    pages = discover(workspace.pages, read_ledger(workspace.ledger))
    table = new_table("experiment", "what it asks", "claims", f"trials: {' / '.join(BUDGETS)}")
    for name, page in pages.experiments.items():
        counts = [str(len(trials(page, Request(budget=budget)))) for budget in BUDGETS]
        claims = ", ".join(dict.fromkeys(claim.id for claim in page.claims))
        table.add_row(name, page.title, claims, " / ".join(counts))
    for name, reason in pages.broken.items():
        table.add_row(name, f"cannot be used: {reason}", "", "")
    print_table(table)
    return 0
