"""Where does a claim stop holding: from which length on, or for which kind of model?

Along a numeric factor there is a boundary where, for each combination of the other factors, all passing
cells lie on one side and all failing cells on the other, with open cells only between them. Its place is
where the estimates (for ratios, their logarithms) cross the threshold, by linear interpolation over the
level, or over its logarithm where all levels are positive. Its interval comes from resampling the seeds,
with the same resamples for all cells that share their seeds, widened as in `seqlab.analysis.intervals`;
where values are exact, it is the gap between the last passing and the first failing level.
Along a categorical factor there is a boundary where each level passes entirely or fails entirely.
"""

import math
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from seqlab.analysis.cells import Effects
from seqlab.analysis.intervals import LEVEL, Values, resamples, t_quantile
from seqlab.analysis.scope import format_number, is_numeric
from seqlab.notebook.claims import Cell, Rule
from seqlab.notebook.figures import Level

LETTER = {"pass": "P", "fail": "F", "open": "O"}
NORMAL_QUANTILE = 1.959964  # the 97.5 % quantile of the normal distribution


def boundary(rule: Rule, cells: Sequence[Cell], effects: Sequence[Effects]) -> str:
    """Where the claim holds and where not, in words; empty where there is no boundary along `rule.along`."""
    if not rule.along:
        return ""
    levels = [cell.levels[rule.along] for cell in cells]
    return _ordered(rule, cells, effects) if is_numeric(levels) else _categorical(rule, cells)


def _categorical(rule: Rule, cells: Sequence[Cell]) -> str:
    decisions: dict[Level, set[str]] = defaultdict(set)
    for cell in cells:
        decisions[cell.levels[rule.along]].add(cell.decision)
    holds, fails = (
        [f"{rule.along}={level}" for level, found in decisions.items() if found == {decision}]
        for decision in ("pass", "fail")
    )
    if not holds or not fails or len(holds) + len(fails) < len(decisions):
        return ""
    return f"holds for {', '.join(holds)}; fails for {', '.join(fails)}"


def _ordered(rule: Rule, cells: Sequence[Cell], effects: Sequence[Effects]) -> str:
    groups: dict[tuple[tuple[str, Level], ...], list[int]] = defaultdict(list)
    for at, cell in enumerate(cells):
        groups[tuple((name, cell.levels[name]) for name in rule.per if name != rule.along)].append(at)
    sides, clauses = set(), []
    for others, members in groups.items():
        members.sort(key=lambda at: float(cells[at].levels[rule.along]))
        pattern = "".join(LETTER[cells[at].decision] for at in members)
        where = f" at {', '.join(f'{name}={level}' for name, level in others)}" if len(groups) > 1 else ""
        if re.fullmatch("P+|F+", pattern):
            clauses.append(f"holds at {'every' if pattern[0] == 'P' else 'no'} tested {rule.along}{where}")
        elif match := re.fullmatch("P*(PO*F)F*|F*(FO*P)P*", pattern):
            sides.add(pattern[0])
            at, end = match.span(match.lastindex or 0)
            between = members[at:end] if pattern[0] == "P" else members[at:end][::-1]
            place, low, high = _crossover(rule, [effects[i] for i in between])
            word = "up to" if pattern[0] == "P" else "from"
            interval = f"interval {format_number(low)} to {format_number(high)}"
            clauses.append(f"holds {word} {rule.along} {format_number(place)} ({interval}){where}")
        else:
            return ""
    return "; ".join(clauses) if len(sides) == 1 else ""


def _crossover(rule: Rule, effects: Sequence[Effects]) -> tuple[float, float, float]:
    """Where the estimates cross the threshold between a passing and a failing cell: place, low, high."""
    levels = np.array([float(effect.levels[rule.along]) for effect in effects])
    log = bool(np.all(levels > 0))
    x: Values = np.log2(levels) if log else levels
    sign = 1.0 if rule.above is not None else -1.0
    centre = [np.median(effect.values) if effect.exact else np.mean(effect.values) for effect in effects]
    margin = sign * np.array([
        value - (math.log(rule.threshold) if effect.log else rule.threshold)
        for value, effect in zip(centre, effects, strict=True)
    ])  # fmt: skip
    place = _crossing(x, margin[None, :])[0]
    if any(effect.exact for effect in effects):
        low, high = sorted((x[0], x[-1]))
    else:
        streams: dict[tuple[int, ...], int] = {}
        draws = np.column_stack([
            value + sign * _noise(effect, streams.setdefault(effect.seeds, len(streams)))
            for value, effect in zip(margin, effects, strict=True)
        ])  # fmt: skip
        low, high = np.quantile(_crossing(x, draws), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if log:
        return float(2**place), float(2**low), float(2**high)
    return float(place), float(low), float(high)


def _noise(effect: Effects, stream: int) -> Values:
    """Resampled deviations of the cell's mean, widened for its few seeds."""
    n = effect.values.size
    widen = math.sqrt(n / (n - 1)) * t_quantile(n) / NORMAL_QUANTILE
    means: Values = resamples(n, stream) @ (effect.values - effect.values.mean())
    return means * widen


def _crossing(x: Values, margin: Values) -> Values:
    """For each row, where it first falls to zero along x, from the passing end; within the range of x."""
    below = margin <= 0
    first = np.where(below.any(axis=1), below.argmax(axis=1), len(x) - 1)
    before = np.maximum(first - 1, 0)
    rows = np.arange(len(margin))
    start, end = margin[rows, before], margin[rows, first]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(start > end, start / (start - end), 0.0)
    found: Values = np.where(below.any(axis=1), x[before] + share * (x[first] - x[before]), x[-1])
    return found
