"""How long does learning stand still at an answer that knows less than the best one does?

A loss is measured at even distances while a model learns. It stands still at a level while it is nearer to
that level than to the ones beside it, and gains less than a hundredth. What it takes to leave for the next
level is not told by the last loss, nor by their mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from seqlab.errors import UsageError

GAIN = 0.01  # of the loss: less than that is standing still


@dataclass(frozen=True)
class Plateau:
    """`share` of the training was spent standing still; `left` tells whether the next level was reached."""

    share: float
    left: bool


def plateau(losses: Sequence[float], *, worse: float, level: float, better: float) -> Plateau:
    """The longest stretch without a gain at `level`, before the loss is nearer to `better` than to it.

    `losses` are measured after equal numbers of steps, the last one at the end. `worse`, `level` and `better`
    are the losses of three ways to answer, from the one that knows least to the one that knows most.
    """
    if not losses or not worse > level > better:
        raise UsageError(
            f"a plateau needs losses, and levels that fall: found {len(losses)} losses and "
            f"{worse:g}, {level:g}, {better:g}."
        )
    before = list(takewhile(lambda loss: loss > (level + better) / 2, losses))
    near = [loss < (worse + level) / 2 for loss in before]
    longest = 0
    for start, loss in enumerate(before):
        lowest = accumulate(before[start:], min)
        still = [at and loss - low < GAIN * loss for at, low in zip(near[start:], lowest, strict=True)]
        longest = max(longest, sum(takewhile(bool, still)) - 1)
    return Plateau(longest / len(losses), len(before) < len(losses))
