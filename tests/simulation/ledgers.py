"""How often is the project's own `judge` right, over many ledgers whose truth is known?

A ledger is one claim on one page: a model against one or several opponents, in one or several cells, with
the same seeds. The evidence is planted ready-made, so that a ledger costs what judging costs and no more.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from seqlab.analysis.evidence import Evidence, Run
from seqlab.analysis.verdicts import judge
from seqlab.notebook.claims import Claim, Difference, Outcome, Verdict
from seqlab.notebook.experiment import Budget, Experiment, Point, Trial
from tests.simulation.noise import DEVIATION, Values, draw, truth

METRIC, DEVICE = "accuracy", "cpu (simulated)"
LEFT = "A"
GAP = 0.3  # standard deviations from one opponent to the next: validation often picks a weaker one
Scores = dict[tuple[str, int], Values]  # a value a seed, by model and cell
EMPTY = pd.DataFrame({"run": [], "metric": [], "value": [], "split": [], "step": []})


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What is simulated. `beyond` is the truth's distance to the threshold, in standard deviations.

    With `equal`, left and right are drawn alike (an A/A comparison) instead. With several `looks`, seeds are
    added until a verdict is reached; `seeds` is then the number at the last look.
    """

    noise: str
    cells: int = 1
    opponents: int = 1
    seeds: int = 10
    beyond: float = 0.0
    equal: bool = False
    looks: tuple[int, ...] = ()
    estimand: str = "trimmed"

    @property
    def models(self) -> tuple[str, ...]:
        """The left side and its opponents."""
        return (LEFT, *(f"B{number}" for number in range(1, 1 + self.opponents)))

    @property
    def threshold(self) -> float:
        """The rule's: none in an A/A comparison."""
        return 0.0 if self.equal else self.truth - self.beyond * DEVIATION[self.noise]

    @property
    def truth(self) -> float:
        """The true effect."""
        return truth(self.noise, self.estimand)


@dataclass(frozen=True)
class Share:
    """How many of `ledgers` had each outcome."""

    ledgers: int
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)

    def of(self, *outcomes: Outcome) -> float:
        """The share with one of these outcomes."""
        return sum(self.outcomes.get(outcome, 0) for outcome in outcomes) / self.ledgers


@dataclass
class Page:
    """A page that compares A with its opponents in several cells, ready to be judged again and again."""

    condition: Condition
    experiment: Experiment = field(init=False)
    runs: list[Run] = field(init=False)
    planned: list[Trial] = field(init=False)
    at: dict[tuple[str, int, int], int] = field(init=False)  # the run of a model, cell and seed
    first: dict[int, tuple[list[Run], list[Trial]]] = field(default_factory=dict)  # of the first seeds

    def __post_init__(self) -> None:
        models = self.condition.models
        rule = Difference(
            metric=METRIC, split="test", left={"model": LEFT}, per=("length",), along="length", matched=(),
            right=tuple({"model": name} for name in models[1:]), above=self.condition.threshold,
        )  # fmt: skip
        lengths = [2**power for power in range(4, 4 + self.condition.cells)]
        points = [
            MappingProxyType({"model": name, "length": length}) for length in lengths for name in models
        ]
        self.experiment = Experiment(
            run=lambda trial: iter(()),
            budgets=(Budget("quick", tuple(Point(point, self.condition.seeds) for point in points)),),
            claims=(Claim("C01", rule, "made up"),),
            name="simulated",
        )
        self.runs, self.at = [], {}
        for point in points:
            for seed in range(self.condition.seeds):
                number = len(self.runs)
                self.at[str(point["model"]), lengths.index(int(point["length"])), seed] = number
                self.runs.append(Run(number, point, seed, "ok", DEVICE))
        self.planned = [Trial("simulated", run.factors, run.seed, "quick", {}) for run in self.runs]

    def verdict(self, values: Mapping[str, Scores], seeds: int) -> Verdict:
        """Judge the first seeds of the scores, by split."""
        if seeds not in self.first:
            self.first[seeds] = (
                [run for run in self.runs if run.seed < seeds],
                [trial for trial in self.planned if trial.seed < seeds],
            )
        kept, planned = self.first[seeds]
        scores = {
            split: {
                self.at[model, cell, seed]: float(found[seed])
                for (model, cell), found in given.items()
                for seed in range(seeds)
            }
            for split, given in values.items()
        }
        return judge(self.experiment, ready(kept, scores), planned)[0]


def ready(runs: list[Run], scores: Mapping[str, Mapping[int, float]]) -> Evidence:
    """Evidence with its tables already reduced to what `judge` reads: the runs and a value for each."""
    evidence = Evidence(EMPTY, EMPTY)
    reduced = {(METRIC, split): found for split, found in scores.items()}
    evidence.__dict__.update(
        all_runs=tuple(runs), good_runs=tuple(runs), _run_values=Reduced(reduced), _series=Reduced({})
    )
    return evidence


class Reduced(dict[tuple[str, str], Mapping[int, float]]):
    """The values of the metrics that were planted; every other metric was not measured."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: tuple[str, str]) -> Mapping[int, float]:
        return {}


def plant(condition: Condition, rng: np.random.Generator) -> dict[str, Scores]:
    """Scores on the test and the validation split, of all models in all cells.

    A seed's own luck is the same for all models, and pairing must take it out. Each opponent has noise of its
    own, so that its effect has just the noise that the condition names. The first opponent is the best, by
    GAP each; validation, whose noise is another, chooses among them and may err.
    """
    found: dict[str, Scores] = {"test": {}, "valid": {}}
    shape = (condition.cells, condition.seeds)
    gap = GAP * DEVIATION[condition.noise]
    for split in found.values():
        shared = rng.normal(size=shape)
        for number, name in enumerate(condition.models):
            drawn = draw(condition.noise, rng, shape)
            if condition.equal:
                scores = shared + drawn
            elif number == 0:
                scores = shared
            else:
                scores = shared - drawn - gap * (number - 1)
            split.update({(name, cell): scores[cell] for cell in range(condition.cells)})
    return found


def judged(condition: Condition, ledgers: int, *, seed: int = 0) -> Iterator[list[Verdict]]:
    """For each ledger, the verdicts at its looks, up to the first one that decides."""
    page = Page(condition)
    rng = np.random.default_rng([seed, hash_of(condition)])
    for _ in range(ledgers):
        values = plant(condition, rng)
        found = []
        for seeds in condition.looks or (condition.seeds,):
            found.append(page.verdict(values, seeds))
            if found[-1].outcome is not Outcome.INCONCLUSIVE:
                break
        yield found


def hash_of(condition: Condition) -> int:
    """A number of the condition that is the same in every process, as `hash` is not."""
    return hash_of_text(repr(condition))


def hash_of_text(text: str) -> int:
    """A number of a text that is the same in every process."""
    return int.from_bytes(text.encode(), "little") % (2**63)


def simulate(condition: Condition, ledgers: int, *, seed: int = 0) -> Share:
    """Judge that many ledgers and count the outcomes."""
    counts = Counter(found[-1].outcome for found in judged(condition, ledgers, seed=seed))
    return Share(ledgers, counts)


def kept_promises(condition: Condition, ledgers: int, *, first: int = 5, seed: int = 0) -> tuple[int, int]:
    """How many verdicts named a number of further seeds, and how many of those just that many decided.

    The condition's `seeds` must be enough for the largest promise.
    """
    page = Page(condition)
    rng = np.random.default_rng([seed, hash_of(condition)])
    promised = kept = 0
    for _ in range(ledgers):
        values = plant(condition, rng)
        more = page.verdict(values, first).seeds_needed
        if more is not None:
            promised += 1
            kept += page.verdict(values, first + more).outcome is not Outcome.INCONCLUSIVE
    return promised, kept
