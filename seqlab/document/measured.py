"""What was measured, in words? Size and direction of an effect, in how many cells, and what was claimed.

`Transformer: 1.4 to 13 times the time per token of the best of 4 others, in 7 of 7 cells (claimed: at most
0.67 times)`. Every number is one of a cell.
"""

import math
from collections.abc import Mapping, Sequence

from seqlab.analysis.combined import DECIDED, Combined, deciding
from seqlab.charts.words import lowered
from seqlab.document.numbers import fixed, number, significant, two_digits
from seqlab.notebook.claims import Cell, Comparison, Difference, Exact, Outcome, Ratio, Rule, Slope, Verdict
from seqlab.notebook.experiment import PART
from seqlab.notebook.metrics import FRACTION, metric_named

PUBLISHED = "relative_difference"  # the metric of what was read in papers, not run
MAGNITUDES = "orders of magnitude"  # the unit of metrics that have it in their title alone
MOST_NAMED = 2  # opponents; more are counted
ONE_MORE = {  # of what a slope is along, for the factors whose names say less
    "length": "token", "tokens": "token", "layers": "layer", "depth": "layer", "distance": "step",
}  # fmt: skip
MOST_LETTERS = 14  # of an opponent in a narrow column


def level(name: str, value: object) -> str:
    """A factor's level: `LSTM`, `length 64`, `both ways: no`."""
    words = name.replace("_", " ")
    if isinstance(value, bool):
        return f"{words}: {'yes' if value else 'no'}"
    if isinstance(value, int | float):
        return f"{words} {fraction(float(value))}"
    return str(value)


def plain_levels(values: Mapping[str, object]) -> str:
    """Levels as text: `LSTM, length 64`."""
    return ", ".join(level(name, value) for name, value in values.items() if name != PART)


def fraction(value: float) -> str:
    """A number; thirds and other recurring parts as such: `2/3`."""
    for below in (3, 6, 7, 9):
        whole = round(value * below)
        if whole % below and abs(value * below - whole) < 1e-9:
            return f"{whole}/{below}"
    return significant(value)


def quantity(rule: Rule) -> str:
    """The metric's title within a sentence, without what stands in brackets."""
    return lowered(metric_named(rule.metric).title.partition(" (")[0])


def opponents(rule: Comparison, cells: Sequence[Cell] = ()) -> str:
    """The right-hand side: the one opponent that was the best in these cells, or the best of several."""
    absent = set.intersection(*(set(cell.absent) for cell in cells)) if cells else set()
    named = [", ".join(level(*item) for item in where.items()) for where in rule.opponents]
    known = [name for name in named if name not in absent]
    best = {cell.opponent for cell in cells if cell.opponent}
    if len(known) == 1:
        return known[0]
    if len(best) == 1 and cells:
        return f"{best.pop()}, the best of {len(known)}"
    if len(known) <= MOST_NAMED:
        return f"the better of {' and '.join(known)}"
    return f"the best of {len(known)} others"


def claimed(rule: Rule) -> str:
    """What the rule asks for: `at most 0.67 times`, `at least 1 point higher`."""
    limit, above = rule.threshold, rule.above is not None
    if rule.metric == PUBLISHED:
        return f"within {_per_cent(limit)}"
    if isinstance(rule, Ratio):
        return f"{'at least' if above else 'at most'} {significant(limit)} times"
    if isinstance(rule, Difference):
        if limit == 0:
            return "higher" if above else "lower"
        if (limit > 0) == above:
            return f"at least {_size(rule, [abs(limit)])} {'higher' if above else 'lower'}"
        return f"less than {_size(rule, [abs(limit)])} {'lower' if above else 'higher'}"
    return f"{'above' if above else 'below'} {_values(rule, [limit])}"


def found(rule: Rule, cells: Sequence[Cell]) -> str:
    """The effects of these cells, with their direction; empty where none is a number."""
    values = sorted(cell.estimate for cell in cells if math.isfinite(cell.estimate))
    if not values:
        return ""
    if rule.metric == PUBLISHED:
        if not any(values):
            return "Published figures agree with the article's"
        return (
            f"Published figures differ from the article's by {_range([_per_cent(value) for value in values])}"
        )
    if isinstance(rule, Ratio):
        text = f"{_range([two_digits(value) for value in values])} times the {quantity(rule)} of "
        return f"{_left(rule)}: {text}{opponents(rule, cells)}"
    if isinstance(rule, Difference):
        name = quantity(rule)
        apart = f"{_apart(rule, values)} {opponents(rule, cells)}"
        return f"{_left(rule)}: {name}{':' if name[-1].isdigit() else ''} {apart}"
    return f"{quantity(rule)[:1].upper()}{quantity(rule)[1:]}: {_values(rule, values)}"


def short_effect(rule: Ratio | Difference, cell: Cell, *, mirrored: bool = False) -> str:
    """The effect of a cell for a narrow column, with the opponent: `−15 pts vs CNN`.

    `mirrored` tells it from the right-hand side, whose opponent is the left one.
    """
    opponent = _left(rule) if mirrored else cell.opponent or opponents(rule)
    if isinstance(rule, Ratio):
        size = f"{two_digits(1 / cell.estimate if mirrored else cell.estimate)}×"
    else:
        value = -cell.estimate if mirrored else cell.estimate
        points = _points(rule)
        unit = "pts" if points else metric_named(rule.metric).unit
        size = f"{_signed(100 * value if points else value)} {unit}"
    return f"{size.rstrip()} vs {opponent}" if opponent and len(opponent) <= MOST_LETTERS else size.rstrip()


def measured(verdict: Verdict, cells: Sequence[Cell] | None = None) -> str:
    """The effects of the cells that made the verdict, or of these, their number, and what was claimed."""
    chosen = deciding(verdict) if cells is None else cells
    text = found(verdict.rule, chosen)
    if not text:
        return ""
    several, among = len(chosen), len(verdict.cells)
    settled = verdict.outcome in DECIDED or several < among
    of = f", in {several} of {among} cells" if settled else f", over {several} cells"
    of = of if among > 1 else ""
    interval = _interval(verdict.rule, chosen[0]) if several == 1 else ""
    return f"{text}{of} ({interval}claimed: {claimed(verdict.rule)})"


def brief(claim: Combined) -> str:
    """The first headline's effects without the side that has them, to end a sentence; empty for nothing."""
    for one in claim.headlines:
        text = found(one.verdict.rule, one.alike)
        return text.partition(": ")[2] if isinstance(one.verdict.rule, Comparison) else text
    return ""


def summary(claim: Combined) -> str:
    """What all pages measured of a claim, without the last full stop; empty for nothing."""
    parts = [measured(one.verdict, one.alike) for one in claim.headlines]
    if claim.outcome is Outcome.CONDITIONAL and len(parts) == 2:
        holds, fails = (f"p{part[1:]}" if part.startswith("Published") else part for part in parts)
        parts = [f"It holds here: {holds}", f"It fails here: {fails}"]
    elif claim.outcome is Outcome.INCONCLUSIVE and not claim.of(Outcome.INCONCLUSIVE):
        untested, all_rules = len(claim.of(Outcome.NOT_TESTED)), len(claim.verdicts)
        parts = [
            f"It holds so far: {parts[0]}" if parts else "",
            f"{untested} of {all_rules} rules not tested",
        ]
    return ". ".join(filter(None, parts))


def evidence(claim: Combined) -> str:
    """What the headline rests on: `n = 5, here`, `n = 10, reference`, `counted`, `published figures`."""
    for one in claim.headlines:
        metric = metric_named(one.verdict.rule.metric)
        if metric.name == PUBLISHED:
            return "published figures"
        if one.verdict.rule.seeds == 1 and not one.verdict.origin:
            return "counted here" if not metric.of_machine else "exact, here"
        n = min(each.cell.n for each in claim.headlines)
        return f"n = {n}, {'reference' if one.verdict.origin else 'here'}"
    return "–"


def unsettled(claim: Combined, titles: Mapping[str, str]) -> str:
    """Which parts of a claim are undecided or untested, by the titles of its chapters, if it has several."""
    told = []
    if len(claim.pages) == 1:
        return ""
    for outcome, word in ((Outcome.INCONCLUSIVE, "undecided"), (Outcome.NOT_TESTED, "not tested")):
        pages = [verdict.experiment for verdict in claim.of(outcome)]
        names = list(dict.fromkeys(titles.get(page) or page for page in pages))
        if names and len(claim.verdicts) > len(pages):
            told.append(f"{word}: {', '.join(names)}")
    return "; ".join(told)


def not_run(claim: Combined) -> bool:
    """Whether nothing is wrong but that the trials of the claim's first rule have not run."""
    why = claim.verdicts[0].reason if claim.outcome is Outcome.NOT_TESTED and claim.verdicts else ""
    return "not run" in why and "failed" not in why and "diverged" not in why


def _left(rule: Comparison) -> str:
    return ", ".join(level(*item) for item in rule.left.items() if item[0] != PART) or "left"


def _per_cent(value: float) -> str:
    return f"{significant(100 * value, 2)} %"


def _points(rule: Rule) -> bool:
    metric = metric_named(rule.metric)
    return metric.span == FRACTION and not metric.unit


def _size(rule: Rule, values: Sequence[float]) -> str:
    """Sizes of differences, in percentage points where they are of fractions."""
    if _points(rule):
        text = _range([significant(100 * value, 2) for value in values])
        return f"{text} percentage point{'' if text == '1' else 's'}"
    metric = metric_named(rule.metric)
    unit = metric.unit or (MAGNITUDES if MAGNITUDES in metric.title else "")
    return f"{_range([significant(value, 2) for value in values])} {unit}".rstrip()


def _apart(rule: Rule, values: Sequence[float]) -> str:
    """`0.3 to 0.4 lower than`."""
    low, high = values[0], values[-1]
    if low < 0 < high:
        return f"from {_size(rule, [-low])} lower to {_size(rule, [high])} higher than"
    if low == high == 0:
        return "equal to that of"
    return f"{_size(rule, sorted(map(abs, values)))} {'lower' if low < 0 else 'higher'} than"


def _values(rule: Rule, values: Sequence[float]) -> str:
    """Values of an exact rule or slopes, with their unit."""
    metric = metric_named(rule.metric)
    if not isinstance(rule, Slope):
        return _range([number(value, metric.unit) for value in values])
    unit = {"log2": "doublings", "log10": "powers of ten"}.get(rule.y_scale, metric.unit)
    of = metric.index if rule.x == "step" else rule.x.replace("_", " ")
    one = ONE_MORE.get(of, of.removesuffix("s"))
    per = {"log2": f"a doubling of {of}", "log10": f"ten times the {of}"}.get(rule.x_scale, f"each {one}")
    shown = _range([_signed(value) for value in values])
    return f"{shown} {unit} for {per}".replace("  ", " ")


def _interval(rule: Rule, cell: Cell) -> str:
    if isinstance(rule, Exact) or not math.isfinite(cell.high - cell.low) or cell.low == cell.high:
        return ""
    scale = 100 if isinstance(rule, Difference) and _points(rule) else 1
    low, high = (_near(value * scale, (cell.high - cell.low) * scale) for value in (cell.low, cell.high))
    return f"95 % interval {low} to {high}; "


def _near(value: float, width: float) -> str:
    """A bound with as many decimals as the interval's width has a use for."""
    if abs(value) >= 1e5 or width < 1e-4:
        return significant(value, 2)
    return fixed(value, min(max(1 - math.floor(math.log10(width)), 0), 6))


def _signed(value: float) -> str:
    return significant(value, 2) if value <= 0 else f"+{significant(value, 2)}"


def _range(texts: Sequence[str]) -> str:
    """`1.4 to 13`, or one of them where they read alike; a unit that both have is told once."""
    first, last = texts[0], texts[-1]
    if first == last:
        return first
    head, _, unit = first.rpartition(" ")
    return f"{head} to {last}" if unit and last.endswith(f" {unit}") else f"{first} to {last}"
