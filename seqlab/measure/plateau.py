"""How long does the loss stay on a plateau during training, at the level of a prediction worse than the best?

The loss is measured at even intervals during training. It is on a plateau at a level while it is nearer to
that level than to the levels above and below, and improves by less than one per cent. Neither the last loss
nor the mean loss would show this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from seqlab.errors import UsageError

GAIN = 0.01  # of the loss: a smaller improvement is none


@dataclass(frozen=True)
class Plateau:
    """`share` of the training that it took, and whether training `left` it for the next level."""

    share: float
    left: bool


def plateau(losses: Sequence[float], *, worse: float, level: float, better: float) -> Plateau:
    """The longest stretch without a gain at `level`, before the loss is nearer to `better` than to it.

    `losses` are measured after equal numbers of steps, the last one at the end. `worse`, `level` and `better`
    are the losses of three predictions, from the worst to the best.
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
