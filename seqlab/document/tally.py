"""How many claims were tested, how did they fare, and how good were our predictions?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from seqlab.document.content import Report
from seqlab.notebook.claims import Outcome, Verdict
from seqlab.notebook.ledger import Entry

DECIDED = (Outcome.SUPPORTED, Outcome.CONDITIONAL, Outcome.NOT_SUPPORTED)


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """One outcome for a claim that several pages test.

    Pages that decide and agree speak for the claim. Where they disagree it holds on one page and
    not on another, which is what "with conditions" means. Undecided pages add nothing.
    """
    found = set(outcomes)
    decided = found & set(DECIDED)
    if len(decided) == 1:
        return decided.pop()
    if decided:
        return Outcome.CONDITIONAL
    return Outcome.INCONCLUSIVE if Outcome.INCONCLUSIVE in found else Outcome.NOT_TESTED


@dataclass(frozen=True)
class Guess:
    """A prediction beside what was measured."""

    entry: Entry
    outcome: Outcome
    right: bool


@dataclass(frozen=True)
class Tally:
    """Counts over the whole ledger. `tested` leaves out claims whose every outcome is "not tested"."""

    claims: int
    outcomes: Mapping[str, Outcome]  # by claim id, every claim of the ledger
    counts: Mapping[Outcome, int]
    guesses: tuple[Guess, ...]

    @property
    def tested(self) -> int:
        """Claims that measuring said something about, if only that it is inconclusive."""
        return self.claims - self.counts[Outcome.NOT_TESTED]

    @property
    def hits(self) -> int:
        """Predictions that were borne out."""
        return sum(guess.right for guess in self.guesses)


def tally(report: Report) -> Tally:
    """Count the report's verdicts by claim."""
    found: dict[str, list[Verdict]] = {claim: [] for claim in report.ledger}
    for chapter in report.chapters:
        for verdict in chapter.verdicts:
            found.setdefault(verdict.claim, []).append(verdict)
    outcomes = {claim: overall(verdict.outcome for verdict in given) for claim, given in found.items()}
    guesses = []
    for entry in report.ledger.values():
        right = entry.predicted_correctly(outcomes[entry.id])
        if right is not None:
            guesses.append(Guess(entry, outcomes[entry.id], right))
    counts = {outcome: sum(other is outcome for other in outcomes.values()) for outcome in Outcome}
    return Tally(len(outcomes), outcomes, counts, tuple(guesses))
