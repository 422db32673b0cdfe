"""How often would the predictor have been right, and what would its choice have cost? On cells held out.

A cell is held out in one of several ways: at random, a tenth of the cells at a time; with all cells of its
length, of its width or of its batch, so that the prediction cannot lean on neighbours; or with all cells of
its device, where others were measured. Everything is fitted anew without what is held out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seqlab.analysis.atlas.cells import Cell, Device, Measured
from seqlab.analysis.atlas.predictor import LEAST_CELLS, Predictor

FOLDS = 10
RIGHT_GOAL, REGRET_GOAL = 0.95, 0.10
SURE = 0.9

BY_CELL, BY_DEVICE = "cell", "device"
REGIONS: Mapping[str, Callable[[Cell], int]] = {
    "length": lambda cell: cell.length,
    "width": lambda cell: cell.width,
    "batch": lambda cell: cell.batch,
}


@dataclass(frozen=True)
class Answer:
    """What was chosen for a measured cell without it, how surely, and what was true."""

    held_out: str  # with what
    measured: Measured
    chosen: str
    probability: float
    within: bool  # whether the time of the chosen one lay in its interval

    @property
    def right(self) -> bool:
        """Whether the chosen network was the fastest."""
        return self.chosen == self.measured.ranked[0]

    @property
    def regret(self) -> float:
        """How much longer it takes than the fastest."""
        return self.measured.regret(self.chosen)


@dataclass(frozen=True)
class Score:
    """Of `cells` answers: the share that is right, the mean and the largest regret, intervals that held.

    `sure` is how many had a probability of `SURE` or more, `sure_right` the share of these that is right.
    """

    cells: int
    right: float
    regret: float
    worst: float
    within: float
    sure: int
    sure_right: float

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> "Score":
        """The score of one or more answers."""
        regrets = [answer.regret for answer in answers]
        sure = [answer.right for answer in answers if answer.probability >= SURE]
        return cls(
            len(answers),
            float(np.mean([answer.right for answer in answers])),
            float(np.mean(regrets)),
            max(regrets),
            float(np.mean([answer.within for answer in answers])),
            len(sure),
            float(np.mean(sure)) if sure else float("nan"),
        )


def held_out(by: str, found: Sequence[Measured]) -> list[Answer]:
    """An answer for each cell of one task and device, by cell or by a region; none where too few are left."""
    if by == BY_CELL:
        fold = np.random.default_rng(0).permutation(len(found)) % min(FOLDS, max(1, len(found)))
        groups = [int(number) for number in fold]
    else:
        groups = [REGIONS[by](one.cell) for one in found]
    if len(found) < LEAST_CELLS:
        return []
    whole = Predictor(found)
    return [
        answer
        for group in sorted(set(groups))
        for answer in _answers(
            by,
            [one for one, own in zip(found, groups, strict=True) if own != group],
            [one for one, own in zip(found, groups, strict=True) if own == group],
            like=whole,
        )
    ]


def held_out_devices(found: Mapping[Device, Sequence[Measured]]) -> Iterator[tuple[Device, list[Answer]]]:
    """For each device, its answers from the cells of all others; `found` is of one task."""
    for device, own in found.items():
        others = [one for other, cells in found.items() if other != device for one in cells]
        if others and own:
            yield device, _answers(BY_DEVICE, others, own)


def _answers(
    by: str, known: Sequence[Measured], asked: Sequence[Measured], *, like: Predictor | None = None
) -> list[Answer]:
    if len(known) < LEAST_CELLS:
        return []
    predicted = Predictor(known, like=like).predict([one.cell for one in asked])
    low, high = predicted.bounds
    answers = []
    for row, (one, name) in enumerate(zip(asked, predicted.chosen, strict=True)):
        if name not in one.blocks:
            continue
        column = predicted.networks.index(name)
        within = bool(low[row, column] <= one.seconds[name] <= high[row, column])
        answers.append(Answer(by, one, name, float(predicted.probabilities[row, column]), within))
    return answers
