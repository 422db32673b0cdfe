"""What did a training still gain at its end, by the validation values that it measured?

The rate of a training is constant until its last fifth, in which it falls to zero. That fall improves every
network and then flattens the curve whether or not there was more to learn, so the end that counts here is the
last step before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LAST_PART = 0.25  # of the steps with a constant rate
FEWEST = 8  # evaluations that tell anything: so the last part holds two


@dataclass(frozen=True)
class LastQuarter:
    """The best validation value before the last quarter of a training, at its end, and the first of all."""

    first: float
    before: float
    end: float

    @property
    def gain(self) -> float:
        """What the last quarter brought, never negative."""
        return abs(self.end - self.before)


def last_quarter(
    curve: Sequence[tuple[int, float]], steps: int, *, higher: bool, fewest: int = 1
) -> LastQuarter | None:
    """What the last quarter of so many steps brought; `higher` values or lower ones are better.

    The curve holds (step, value); what comes after the steps does not count. None where fewer than `fewest`
    evaluations, or none before the last quarter, can tell.
    """
    known = [(step, value) for step, value in curve if step <= steps]
    before = [value for step, value in known if step <= (1 - LAST_PART) * steps]
    if len(known) < fewest or not before:
        return None
    best = max if higher else min
    return LastQuarter(known[0][1], best(before), best(value for _, value in known))
