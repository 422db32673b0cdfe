"""Which cells rest on finished trainings, and which stay open until their networks are trained longer?

A cell that passes or fails while one of its networks was still improving is set back to open, with the
reason. So a verdict may rest on the other cells, and never on that one. Where the claim holds, opponents
that lost are looked at as well, since a network that was stopped early may be the one that would have won.
Where it fails against the best of them, a better one could only make it fail more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seqlab.analysis.cells import Effects
from seqlab.analysis.decisions import interval_of, threshold_of
from seqlab.analysis.intervals import Estimate
from seqlab.analysis.maturity import maturity
from seqlab.notebook.claims import Cell, Comparison, Fairness, Rule


@dataclass(frozen=True)
class Finished:
    """A cell as it counts, with the record of what its networks still gained.

    `reason` says why it was set back to open; empty where it was not.
    """

    cell: Cell
    record: Fairness | None = None
    reason: str = ""


def finished(rule: Rule, effect: Effects, cell: Cell) -> Finished:
    """The cell, set back to open where a network that it compares was not finished."""
    if not (isinstance(rule, Comparison) and rule.finished):
        return Finished(cell)
    threshold = threshold_of(rule, effect)
    found = []
    rivals = effect.rivals if cell.decision == "pass" or cell.equivalent else ()
    for one in (effect, *rivals):
        if not one.values.size:
            continue
        estimate, half_width = _on_its_scale(one, cell if one is effect else interval_of(one))
        told = maturity(*one.gains, distance=estimate - threshold, half_width=half_width)
        if told is not None:
            found.append(told)
    if not found:
        return Finished(cell)
    worst = max(found, key=lambda one: one.blocks)
    reasons = dict.fromkeys(reason for one in found for reason in one.reasons)
    if not reasons:
        return Finished(cell, worst.record)
    return Finished(replace(cell, decision="open", equivalent=False), worst.record, "; ".join(reasons))


def worst_record(found: Sequence[Finished]) -> tuple[Fairness, ...]:
    """The record to show of several cells: one that blocks, if there is any."""
    records = [one.record for one in found if one.record is not None]
    return (max(records, key=lambda record: not record.ok),) if records else ()


def _on_its_scale(effect: Effects, found: Cell | Estimate) -> tuple[float, float]:
    """Estimate and half the interval, on the scale of the effects."""
    values = [found.estimate, found.low, found.high]
    if effect.log:
        values = [math.log(value) if value > 0 else -math.inf for value in values]
    return values[0], (values[2] - values[1]) / 2
