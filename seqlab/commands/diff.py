"""`seqlab diff`: which verdicts changed, over this store's history or against another store?"""

import argparse
import textwrap
from collections.abc import Iterator

from seqlab.commands.common import new_table, no_verdicts, print_table, require_database, workspace_of
from seqlab.errors import UsageError
from seqlab.store.database import Store, StoredVerdict

Key = tuple[str, str, str, str]  # claim, page, budget, digest of the rule
HEADS = {
    "verdict": "verdict",
    "effect": "same verdict, another effect",
    "new": "new evidence",
    "lost": "lost",
}
DIGITS = 6  # of a rule's digest: enough to tell the rules of one claim apart


def run(options: argparse.Namespace) -> int:
    """Print what the last report moved; with another database, those verdicts that differ from its own."""
    workspace = workspace_of(options)
    require_database(workspace)
    if options.other is None:
        with Store.reading(workspace.database) as store:
            print(no_verdicts(store) or "\n".join(_moved(store)))
        return 0
    if not options.other.is_file():
        raise UsageError(f"expected a results database at {options.other}, found none. Check the path.")
    with Store.reading(workspace.database) as store:
        here, notice = _by_key(store), no_verdicts(store)
    with Store.copy_of(options.other) as store:
        there, other = _by_key(store), no_verdicts(store, "there")
    for line in filter(None, (notice, other)):
        print(line)
    table = new_table("claim", "page", "budget", "rule", "here", "there")
    both = here.keys() & there.keys()
    if not both:
        print("Nothing to compare: no rule was judged on both sides at the same budget.")
        return 0
    for key in sorted(both):
        sides = [_words(side[key]) for side in (here, there)]
        if sides[0] != sides[1]:
            table.add_row(*key[:3], key[3][:DIGITS], *sides)
    if table.row_count:
        print_table(table)
    else:
        print("No verdict differs.")
    for name, alone in (("here", here.keys() - both), ("there", there.keys() - both)):
        if alone:
            claims = ", ".join(sorted({key[0] for key in alone}))
            print(
                "\n".join(textwrap.wrap(f"Judged {name} only, or by another rule or budget: {claims}.", 80))
            )
    return 0


def _moved(store: Store) -> Iterator[str]:
    """What moved at each budget, in lines of at most 80 columns."""
    from seqlab.analysis.moved import moves

    history = store.verdicts()
    for budget in dict.fromkeys(one.budget for one in history):
        found = moves(store, budget)
        if not found:
            yield f"Budget {budget}: nothing to compare yet, or nothing moved since the report before."
            continue
        yield f"Budget {budget}: what the last report moved."
        for move in found:
            change = f"{_words(move.before)} -> {_words(move.after)}" if move.before else _words(move.after)
            why = f" Known causes: {', '.join(move.causes)}." if move.causes else ""
            line = f"{move.after.claim} on {move.after.experiment} ({HEADS[move.kind]}): {change}.{why}"
            yield from textwrap.wrap(line, 80, initial_indent="  ", subsequent_indent="      ")


def _by_key(store: Store) -> dict[Key, StoredVerdict]:
    return {(one.claim, one.experiment, one.budget, one.rule): one for one in store.latest_verdicts()}


def _effect(verdict: StoredVerdict) -> str:
    """The effect with its interval: `0.12 [0.1, 0.14]`; empty where there is none."""
    if verdict.effect is None:
        return ""
    bounded = verdict.low is not None and verdict.high is not None
    return f"{verdict.effect:.3g}" + (f" [{verdict.low:.3g}, {verdict.high:.3g}]" if bounded else "")


def _words(verdict: StoredVerdict) -> str:
    return f"{verdict.outcome} {_effect(verdict)} (n = {verdict.n})"
