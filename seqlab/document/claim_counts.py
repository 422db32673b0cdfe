"""How many claims were tested, with which outcomes, and how good were our predictions?"""

from collections.abc import Mapping
from dataclasses import dataclass

from seqlab.document.content import Report
from seqlab.notebook.claims import DECIDED, Outcome
from seqlab.notebook.ledger import Entry


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
    of_rules: tuple[bool, ...] = ()  # of the decided rules with a prediction of their own: did it come true?

    @property
    def tested(self) -> int:
        """The number of claims with a result, even if it is inconclusive."""
        return self.claims - self.by_outcome[Outcome.NOT_TESTED]

    @property
    def correct(self) -> int:
        """The number of correct predictions."""
        return sum(prediction.right for prediction in self.predictions)

    @property
    def broad(self) -> int:
        """The number of correct predictions that several outcomes would have borne out."""
        return sum(one.right and one.entry.expect == ("misleading",) for one in self.predictions)


def count_claims(report: Report) -> ClaimCounts:
    """Count the claims of the report by what all pages together say of them."""
    outcomes = {claim: found.outcome for claim, found in report.claims.items()}
    predictions = []
    for entry in report.ledger.values():
        right = entry.predicted_correctly(outcomes[entry.id])
        if right is not None:
            predictions.append(Prediction(entry, outcomes[entry.id], right))
    counts = {outcome: sum(other is outcome for other in outcomes.values()) for outcome in Outcome}
    of_rules = tuple(
        verdict.predicted == verdict.outcome
        for chapter in report.chapters
        for verdict in chapter.verdicts
        if verdict.predicted and verdict.outcome in DECIDED
    )
    return ClaimCounts(len(outcomes), outcomes, counts, tuple(predictions), of_rules)
