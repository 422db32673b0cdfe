"""Where does a claim stop holding: from which length on, or for which kind of model?

Along a numeric factor there is a boundary where, for each combination of the other factors, all passing
cells lie on one side and all failing cells on the other, with open cells only between them. It is told by the
last level that passes and the first that fails: what lies between was not measured, or is open. (A crossing
interpolated between the two had an interval that contained a step between them in 7 % of cases.)
Along a categorical factor there is a boundary where each level passes entirely or fails entirely.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from seqlab.analysis.scope import format_number, is_numeric
from seqlab.notebook.claims import Cell, Rule
from seqlab.notebook.figures import Level

LETTER = {"pass": "P", "fail": "F", "open": "O"}


def boundary(rule: Rule, cells: Sequence[Cell]) -> str:
    """Where the claim holds and where not, in words; empty where there is no boundary along `rule.along`."""
    if not rule.along:
        return ""
    levels = [cell.levels[rule.along] for cell in cells]
    return _ordered(rule, cells) if is_numeric(levels) else _categorical(rule, cells)


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


def _ordered(rule: Rule, cells: Sequence[Cell]) -> str:
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
            first, last = (cells[members[i]].levels[rule.along] for i in (at, end - 1))
            words = f"up to {rule.along} {{}}, fails from {{}}", f"from {rule.along} {{1}}, fails up to {{0}}"
            told = words[pattern[0] == "F"].format(*(format_number(float(level)) for level in (first, last)))
            clauses.append(f"holds {told}{', open between' if end - at > 2 else ''}{where}")
        else:
            return ""
    return "; ".join(clauses) if len(sides) == 1 else ""
