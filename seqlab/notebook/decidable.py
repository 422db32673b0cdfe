"""Can a rule come out both ways, by what its metric can be and by what its page plans?

A rule that no result could let pass, or none could let fail, tests nothing. So before anything runs, the
range of its effects is held against the threshold, and the planned cells, levels and seeds against what the
rule needs. A page's largest budget must be able to decide every rule; smoke gives no verdicts and does not
count. A rule that perfect data cannot pass is refused, too (`effect_range.perfect`).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from seqlab.errors import UsageError
from seqlab.notebook.claims import Comparison, Rule, Slope
from seqlab.notebook.effect_range import one_sided, perfect, x_levels
from seqlab.notebook.experiment import Experiment, Point
from seqlab.notebook.figures import Level, Where, matches
from seqlab.notebook.metrics import metric_named

DECISIVE_SHARE = 0.8  # of the cells, as in `seqlab.analysis.verdicts`


def check_decidable(experiment: Experiment) -> None:
    """Raise `UsageError` for a claim that the page's largest budget could not let pass, or not let fail."""
    full = experiment.budget("full")
    for claim in experiment.claims:
        rule = claim.rule
        if fault := one_sided(rule) or ("" if full.name == "smoke" else undecidable(rule, full.points)):
            raise UsageError(f"{claim.id}, {type(rule).__name__} of {rule.metric}: {fault}")


def undecidable(rule: Rule, planned: Sequence[Point]) -> str:
    """Why no result of the planned points could let the rule pass, or none let it fail; else empty."""
    cells = cells_of(rule, planned)
    if not cells:
        where = f" with {_shown(rule.where)}" if rule.where else ""
        return f"no points{where} are planned that it compares. Plan some, or change its factors."
    needed = math.ceil(DECISIVE_SHARE * len(cells))
    for key, points in cells.items():
        at = f" at {_shown(dict(zip(rule.per, key, strict=True)))}" if key else ""
        if isinstance(rule, Slope) and rule.x != "step" and len(found := x_levels(rule, points)) < 2:
            return f"a slope needs two levels of {rule.x}, found {len(found)}{at}. Plan more."
        if isinstance(rule, Comparison) and _side(rule.left, points) == _side(rule.opponents, points):
            return f"left and right are the same points{at}. Name two different sides."
        if isinstance(rule, Comparison) and (factors := unpaired(rule, points)):
            names = ", ".join(factors)
            return (
                f"no planned points of left and right have the same {names}{at}, so none can be compared. "
                f"Name {names} in the sides, or in differ=."
            )
        if (seeds := _seeds(rule, points)) < rule.seeds:
            return f"it needs {rule.seeds} seeds, found {seeds}{at}. Plan more, or say seeds= in the rule."
        if fault := one_sided(rule, points) or perfect(rule, points, seeds=seeds, cells=needed):
            return fault
    return ""


def unpaired(rule: Comparison, points: Sequence[Point]) -> list[str]:
    """The factors that the rule does not name and that keep all of left apart from some opponent."""
    left = _side(rule.left, points)
    for opponent in rule.opponents:
        right = _side(opponent, points)
        if not right:  # another budget's
            continue
        equal = rule.equal_in_pairs(point.factors for point in (*left, *right))
        if not _levels(left, equal) & _levels(right, equal):
            return [name for name in equal if not _levels(left, [name]) & _levels(right, [name])] or equal
    return []


def _levels(points: Sequence[Point], names: Sequence[str]) -> set[tuple[Level, ...]]:
    return {tuple(point.factors[name] for name in names) for point in points}


def cells_of(rule: Rule, planned: Sequence[Point]) -> Mapping[tuple[Level, ...], Sequence[Point]]:
    """The points that the rule compares, by the levels of its cells."""
    found: dict[tuple[Level, ...], list[Point]] = defaultdict(list)
    for point in planned:
        if rule.has(point.factors):
            found[tuple(point.factors[name] for name in rule.per)].append(point)
    if not isinstance(rule, Comparison):
        return found
    sides = (rule.left,), rule.opponents
    return {key: own for key, own in found.items() if all(_side(side, own) for side in sides)}


def _seeds(rule: Rule, points: Sequence[Point]) -> int:
    """How many seeds a cell has at most. A side without seeds is paired with each seed of the other."""
    sides = [points]
    if isinstance(rule, Comparison):
        sides = [_side(rule.left, points), _side(rule.opponents, points)]
    is_time = metric_named(rule.metric).unit == "s"  # a measured time is never without noise
    counts = [max((point.seeds or is_time for point in side), default=0) for side in sides]
    return min((int(count) for count in counts if count), default=1)


def _side(levels: Where | tuple[Where, ...], points: Sequence[Point]) -> list[Point]:
    several = levels if isinstance(levels, tuple) else (levels,)
    return [point for point in points if any(matches(point.factors, one) for one in several)]


def _shown(levels: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={level!r}" for name, level in levels.items())
