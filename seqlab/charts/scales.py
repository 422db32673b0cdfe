"""Where does a value stand on a strip? One scale for all effects of one unit: rows can be compared."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

FARTHEST = 64.0  # a ratio beyond it, either way, is drawn as an arrow at the edge


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`, which are logarithms where `log`."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def of(cls, values: Iterable[float], *, log: bool = False) -> "Scale":
        """A scale on which all of these values have a place; ratios and other positive values by `log`."""
        shown = [math.log(value) if log else value for value in values if _has_place(value, log)]
        limit = math.log(FARTHEST)
        if log:
            shown = [min(max(value, -limit), limit) for value in shown] if _centred(shown, limit) else shown
        low, high = min(shown, default=0.0), max(shown, default=1.0)
        room = 0.06 * (high - low) or 0.5
        return cls(low - room, high + room, log)

    def at(self, value: float) -> float:
        """The place of a value, from 0 at the left to 1 at the right; beyond either for what lies outside."""
        if self.log:
            value = math.log(value) if value > 0 else -math.inf
        return (value - self.low) / (self.high - self.low)

    @property
    def ends(self) -> tuple[float, float]:
        """The values at the left and at the right."""
        return (math.exp(self.low), math.exp(self.high)) if self.log else (self.low, self.high)


def _has_place(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _centred(logarithms: list[float], limit: float) -> bool:
    """Whether these are ratios around 1, and not sizes of another order."""
    return any(abs(value) < limit for value in logarithms)
