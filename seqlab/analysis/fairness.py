"""Did both sides of a comparison have the same size, compute, training steps, data and tuning?

Only measured quantities count, never what a page says of itself. Where a rule wants a quantity matched that
some run on either side did not measure, the verdict is blocked, because missing evidence never supports a
claim. Every run of the left side is compared with every run of the right side.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from seqlab.analysis.evidence import Evidence
from seqlab.notebook.claims import Fairness, Matched

# What a rule may want matched: the metric that measures it, and the largest relative difference.
QUANTITIES: Mapping[Matched, tuple[str, float]] = {
    "parameters": ("parameters", 0.02),  # widths are whole numbers, so an exact match rarely exists
    "flops": ("step_flops", 0.05),
    "steps": ("step_limit", 0.0),  # each may end earlier, once it is finished
    "examples": ("train_examples", 0.0),
    "tuning": ("tuning_trials", 0.0),
}


def fairness(
    evidence: Evidence, left: Sequence[int], right: Sequence[int], *, matched: Iterable[Matched]
) -> tuple[Fairness, ...]:
    """Compare the runs (ids) of both sides: one record for each quantity.

    A record names the metric and holds the two values that differ most; None stands for a side on which some
    run did not record it. Quantities outside `matched` are reported but never block.
    """
    required = set(matched)
    records = []
    for quantity, (metric, tolerance) in QUANTITIES.items():
        measured = evidence.run_values(metric)
        lefts, rights = _recorded(measured, left), _recorded(measured, right)
        if lefts and rights:
            one, other = max(
                ((a, b) for a in (min(lefts), max(lefts)) for b in (min(rights), max(rights))),
                key=lambda pair: _gap(*pair),
            )
            ok = quantity not in required or _gap(one, other) <= tolerance
            records.append(Fairness(metric, one, other, tolerance, ok, quantity in required))
        else:
            known = [max(side) if side else None for side in (lefts, rights)]
            missing = quantity in required
            records.append(Fairness(metric, known[0], known[1], tolerance, not missing, missing))
    return tuple(records)


def worst(cells: Iterable[Sequence[Fairness]]) -> tuple[Fairness, ...]:
    """For each quantity, the record of the cell where the two sides differ most."""
    found: dict[str, Fairness] = {}
    for record in (record for records in cells for record in records):
        held = found.get(record.quantity)
        if held is None or _severity(record) > _severity(held):
            found[record.quantity] = record
    return tuple(found.values())


def explain(records: Iterable[Fairness]) -> str:
    """Why the comparison is unfair, in a clause; empty where it is fair."""
    clauses = []
    for record in records:
        if record.ok:
            continue
        if record.left is None or record.right is None:
            clauses.append(f"{record.quantity} not recorded on both sides")
        else:
            allowed = f"{record.tolerance:.0%} allowed" if record.tolerance else "must be equal"
            clauses.append(f"{record.quantity} {record.left:,.10g} against {record.right:,.10g} ({allowed})")
    return "; ".join(clauses)


def _recorded(measured: Mapping[int, float], side: Sequence[int]) -> list[float]:
    """The side's values; none at all where one run has none, since that run may be the one that differs."""
    values = [measured[run] for run in side if run in measured]
    return values if len(values) == len(side) else []


def _gap(left: float, right: float) -> float:
    """Difference relative to the larger of the two; symmetric, and 0 where both are 0."""
    largest = max(abs(left), abs(right))
    return abs(left - right) / largest if largest else 0.0


def _severity(record: Fairness) -> tuple[bool, float]:
    if record.left is None or record.right is None:
        return not record.ok, math.inf
    return not record.ok, _gap(record.left, record.right)
