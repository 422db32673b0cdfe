"""What does each property of a Transformer change, at equal others? As the front page tells it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seqlab.analysis.combined import DECIDED, Combined
from seqlab.document.measured import quantity
from seqlab.document.numbers import fixed
from seqlab.document.outline import Property
from seqlab.notebook.claims import Ratio, Verdict


@dataclass(frozen=True)
class Carried:
    """A property, what it was measured by, and its least and largest effect over all cells: 0.02 is 2 %."""

    name: str
    metric: str
    least: float
    most: float

    @property
    def told(self) -> str:
        """The change in whole per cent: `−4 to 1 %`."""
        ends = dict.fromkeys(fixed(100 * end, 0) for end in (self.least, self.most))
        return f"{' to '.join(ends)} %"


def carried(claims: Mapping[str, Combined], properties: Sequence[Property]) -> tuple[Carried, ...]:
    """Each property's effect; none of them where one is not decided, since they are read side by side."""
    found = [
        one
        for asked in properties
        for claim in claims.values()
        for verdict in claim.verdicts
        if verdict.experiment == asked.page and (one := _carried(asked, verdict))
    ]
    return tuple(found) if len(found) == len(properties) else ()


def _carried(asked: Property, verdict: Verdict) -> Carried | None:
    """The effect, where the verdict compares networks that have the property with such that lack it."""
    rule = verdict.rule
    if not isinstance(rule, Ratio) or verdict.outcome not in DECIDED:
        return None
    sides = [dict(side) == dict(asked.levels) for side in rule.sides]
    changes = [
        (cell.estimate if sides[0] else 1 / cell.estimate) - 1
        for cell in verdict.cells
        if math.isfinite(cell.estimate) and cell.estimate > 0
    ]
    if sides.count(True) != 1 or len(sides) != 2 or not changes:
        return None
    return Carried(asked.name, quantity(rule), min(changes), max(changes))
