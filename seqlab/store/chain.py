"""Was any rule edited, removed or dated anew after it was fixed? Rules form a chain that tells.

Each rule has a place, a `seal` (the hash of its words) and a `link`: the hash of the link before it, its
seal and its date. Whoever changes a rule breaks its own link, and whoever removes one breaks the next. So
that the end of the chain cannot be cut off unseen, every run and every verdict keeps the link that was the
last one when it was stored: its *witness*.

What cannot be seen: a last rule that is removed before a run or a verdict was stored, and a change of rules,
links and all witnesses at once. Only a copy elsewhere helps against that: `claims --verify` prints the last
link, which another copy of the store must have too, at the same place.
"""

import json
import sqlite3
from collections.abc import Iterator
from hashlib import sha256

COLUMNS = "claim, experiment, digest, statement, fixed"


def append(connection: sqlite3.Connection, *rule: str) -> None:
    """Add a rule (claim, page, digest, statement, date) to the chain, unless the store has it already."""
    claim, experiment, digest, statement, fixed = rule
    execute = connection.execute
    known = "SELECT 1 FROM main.rule WHERE (claim, experiment, digest) = (?, ?, ?)"
    if execute(known, (claim, experiment, digest)).fetchone():
        return
    place, before = head(connection)
    seal = _seal(claim, experiment, digest, statement)
    row = (place + 1, *rule, seal, _link(before, seal, fixed))
    execute(f"INSERT INTO main.rule (place, {COLUMNS}, seal, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def head(connection: sqlite3.Connection) -> tuple[int, str]:
    """The place and the link of the last rule; (0, "") without any."""
    last = connection.execute("SELECT place, link FROM main.rule ORDER BY place DESC LIMIT 1").fetchone()
    return last or (0, "")


def witness(connection: sqlite3.Connection, kind: str, number: int) -> None:
    """Keep which rule is the last one now, for the run or the verdict with this number."""
    connection.execute("INSERT INTO main.witness VALUES (?, ?, ?, ?)", (kind, number, *head(connection)))


def chain_what_is_there(connection: sqlite3.Connection) -> None:
    """Bring the rules of a store that had no chain into one, oldest first."""
    rules = connection.execute(f"SELECT {COLUMNS} FROM unchained ORDER BY fixed, rowid").fetchall()
    for rule in rules:
        append(connection, *rule)


def findings(connection: sqlite3.Connection) -> list[str]:
    """What was changed afterwards, a sentence each; empty where the chain is sound."""
    return [*_broken_links(connection), *_contradicted(connection), *_without_rule(connection)]


def _broken_links(connection: sqlite3.Connection) -> Iterator[str]:
    last, before = 0, ""
    for place, *rule, seal, link in connection.execute(
        f"SELECT place, {COLUMNS}, seal, link FROM rule ORDER BY place"
    ):
        claim, experiment, digest, statement, fixed = rule
        name = f"Rule {place}, {claim} of {experiment} ({fixed[:10]})"
        if place != last + 1:
            yield _removed(last + 1, place - 1)
        elif link != _link(before, seal, fixed):
            yield f"{name}: its date was changed, or the rule before it removed or replaced."
        if seal != _seal(claim, experiment, digest, statement):
            yield f"{name}: its statement or its hash was edited."
        last, before = place, link


def _contradicted(connection: sqlite3.Connection) -> Iterator[str]:
    """What runs and verdicts remember, and the chain does not say."""
    last, _ = head(connection)
    seen = connection.execute(
        "SELECT place, count(*) FROM witness WHERE place > ? GROUP BY place ORDER BY place DESC", (last,)
    ).fetchall()
    if seen:
        count = sum(times for _, times in seen)
        yield f"{_removed(last + 1, seen[0][0])} {count} runs and verdicts were stored when they were there."
    changed = connection.execute(
        "SELECT place, claim, experiment, count(*) FROM witness JOIN rule USING (place) "
        "WHERE witness.link != rule.link GROUP BY place ORDER BY place LIMIT 1"
    ).fetchone()
    if changed:
        place, claim, experiment, count = changed
        yield (
            f"Rule {place}, {claim} of {experiment}: it or one before it was replaced, link included, after "
            f"{count} runs and verdicts were stored."
        )


def _without_rule(connection: sqlite3.Connection) -> Iterator[str]:
    rows = connection.execute(
        "SELECT DISTINCT claim, experiment, rule FROM verdict "
        "WHERE (claim, experiment, rule) NOT IN (SELECT claim, experiment, digest FROM rule)"
    )
    for claim, experiment, digest in rows:
        yield f"{claim} of {experiment}: the rule {digest} is gone, by which there is a verdict."


def _removed(first: int, last: int) -> str:
    return f"Rule {first} was removed." if first == last else f"Rules {first} to {last} were removed."


def _seal(*words: str) -> str:
    return sha256(json.dumps(words).encode()).hexdigest()[:32]


def _link(before: str, seal: str, fixed: str) -> str:
    return sha256(f"{before} {seal} {fixed}".encode()).hexdigest()[:32]
