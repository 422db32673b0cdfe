"""How long may a command take, and when must it stop starting trials?

The time begins with the command and ends with its report, so some of it is set aside for judging and
rendering. A trial is started only if it is predicted to end in time. One that takes longer than predicted is
ended once it is late by `TOLERANCE` of the time; it is not stored, so it is due again, and a long training
goes on from its checkpoint.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from seqlab.errors import UsageError

TOLERANCE = 0.03  # of the time given: how late trials may end; with the report, a command is 5 % late at most
MOST_RESERVED = 0.5  # of the time given: the rest is for trials, however long the report takes


@dataclass(frozen=True)
class Limit:
    """So many seconds from `started` by `clock`, of which the last `reserve` are not for trials."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    started: float = field(default=math.nan)
    reserve: float = 0.0

    def __post_init__(self) -> None:
        if math.isnan(self.started):
            object.__setattr__(self, "started", self.clock())

    @classmethod
    def of(cls, minutes: float | None, hours: float | None, *, budget: str, force: bool) -> "Limit | None":
        """From the command line; None where no time was given, `UsageError` where it makes no sense."""
        if minutes is None and hours is None:
            return None
        if minutes is not None and hours is not None:
            raise UsageError(f"expected --minutes or --hours, found both ({minutes:g}, {hours:g}). Use one.")
        name, given, unit = ("--minutes", minutes, 60) if minutes is not None else ("--hours", hours, 3_600)
        assert given is not None
        if not (given > 0 and math.isfinite(given * unit)):
            raise UsageError(f"{name} must be above 0 and finite, found {given:g}. For example: {name} 2.")
        if budget == "smoke":
            raise UsageError(
                f"{name} needs --budget quick or full, found smoke, which decides no claim. "
                f"Leave {name} or --budget smoke out."
            )
        if force:
            raise UsageError(
                f"{name} goes on where the same command stopped, and --force begins again. Leave one out."
            )
        return cls(given * unit)

    def reserving(self, seconds: float) -> "Limit":
        """The same with so many seconds set aside for what follows the trials."""
        return replace(self, reserve=min(seconds, MOST_RESERVED * self.seconds))

    def spent(self) -> float:
        """Seconds since the command began."""
        return self.clock() - self.started

    def left(self) -> float:
        """Seconds left for trials."""
        return self.seconds - self.reserve - self.spent()

    def overdue(self) -> bool:
        """Whether trials that still run would make the command late by more than the tolerance."""
        return self.left() < -TOLERANCE * self.seconds
