"""What runs now, how far is it, and how long will the rest take?

On a terminal a live display, elsewhere one plain line for each trial. Everything goes to standard error, so
that standard output holds results only. Rich respects NO_COLOR.
"""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from seqlab.notebook.experiment import Trial


class Display(Protocol):
    """Shows trials as they run."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def begin(self, trial: Trial) -> None: ...
    def advance(self, trial: Trial, step: int, value: float) -> None: ...
    def end(self, trial: Trial, status: str, seconds: float, error: str) -> None: ...


class Estimate:
    """How long the rest will take, if each trial takes as long as those of its page so far.

    `mean_seconds` holds the seconds of a trial in earlier runs, for pages of which none has ended yet.
    `at_once` says how many trials of a page run at a time.
    """

    def __init__(
        self, trials: Sequence[Trial], mean_seconds: Mapping[str, float], at_once: Mapping[str, int]
    ) -> None:
        self._at_once = at_once
        self._left: dict[str, int] = {}
        for trial in trials:
            self._left[trial.experiment] = self._left.get(trial.experiment, 0) + 1
        self._mean_seconds = dict(mean_seconds)
        self._spent: dict[str, list[float]] = {}

    def ended(self, trial: Trial, seconds: float) -> None:
        """Take the time of a trial into account."""
        self._left[trial.experiment] -= 1
        self._spent.setdefault(trial.experiment, []).append(seconds)

    def seconds(self) -> float | None:
        """Seconds left, or None while nothing is known yet."""
        means = {
            **self._mean_seconds,
            **{name: sum(spent) / len(spent) for name, spent in self._spent.items()},
        }
        if not means:
            return None
        other = sum(means.values()) / len(means)
        return sum(
            count * means.get(name, other) / self._at_once.get(name, 1) for name, count in self._left.items()
        )


def clock(seconds: float | None) -> str:
    """`1:05:09`, `2:05`, or an empty text."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class LiveBars:
    """For a terminal: a bar for all trials, a line for each that runs."""

    def __init__(self, console: Console, total: int, estimate: Estimate) -> None:
        self._console, self._estimate = console, estimate
        self._bars = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._task = self._bars.add_task("", total=total, left="")
        self._running: dict[str, str] = {}
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
        left = clock(self._estimate.seconds())
        self._bars.update(self._task, left=f"{left} left" if left else "")
        lines = (Text(f"  {label}{state}", no_wrap=True) for label, state in self._running.items())
        self._live.update(Group(self._bars, *lines))

    def end(self, trial: Trial, status: str, seconds: float, error: str) -> None:
        self._estimate.ended(trial, seconds)
        self._running.pop(trial.label(), None)
        self._bars.advance(self._task)
        if status != "ok":
            self._console.print(
                f"{trial.label()}: {status}. {error}", style="red", markup=False, highlight=False
            )


class PlainLines:
    """For files and pipes: a line for each trial with its number, outcome, time and the time left."""

    def __init__(self, console: Console, total: int, estimate: Estimate) -> None:
        self._console, self._total, self._estimate = console, total, estimate
        self._done = 0
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def begin(self, trial: Trial) -> None:
        self._last = time.monotonic()

    def advance(self, trial: Trial, step: int, value: float) -> None:
        if time.monotonic() - self._last > 30:  # a sign of life from a long trial
            self._last = time.monotonic()
            self._print(f"  {trial.label()}: step {step}, {value:.3g}")

    def end(self, trial: Trial, status: str, seconds: float, error: str) -> None:
        self._done += 1
        self._estimate.ended(trial, seconds)
        left = clock(self._estimate.seconds()) if self._done < self._total else ""
        ending = f", {left} left" if left else ""
        self._print(f"[{self._done}/{self._total}] {trial.label()}: {status}, {seconds:.1f} s{ending}")
        if error:
            self._print(f"  {error}")


def display(
    trials: Sequence[Trial], mean_seconds: Mapping[str, float], at_once: Mapping[str, int] | None = None
) -> Display:
    """The display that suits where standard error goes."""
    console = Console(stderr=True)
    estimate = Estimate(trials, mean_seconds, at_once or {})
    kind = LiveBars if console.is_terminal else PlainLines
    return kind(console, len(trials), estimate)
