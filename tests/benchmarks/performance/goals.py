"""How fast is fast enough, and is it?

A goal is a ratio of times. It is met or not met where the whole 95 % interval lies on one side of it, and
unclear where the interval holds it. Ours is the faster of our two forms, eager and compiled, by its
median: the one that a long run takes. PyTorch and mlx.nn are eager.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from seqlab.analysis.intervals import Estimate
from tests.benchmarks.performance.cases import EAGER, LOOP, MODELS, PYTORCH, RECURRENT, STOCK, Case, Phase
from tests.benchmarks.performance.rows import Row

Verdict = Literal["met", "not met", "unclear"]
BEST = "best of ours"


@dataclass(frozen=True)
class Goal:
    """`left` takes at most, or at least, `limit` times as long as `right`. Without lengths, at every one."""

    left: str
    right: str
    limit: float
    at_most: bool
    models: tuple[str, ...]
    phases: tuple[Phase, ...] = ("training",)
    lengths: tuple[int, ...] = ()

    def covers(self, row: Row) -> bool:
        """Whether it speaks of this case, and both sides took part."""
        case = row.case
        spoken = case.model in self.models and case.phase in self.phases
        here = not self.lengths or case.length in self.lengths
        return spoken and here and {self.left, self.right} - {BEST} <= set(row.timings)

    @property
    def words(self) -> str:
        """The ratio and its limit."""
        return f"{self.left} / {self.right} {'≤' if self.at_most else '≥'} {self.limit:.1f}"


GOALS = (
    Goal(BEST, PYTORCH.name, 1.0, True, ("Transformer", "ViT", "PatchTST")),
    Goal(BEST, PYTORCH.name, 1.2, True, ("RNN", "GRU")),
    Goal(BEST, PYTORCH.name, 2.0, True, ("LSTM",)),
    Goal(LOOP.name, EAGER.name, 4.0, False, ("minGRU",), ("scan",), (1024,)),  # both eager
    Goal(BEST, PYTORCH.name, 1.2, True, ("Transformer",), ("decoding",)),
    Goal(STOCK.name, BEST, 3.0, False, ("LSTM", "GRU"), lengths=(256,)),
    Goal(STOCK.name, BEST, 1.0, False, MODELS),
    Goal(STOCK.name, BEST, 1.0, False, RECURRENT, ("decoding",)),
)


@dataclass(frozen=True)
class Judgement:
    """A goal, put to one case."""

    goal: Goal
    case: Case
    ratio: Estimate

    @property
    def verdict(self) -> Verdict:
        """By the interval; by the estimate alone where one block gives no interval."""
        known = math.isfinite(self.ratio.low)
        low, high = (self.ratio.low, self.ratio.high) if known else (self.ratio.estimate,) * 2
        if (high <= self.goal.limit) if self.goal.at_most else (low >= self.goal.limit):
            return "met"
        missed = (low > self.goal.limit) if self.goal.at_most else (high < self.goal.limit)
        return "not met" if missed else "unclear"


def judge(rows: list[Row]) -> Iterator[Judgement]:
    """Every goal at every case that it covers."""
    for goal in GOALS:
        for row in rows:
            if goal.covers(row):
                left, right = (row.best if name == BEST else name for name in (goal.left, goal.right))
                yield Judgement(goal, row.case, row.ratio(left, right))
