"""Which claims of a page does a trial help to decide, and is it about arithmetic?"""

from collections.abc import Mapping, Sequence

from seqlab.notebook.experiment import Experiment, Factors
from seqlab.notebook.figures import Level

UNDECIDED, DECIDED, NONE = 0, 1, 2  # what a trial is good for: the less, the sooner it runs


class Needs:
    """What each point of a page is good for. `decided` says of each claim whether it needs nothing more."""

    def __init__(self, experiment: Experiment, decided: Sequence[bool] = ()) -> None:
        self._claims = experiment.claims
        self._decided = [*decided, *[False] * (len(experiment.claims) - len(decided))]
        self._served: dict[frozenset[tuple[str, Level]], tuple[int, ...]] = {}

    def claims(self, factors: Factors) -> tuple[int, ...]:
        """The places, among the page's claims, of those whose rule compares this point."""
        key = _key(factors)
        if key not in self._served:
            rules = enumerate(claim.rule for claim in self._claims)
            self._served[key] = tuple(place for place, rule in rules if rule.asks_for(factors))
        return self._served[key]

    def undecided(self, factors: Factors) -> tuple[int, ...]:
        """Those of its claims that are not decided."""
        return tuple(place for place in self.claims(factors) if not self._decided[place])

    def of(self, factors: Factors) -> int:
        """UNDECIDED, DECIDED or NONE."""
        return UNDECIDED if self.undecided(factors) else DECIDED if self.claims(factors) else NONE

    def arithmetic(self, factors: Factors) -> bool:
        """Whether a claim of the point asks for one seed, as laws of arithmetic do."""
        return any(self._claims[place].rule.seeds == 1 for place in self.claims(factors))


def _key(factors: Mapping[str, Level]) -> frozenset[tuple[str, Level]]:
    return frozenset(factors.items())
