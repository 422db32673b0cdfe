"""What moved since the report before the last: verdicts that changed, effects that left their interval?

A verdict is stored when it differs from the last by the same rule. Those that one report judged lie seconds
apart, so the last group of them is what the last report found, and what lies before it is what was known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from seqlab.notebook.claims import Outcome
from seqlab.store.database import REFERENCE, Store, StoredVerdict

TOGETHER = timedelta(seconds=60)  # judgements closer than this are of one report
Kind = Literal["verdict", "effect", "new", "lost"]
Key = tuple[str, str, str]  # claim, page, rule


@dataclass(frozen=True)
class Move:
    """How one rule's verdict differs from the one before, and why as far as that is known."""

    kind: Kind
    before: StoredVerdict | None
    after: StoredVerdict
    causes: tuple[str, ...] = ()


def moves(store: Store, budget: str) -> list[Move]:
    """What the last report of this budget moved, by kind and claim; empty for the first one."""
    history = [one for one in store.verdicts() if one.budget == budget]
    last = last_report(one.judged for one in history)
    before: dict[Key, StoredVerdict] = {}
    after: dict[Key, StoredVerdict] = {}
    for one in history:  # oldest first for each key
        side = after if last and one.judged >= last else before
        side[one.claim, one.experiment, one.rule] = one
    if not before:
        return []
    found = []
    for key, now in after.items():
        kind = _kind(before.get(key), now)
        if kind:
            found.append(Move(kind, before.get(key), now, tuple(_causes(store, before, key, now))))
    order = ("verdict", "effect", "lost", "new")
    return sorted(found, key=lambda move: (order.index(move.kind), move.after.claim, move.after.experiment))


def last_report(judged: Iterable[str]) -> str:
    """When the last report began to judge, of all these times; empty for none."""
    times = sorted(set(judged), reverse=True)
    begin = times[0] if times else ""
    for time in times[1:]:
        if datetime.fromisoformat(begin) - datetime.fromisoformat(time) > TOGETHER:
            break
        begin = time
    return begin


def _kind(before: StoredVerdict | None, after: StoredVerdict) -> Kind | None:
    untested = Outcome.NOT_TESTED.value
    if before is None or before.outcome == untested != after.outcome:
        return None if after.outcome == untested else "new"
    if before.outcome != after.outcome:
        return "lost" if after.outcome == untested else "verdict"
    if None in (before.effect, before.low, before.high, after.effect):
        return None
    assert before.low is not None
    assert before.high is not None
    assert after.effect is not None
    return None if before.low <= after.effect <= before.high else "effect"


def _causes(
    store: Store, before: Mapping[Key, StoredVerdict], key: Key, after: StoredVerdict
) -> Sequence[str]:
    """What is known to differ: the rule, the seeds, where it was measured, the code, the device, MLX."""
    was = before.get(key)
    if was is None:
        others = [one for one in before if one[:2] == key[:2]]
        return ["a rule of this claim was changed or added"] if others else []
    causes = []
    if was.n != after.n:
        causes.append(f"{was.n} seeds before, {after.n} now")
    if was.evidence != after.evidence:
        causes.append("now measured here" if was.evidence == REFERENCE else "now rests on the reference")
    columns = {"code": "fingerprint", "device": "device", "version of MLX": "mlx"}
    for name, column in columns.items():
        earlier, later = (
            {
                row[0]
                for row in store.rows(_RUNS.format(column=column, side=side), (after.experiment, was.judged))
            }
            for side in ("<=", ">")
        )
        if earlier and later - earlier:
            causes.append(f"runs with another {name}")
    return causes


_RUNS = "SELECT DISTINCT {column} FROM run WHERE experiment = ? AND status = 'ok' AND started {side} ?"
