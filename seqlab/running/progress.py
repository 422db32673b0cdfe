"""What runs now, how far is it, and how long will the rest take?

On a terminal a live display, elsewhere one plain line for each trial. Everything goes to standard error, so
that standard output holds results only. Rich respects NO_COLOR.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from seqlab.notebook.experiment import Trial
from seqlab.running.costs import Costs
from seqlab.running.decided import Decided
from seqlab.running.limit import Limit
from seqlab.running.schedule import Block
from seqlab.streams import visible

REPREDICTING = 0.01  # of the time: the most that predicting the time left may take


class Display(Protocol):
    """Shows trials as they run."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def begin(self, trial: Trial) -> None: ...
    def advance(self, trial: Trial, step: int, value: float) -> None: ...
    def end(self, trial: Trial, status: str, seconds: float, error: str) -> None: ...
    def note(self, text: str) -> None: ...


class Estimate:
    """How long the rest will take: what the trials left are predicted to, or what is left of the time given.

    `jobs` trials run at a time, of those that run alone as many as there are places `alone`.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        costs: Costs,
        *,
        jobs: int,
        alone: int = 1,
        limit: Limit | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._costs, self._limit, self._clock = costs, limit, clock
        self._left = {
            id(trial): (trial, alone if block.alone else jobs) for block in blocks for trial in block.trials
        }
        self._of_page = Counter(trial.experiment for trial, _ in self._left.values())
        self._seconds, self._at, self._next = 0.0, clock(), clock()

    def ended(self, trial: Trial) -> None:
        """Take the trial off the rest."""
        if self._left.pop(id(trial), None):
            self._of_page[trial.experiment] -= 1

    def last(self, page: str) -> bool:
        """Whether no trial of the page is left."""
        return not self._of_page[page]

    def seconds(self) -> float:
        """Seconds left. Predicted anew as often as costs 1 % of the time at most."""
        now = self._clock()
        if now >= self._next:
            self._seconds, self._at = self._predicted(), now
            self._next = now + (self._clock() - now) / REPREDICTING
        seconds = max(0.0, self._seconds - (now - self._at))
        return seconds if self._limit is None else max(0.0, min(seconds, self._limit.left()))

    def _predicted(self) -> float:
        by_jobs: dict[int, list[Trial]] = {}
        for trial, jobs in self._left.values():
            by_jobs.setdefault(jobs, []).append(trial)
        return sum(self._costs.seconds(trials) / jobs for jobs, trials in by_jobs.items())


@dataclass
class Tally:
    """What became of the trials of each page."""

    _of: dict[str, Counter[str]] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)

    def ended(self, trial: Trial, status: str, seconds: float) -> None:
        """Count one more."""
        self._of.setdefault(trial.experiment, Counter())[status] += 1
        self._seconds[trial.experiment] = self._seconds.get(trial.experiment, 0.0) + seconds

    def line(self, page: str) -> str:
        """`vit: 40 trials, 3:10 in all, 38 ok, 2 failed`."""
        found = self._of[page]
        count = f"{found.total()} trial{'s' if found.total() > 1 else ''}"
        ends = [
            f"{number} {status}" for status, number in sorted(found.items(), key=lambda end: end[0] != "ok")
        ]
        return f"{page}: {count}, {clock(self._seconds[page])} in all, {', '.join(ends)}"


def clock(seconds: float) -> str:
    """`1:05:09` or `2:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class LiveBars:
    """For a terminal: a bar for all trials, a line for each that runs."""

    def __init__(self, console: Console, total: int, estimate: Estimate, decided: Decided | None) -> None:
        self._console, self._estimate, self._decided = console, estimate, decided
        self._bars = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._task = self._bars.add_task("", total=total, left="")
        self._running: dict[str, str] = {}
        self._tally = Tally()
        self._live = Live(self._bars, console=console, refresh_per_second=5, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def begin(self, trial: Trial) -> None:
        self._show(trial, "")

    def advance(self, trial: Trial, step: int, value: float) -> None:
        total = f"/{trial.get('steps', '')}" if trial.get("steps", "") else ""
        self._show(trial, f", step {step}{total}, {value:.3g}")

    def _show(self, trial: Trial, state: str) -> None:
        self._running[trial.label()] = state
        claims = self._decided.text() if self._decided else ""
        left = f"{clock(self._estimate.seconds())} left"
        self._bars.update(self._task, left=f"{claims}, {left}" if claims else left)
        lines = (Text(visible(f"  {label}{state}"), no_wrap=True) for label, state in self._running.items())
        self._live.update(Group(self._bars, *lines))

    def end(self, trial: Trial, status: str, seconds: float, error: str) -> None:
        self._estimate.ended(trial)
        self._running.pop(trial.label(), None)
        self._bars.advance(self._task)
        self._tally.ended(trial, status, seconds)
        if status != "ok":
            self._console.print(
                visible(f"{trial.label()}: {status}. {error}"), style="red", markup=False, highlight=False
            )
        if self._estimate.last(trial.experiment):
            self.note(self._tally.line(trial.experiment))

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)


class PlainLines:
    """For files and pipes: a line for each trial with its number, outcome, time and the time left.

    A line for the page follows its last one. A trial's number comes with the claims decided so far:
    `[120/2679, 14 of 44 claims decided]`.
    """

    def __init__(self, console: Console, total: int, estimate: Estimate, decided: Decided | None) -> None:
        self._console, self._total, self._estimate, self._decided = console, total, estimate, decided
        self._done, self._tally = 0, Tally()
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def _print(self, line: str) -> None:
        self._console.print(visible(line), markup=False, highlight=False, soft_wrap=True)

    def begin(self, trial: Trial) -> None:
        self._last = time.monotonic()

    def advance(self, trial: Trial, step: int, value: float) -> None:
        if time.monotonic() - self._last > 30:  # a sign of life from a long trial
            self._last = time.monotonic()
            self._print(f"  {trial.label()}: step {step}, {value:.3g}")

    def end(self, trial: Trial, status: str, seconds: float, error: str) -> None:
        self._done += 1
        self._estimate.ended(trial)
        self._tally.ended(trial, status, seconds)
        claims = self._decided.text() if self._decided else ""
        number = f"{self._done}/{self._total}{f', {claims}' if claims else ''}"
        ending = f", {clock(self._estimate.seconds())} left" if self._done < self._total else ""
        self._print(f"[{number}] {trial.label()}: {status}, {seconds:.1f} s{ending}")
        if error:
            self._print(f"  {error}")
        if self._estimate.last(trial.experiment):
            self._print(self._tally.line(trial.experiment))

    def note(self, text: str) -> None:
        self._print(text)


def display(total: int, estimate: Estimate, decided: Decided | None = None) -> Display:
    """The display of so many trials that suits where standard error goes."""
    console = Console(stderr=True)
    live = console.is_terminal and not console.is_dumb_terminal and "utf" in console.encoding
    kind = LiveBars if live else PlainLines
    return kind(console, total, estimate, decided)
