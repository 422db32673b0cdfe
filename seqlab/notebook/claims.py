"""What is claimed and how it is judged: claims, rules fixed before measuring, verdicts.

The ledger of quotes is `report/claims.toml`. A page binds a claim's id to a rule; a rule names the
cells to compare, the estimand and the threshold. The analysis (`seqlab.analysis.verdicts`) turns a
rule and the stored measurements into a verdict. Here are only the words.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Literal

from seqlab.errors import UsageError
from seqlab.notebook.figures import Level, Scale, Where, matches

Matched = Literal["parameters", "flops", "steps", "examples", "tuning"]


class Outcome(StrEnum):
    """The six things that measuring can say of a claim."""

    SUPPORTED = "supported"
    CONDITIONAL = "with conditions"
    EQUIVALENT = "no relevant difference"
    NOT_SUPPORTED = "not supported"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"


DECIDED = tuple(outcome for outcome in Outcome if outcome not in (Outcome.INCONCLUSIVE, Outcome.NOT_TESTED))


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What all rules have in common: a metric, its cells, a threshold, the fewest seeds.

    `per` names the factors whose combinations of levels make the cells. `along` names the one of
    them whose order may show a boundary ("from length 256 on"); `where` keeps some runs only.
    Exactly one of `above` and `below` is the threshold: a cell passes when its whole interval lies
    on that side, fails when its whole interval lies on the other, and is open otherwise.
    """

    metric: str
    per: tuple[str, ...] = ()
    along: str = ""
    where: Where = field(default_factory=dict)
    split: str = ""
    above: float | None = None
    below: float | None = None
    seeds: int = 5
    margin: float | None = None

    def __post_init__(self) -> None:
        if self.margin is not None and not 0 < self.margin < math.inf:
            raise UsageError(
                f"margin of the {type(self).__name__} rule on {self.metric!r} must be above 0, found "
                f"{self.margin:g}. Leave it out for a rule without one."
            )
        if (self.above is None) == (self.below is None):
            raise UsageError(
                f"a {type(self).__name__} rule on {self.metric!r} needs exactly one of above= and below=, "
                f"found {'neither' if self.above is None else 'both'}."
            )
        if self.along and self.along not in self.per:
            raise UsageError(f"along must be one of the factors in per={self.per}, found {self.along!r}.")

    @property
    def threshold(self) -> float:
        """The value that a cell's interval must clear."""
        return self.above if self.above is not None else self.below if self.below is not None else 0.0

    @property
    def needs(self) -> frozenset[str]:
        """The factors that a point must have to belong to a cell."""
        return frozenset(self.per)

    @property
    def sides(self) -> tuple[Where, ...]:
        """The levels of each side; a rule that compares nothing has one, with any levels."""
        return ({},)

    def has(self, factors: Mapping[str, Level]) -> bool:
        """Whether a point with these factors belongs to a cell, on whichever side."""
        return matches(factors, self.where) and self.needs <= factors.keys()

    def asks_for(self, factors: Mapping[str, Level]) -> bool:
        """Whether the rule judges points with these factors: they belong to a cell and to a side."""
        return self.has(factors) and any(matches(factors, side) for side in self.sides)

    def digest(self) -> str:
        """A hash (16 hex digits) of the whole rule: kept with a date when it is first run."""
        parts = [type(self).__name__]
        for item in fields(self):
            value = getattr(self, item.name)
            if (item.name, value) in (("margin", None), ("finished", True), ("differ", ())):
                continue  # such rules keep the hash that they had before there were these fields
            shown = sorted(value.items()) if isinstance(value, Mapping) else value
            parts.append(f"{item.name}={shown!r}")
        return hashlib.sha256("; ".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Exact(Rule):
    """Every value must clear the threshold: for arithmetic, not for statistics. One seed will do."""

    seeds: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.margin is not None:
            raise UsageError(
                f"an Exact rule on {self.metric!r} cannot have a margin, since it has no other side. "
                "Leave it out."
            )


@dataclass(frozen=True, kw_only=True)
class Slope(Rule):
    """Change of the metric for each unit of `x`, on the given scales.

    With `x_scale="log2"` the unit is a doubling; with `y_scale="log10"` the change is in decades.
    `x` is a factor or `"step"`, the metric's own index. One slope is fitted a seed.
    """

    x: str
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"

    @property
    def needs(self) -> frozenset[str]:
        """Those of the cells, and the factor over which the slope is fitted."""
        return frozenset(self.per) | ({self.x} if self.x != "step" else set())


@dataclass(frozen=True, kw_only=True)
class Comparison(Rule):
    """Left against right, paired by seed.

    Where `right` holds several choices, the opponent is the best of them in each cell: by the
    validation split where the metric was measured there, so that the test split chooses nothing.
    `matched` lists what must be equal on both sides within tolerance (parameters 2 %, FLOPs of a
    step 5 %, the others exactly); otherwise the comparison is unfair and the verdict inconclusive.
    `finished` says that networks must have finished learning; it is off where the amount of training is part
    of the question. `differ` names further factors in which the sides differ by nature, such as the model
    where they name a property of models; every other factor that both have is held equal.
    """

    left: Where
    right: Where | tuple[Where, ...]
    matched: tuple[Matched, ...] = ("parameters", "flops", "steps", "examples", "tuning")
    finished: bool = True
    differ: tuple[str, ...] = ()

    def equal_in_pairs(self, points: Iterable[Mapping[str, Level]]) -> list[str]:
        """The factors that are held equal in a pair: what all points have and the rule does not name."""
        named = {*self.per, *self.differ, *(name for side in self.sides for name in side)}
        return sorted(set.intersection(*map(set, points)) - named)

    @property
    def opponents(self) -> tuple[Where, ...]:
        """The choices for the right-hand side."""
        return self.right if isinstance(self.right, tuple) else (self.right,)

    @property
    def sides(self) -> tuple[Where, ...]:
        """Left, and every choice for the right-hand side."""
        return (self.left, *self.opponents)


@dataclass(frozen=True, kw_only=True)
class Difference(Comparison):
    """Left minus right, in the metric's unit."""


@dataclass(frozen=True, kw_only=True)
class Ratio(Comparison):
    """Left divided by right: ratio of geometric means over paired seeds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold <= 0:
            raise UsageError(
                f"a Ratio rule on {self.metric!r} needs a threshold above 0, found {self.threshold:g}. "
                "Equal sides have the ratio 1."
            )


@dataclass(frozen=True)
class Claim:
    """A claim of the ledger, put to the test by a rule.

    `statement` says in one plain sentence what the rule asks; the report prints it. `predicted` is the
    outcome that was expected of this rule before its first run, where that was written down.
    """

    id: str
    rule: Rule
    statement: str
    predicted: str = ""

    def __post_init__(self) -> None:
        if self.predicted and self.predicted not in DECIDED:
            raise UsageError(
                f"predicted of a claim of {self.id} must be one of {', '.join(DECIDED)}, "
                f"found {self.predicted!r}."
            )


Decision = Literal["pass", "fail", "open"]


@dataclass(frozen=True)
class Cell:
    """One comparison that a claim needs: its levels, estimate, 95 % interval, seeds and decision."""

    levels: Mapping[str, str | int | float | bool]
    estimate: float
    low: float
    high: float
    n: int
    decision: Decision
    opponent: str = ""  # which right-hand side was the best
    p_value: float | None = None  # that the effect is the threshold: two-sided, after Holm; None where exact
    equivalent: bool = False  # the whole interval lies within the rule's margin of no difference
    unbeaten: tuple[str, ...] = ()  # other opponents against which the interval does not clear the threshold
    absent: tuple[str, ...] = ()  # opponents that were not planned, without which the cell stays open


@dataclass(frozen=True)
class Fairness:
    """What each side of a comparison was given; `ok` is False where it blocks the verdict."""

    quantity: str
    left: float | None
    right: float | None
    tolerance: float
    ok: bool
    required: bool


@dataclass(frozen=True)
class Origin:
    """The runs of the reference on which a verdict rests; `date` is that of the last of them, ISO 8601."""

    seeds: int  # in the smallest cell
    device: str
    date: str
    changed: str = ""  # what changed since they were measured, beyond comments and layout
    here: int = 0  # good runs of the same trials on this machine
    replicates: str = ""  # what those say of it: "replicates", "does not replicate here", too few to tell
    figures: str = ""  # why, in a sentence without its full stop


@dataclass(frozen=True)
class Agreement:
    """Whether devices agree on a rule's effect, in the cell where they are farthest apart."""

    p_value: float  # that all devices have the same effects, after the correction for all cells
    inconsistency: float  # I², from 0 to 1
    level: float  # below which p-value they disagree
    effects: Mapping[str, float]  # the mean of each device, by its name
    seeds: Mapping[str, int]
    cell: Mapping[str, str | int | float | bool]  # its levels

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return self.p_value >= self.level


@dataclass(frozen=True)
class Verdict:
    """What measuring said of one claim on one page."""

    claim: str
    experiment: str
    outcome: Outcome
    rule: Rule
    statement: str
    reason: str  # one sentence: why this outcome
    cells: tuple[Cell, ...] = ()
    effect: float | None = None  # of the middle one of the cells that made the outcome, as its interval
    low: float | None = None
    high: float | None = None
    n: int = 0  # fewest seeds in any cell
    scope: str = ""
    boundary: str = ""  # "holds from length 256, fails up to 128"
    seeds_needed: int | None = None  # how many more would likely decide it, where that can be told
    fairness: tuple[Fairness, ...] = ()
    origin: Origin | None = None  # None where it rests on runs made on this machine
    predicted: str = ""  # of this rule, before its first run
    agreement: Agreement | None = None  # of devices; None where one device alone has enough runs
