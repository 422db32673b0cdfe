"""For what was a claim measured: which levels of its factors, on which devices?"""

from collections.abc import Mapping, Sequence

from seqlab.analysis.evidence import Evidence
from seqlab.notebook.claims import Exact, Rule
from seqlab.notebook.experiment import PART
from seqlab.notebook.figures import Level, matches
from seqlab.notebook.metrics import metric_named


def scope(rule: Rule, evidence: Evidence, cells: Sequence[Mapping[str, Level]]) -> str:
    """The levels and devices of the good runs in these cells: `length 64 to 512; model LSTM, GRU; cpu`.

    What is counted or published is the same on every device, and has none.
    """
    measured = evidence.series(rule.metric, rule.split)
    runs = [
        run
        for run in evidence.good_runs
        if run.run in measured
        and matches(run.factors, rule.where)
        and any(matches(run.factors, side) for side in rule.sides)
        and any(matches(run.factors, levels) for levels in cells)
    ]
    tested: dict[str, dict[Level, None]] = {}
    for run in runs:
        for name, level in run.factors.items():
            tested.setdefault(name, {})[level] = None
    parts = [f"{name} {_range(list(levels))}" for name, levels in tested.items() if name != PART]
    if isinstance(rule, Exact) and not metric_named(rule.metric).of_machine:
        return "; ".join(parts)
    return "; ".join([*parts, *dict.fromkeys(run.device for run in runs if run.device)])


def format_number(value: float) -> str:
    """Three significant digits, without an exponent below a million."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def is_numeric(levels: Sequence[Level]) -> bool:
    """Whether all levels are numbers (True and False are not)."""
    return all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels)


def _range(levels: Sequence[Level]) -> str:
    if len(levels) > 2 and is_numeric(levels):
        ordered = sorted(float(level) for level in levels)
        return f"{format_number(ordered[0])} to {format_number(ordered[-1])}"
    names = [str(level) for level in levels]
    return (" / " if any("," in name for name in names) else ", ").join(
        names
    )  # "LSTM, forget bias 3" is one level
