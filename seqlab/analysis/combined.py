"""What do all rules of a claim say together, on whichever pages they are judged? One outcome a claim.

A claim's rules are parts of one sentence, so it holds only if all of them hold, and one that fails keeps it
from holding. The first line that applies decides:

1. *With conditions*: a rule holds with conditions, or some rules hold and others do not.
2. *Not supported*: no rule holds and some rule fails, or finds no relevant difference where others fail;
   *no relevant difference* if that is all that any rule finds.
3. *Supported*: every rule holds. A rule that is undecided or untested keeps the claim *inconclusive*: missing
   evidence never supports.
4. *Inconclusive*: some rule is undecided. *Not tested* otherwise.

Rules that are undecided or untested do not undo a failure, but they are named beside it (`open`).

The headline is what some cell has, never an average over cells that disagree: the middle one of those cells
that made the outcome. Where some parts hold and others fail there are two, one of either kind.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seqlab.notebook.claims import Cell, Outcome, Rule, Verdict

DECIDED = (Outcome.SUPPORTED, Outcome.CONDITIONAL, Outcome.EQUIVALENT, Outcome.NOT_SUPPORTED)
_FAILED = (Outcome.NOT_SUPPORTED, Outcome.EQUIVALENT)


@dataclass(frozen=True)
class Headline:
    """One cell that shows what a rule found, with the rule's verdict and the cells that agree."""

    verdict: Verdict
    cell: Cell
    alike: tuple[Cell, ...]  # the cells that made the outcome, `cell` among them


@dataclass(frozen=True)
class Combined:
    """All verdicts on one claim, in the report's order, and what they say together."""

    outcome: Outcome
    verdicts: tuple[Verdict, ...] = ()

    def of(self, *outcomes: Outcome) -> tuple[Verdict, ...]:
        """The verdicts with one of these outcomes."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome in outcomes)

    @property
    def open(self) -> tuple[Verdict, ...]:
        """Those that are undecided or untested."""
        return self.of(Outcome.INCONCLUSIVE, Outcome.NOT_TESTED)

    @property
    def pages(self) -> tuple[str, ...]:
        """The pages that test the claim."""
        return tuple(dict.fromkeys(verdict.experiment for verdict in self.verdicts))

    @property
    def headlines(self) -> tuple[Headline, ...]:
        """One cell, or two where the claim holds in one place and fails in another; none without a number."""
        if self.outcome is not Outcome.CONDITIONAL:
            return _first(self.of(self.outcome) or self.of(*_FAILED) or self.of(Outcome.SUPPORTED))
        held = _first(self.of(Outcome.SUPPORTED, Outcome.CONDITIONAL), "pass")
        return held + _first(self.of(*_FAILED, Outcome.CONDITIONAL), "fail")


def combine(verdicts: Iterable[Verdict]) -> Combined:
    """The claim's one outcome, from the verdicts of all its rules."""
    given = tuple(verdicts)
    return Combined(combined_outcome([verdict.outcome for verdict in given]), given)


def combined_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome from those of all rules, in any order."""
    found = set(outcomes)
    failed = found & set(_FAILED)
    if Outcome.CONDITIONAL in found or (Outcome.SUPPORTED in found and failed):
        return Outcome.CONDITIONAL
    if failed:
        return Outcome.EQUIVALENT if failed == {Outcome.EQUIVALENT} else Outcome.NOT_SUPPORTED
    if found == {Outcome.SUPPORTED}:
        return Outcome.SUPPORTED
    return Outcome.INCONCLUSIVE if found - {Outcome.NOT_TESTED} else Outcome.NOT_TESTED


def middle(cells: Sequence[Cell], rule: Rule) -> Cell | None:
    """The cell in the middle by its estimate, of two the one nearer to the threshold, if any has a number."""
    known = sorted(
        (cell for cell in cells if math.isfinite(cell.estimate)), key=lambda cell: (cell.estimate, cell.low)
    )
    if not known:
        return None
    pair = known[(len(known) - 1) // 2], known[len(known) // 2]
    side = 1 if rule.above is not None else -1
    beyond = [side * (cell.estimate - rule.threshold) for cell in pair]
    return min(zip(pair, beyond, strict=True), key=lambda one: (abs(one[1]), one[1]))[0]


def deciding(verdict: Verdict) -> tuple[Cell, ...]:
    """The cells that made a verdict: those that pass where it is supported, those that fail, and so on."""
    match verdict.outcome:
        case Outcome.EQUIVALENT:
            return tuple(cell for cell in verdict.cells if cell.equivalent)
        case Outcome.SUPPORTED:
            return tuple(cell for cell in verdict.cells if cell.decision == "pass")
        case Outcome.NOT_SUPPORTED:
            return tuple(cell for cell in verdict.cells if cell.decision == "fail")
    return verdict.cells


def _first(verdicts: Sequence[Verdict], side: str = "") -> tuple[Headline, ...]:
    """The middle of the cells that made the first verdict that has such; with conditions, those of a side."""
    for verdict in verdicts:
        conditional = side and verdict.outcome is Outcome.CONDITIONAL
        alike = tuple(cell for cell in deciding(verdict) if not conditional or cell.decision == side)
        if cell := middle(alike, verdict.rule):
            return (Headline(verdict, cell, alike),)
    return ()
