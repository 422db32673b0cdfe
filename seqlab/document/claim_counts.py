"""How many claims were tested, with which outcomes, and how good were our predictions?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from seqlab.document.content import Report
from seqlab.notebook.claims import Outcome, Verdict
from seqlab.notebook.ledger import Entry

DECIDED = (Outcome.SUPPORTED, Outcome.CONDITIONAL, Outcome.EQUIVALENT, Outcome.NOT_SUPPORTED)
HELD_NOWHERE = {Outcome.EQUIVALENT, Outcome.NOT_SUPPORTED}


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """One outcome for a claim that several pages test.

    If all pages with a decision agree, theirs. If they disagree, the claim holds on one page and not on
    another, which is what "with conditions" means; if it holds on none, it is not supported. Pages without a
    decision do not count.
    """
    found = set(outcomes)
    decided = found & set(DECIDED)
    if len(decided) == 1:
        return decided.pop()
    if decided:
        return Outcome.NOT_SUPPORTED if decided <= HELD_NOWHERE else Outcome.CONDITIONAL
    return Outcome.INCONCLUSIVE if Outcome.INCONCLUSIVE in found else Outcome.NOT_TESTED


@dataclass(frozen=True)
class Prediction:
    """A prediction and the measured outcome."""

    entry: Entry
    outcome: Outcome
    right: bool


@dataclass(frozen=True)
class ClaimCounts:
    """Counts over the whole ledger. `tested` excludes claims for which every outcome is "not tested"."""

    claims: int
    outcomes: Mapping[str, Outcome]  # by claim id, every claim of the ledger
    by_outcome: Mapping[Outcome, int]
    predictions: tuple[Prediction, ...]

    @property
    def tested(self) -> int:
        """The number of claims with a result, even if it is inconclusive."""
        return self.claims - self.by_outcome[Outcome.NOT_TESTED]

    @property
    def correct(self) -> int:
        """The number of correct predictions."""
        return sum(prediction.right for prediction in self.predictions)


def count_claims(report: Report) -> ClaimCounts:
    """Count the report's verdicts by claim."""
    found: dict[str, list[Verdict]] = {claim: [] for claim in report.ledger}
    for chapter in report.chapters:
        for verdict in chapter.verdicts:
            found.setdefault(verdict.claim, []).append(verdict)
    outcomes = {claim: overall(verdict.outcome for verdict in given) for claim, given in found.items()}
    predictions = []
    for entry in report.ledger.values():
        right = entry.predicted_correctly(outcomes[entry.id])
        if right is not None:
            predictions.append(Prediction(entry, outcomes[entry.id], right))
    counts = {outcome: sum(other is outcome for other in outcomes.values()) for outcome in Outcome}
    return ClaimCounts(len(outcomes), outcomes, counts, tuple(predictions))
