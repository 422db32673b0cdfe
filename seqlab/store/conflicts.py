"""Which trials have two good runs by the same code that measured other values? Merged stores may bring them.

Of those the run that began last counts, as where one machine ran a trial twice. Times, sizes and whatever
else depends on the machine may differ.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from seqlab.notebook.metrics import METRICS
from seqlab.store.database import Store

Values = tuple[tuple[str, str, int | None, float], ...]  # metric, split, step, value


@dataclass(frozen=True)
class Conflict:
    """Two runs of a trial by their numbers, the first differing value of each; `counts` is the later one."""

    trial: str
    metric: str
    loses: int
    counts: int
    values: tuple[str, str]  # of the one that loses, of the one that counts


def conflicts(store: Store, runs: Sequence[int]) -> list[Conflict]:
    """Every conflict of which one of these runs is a side, by trial; of three runs, neighbours in time."""
    rows = store.rows(
        "SELECT id, key, fingerprint, experiment, factors, seed FROM run "
        "WHERE status = 'ok' AND (key, fingerprint) IN (SELECT key, fingerprint FROM run WHERE status = 'ok' "
        "AND id IN (SELECT value FROM json_each(?)) AND EXISTS (SELECT 1 FROM run other "
        "WHERE other.experiment = run.experiment AND other.key = run.key AND other.id != run.id)) "
        "ORDER BY experiment, factors, seed, key, fingerprint, started, id",
        (json.dumps(list(runs)),),
    )
    new, measured = set(runs), _values(store, [row[0] for row in rows])
    found = []
    for (first, *same, _, _, _), (second, *also, page, factors, seed) in pairwise(rows):
        if same != also or not new & {first, second}:
            continue
        one, other = measured.get(first, ()), measured.get(second, ())
        if one != other:
            trial = f"{page}: {_levels(factors)}seed {seed}"
            found.append(_conflict(trial, first, second, one, other))
    return found


def _values(store: Store, runs: Sequence[int]) -> dict[int, Values]:
    """What each run measured that depends on no machine, in the order of measuring."""
    found: dict[int, list[tuple[str, str, int | None, float]]] = {}
    for run, metric, split, step, value in store.measured(runs):
        if metric in METRICS and not METRICS[metric].of_machine:
            found.setdefault(run, []).append((metric, split, step, value))
    return {run: tuple(values) for run, values in found.items()}


def _conflict(trial: str, first: int, second: int, one: Values, other: Values) -> Conflict:
    place = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if place is None or one[place][:3] != other[place][:3]:  # not even the same was measured
        return Conflict(trial, "measurements", first, second, (str(len(one)), str(len(other))))
    shown = f"{one[place][3]!r}", f"{other[place][3]!r}"
    return Conflict(trial, one[place][0], first, second, shown)


def _levels(factors: str) -> str:
    return "".join(f"{name}={level}, " for name, level in json.loads(factors).items())
