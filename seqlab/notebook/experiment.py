"""What is asked: an experiment page, its budgets, and the trials that they unfold into.

A page is a Python file in `experiments/` that binds one `Experiment` to the name `experiment`; the
folder is the registry, and the file's name is the page's name. Its protocol says how a trial is made,
in settings such as the number of training steps; a budget says, in the page's own grid, what smoke, quick
and full mean there: the points to try and the seeds of each. Settings are part of what identifies a trial;
a budget's name is not, so two budgets that ask for the same trial share its run.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast

from seqlab.errors import UsageError, unknown
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.claims import Claim
from seqlab.notebook.figures import Figure, Level
from seqlab.notebook.metrics import Measurement

T = TypeVar("T")
Factors = Mapping[str, Level]
BudgetName = Literal["smoke", "quick", "full"]
BUDGETS: tuple[BudgetName, ...] = ("smoke", "quick", "full")

# A page of several parts tells them apart by this factor. It says which question a trial belongs to, not
# for what the answer holds, so scopes leave it out.
PART = "part"

# Columns that the runs table has of its own, so no factor or setting may take them.
RESERVED = frozenset(
    [
        "run",
        "uid",
        "experiment",
        "seed",
        "budget",
        "settings",
        "status",
        "error",
        "traceback",
        "seconds",
        "started",
        "device",
        "mlx",
        "fingerprint",
        "provenance",
        "metric",
        "value",
        "split",
        "step",
        "key",
        "stale",
    ]
)


@dataclass(frozen=True)
class Point:
    """Factor levels to try, with `seeds` seeds each; `None` marks a deterministic point."""

    factors: Factors
    seeds: int | None


def grid(*, seeds: int | None = None, **levels: Level | Iterable[Level]) -> tuple[Point, ...]:
    """Every combination of the levels. A single level needs no tuple; a mapping gives its keys.

    `seeds` is the number of seeds of each point. Leave it out where a trial is deterministic:
    such points run once, whatever `--seeds` says. Add grids with `+`.
    """
    for name in levels:
        if name in RESERVED:
            raise UsageError(
                f"a factor cannot be called {name!r}: the runs table has that column. Rename it."
            )
    if seeds is not None and seeds < 1:
        raise UsageError(f"seeds must be 1 or more, found {seeds}. Leave it out for a deterministic point.")
    columns = [
        (level,) if isinstance(level, str | int | float | bool) else tuple(level) for level in levels.values()
    ]
    return tuple(
        Point(MappingProxyType(dict(zip(levels, row, strict=True))), seeds)
        for row in itertools.product(*columns)
    )


@dataclass(frozen=True)
class Budget:
    """What a page does under one budget. `timeout` is the longest a trial may take, in seconds.

    `settings` are those of the smoke budget: toys, laid over the page's protocol.
    """

    name: BudgetName
    points: tuple[Point, ...]
    settings: Factors = field(default_factory=dict)
    timeout: float = 600.0


TUNING_SEED = 1000  # of every search for a learning rate; no verdict uses it


@dataclass(frozen=True)
class Tuning:
    """Where a page's learning rates are tried, for every network alike, before any verdict.

    `seqlab tune` trains at each of `points`, on a seed that no verdict uses, at every rate of a grid, until
    each best rate lies inside the grid. A trial takes the best rate of the point that has the same levels of
    the factors `by`. `settings` are laid over the page's: fewer training steps, for example.
    """

    points: tuple[Point, ...]
    by: tuple[str, ...]
    settings: Factors = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One point: factors, settings and a seed. `trial["length"]` reads a factor or a setting."""

    experiment: str
    factors: Factors
    seed: int
    budget: BudgetName
    settings: Factors
    timeout: float = 600.0

    def __getitem__(self, name: str) -> Any:
        for values in (self.factors, self.settings):
            if name in values:
                return values[name]
        raise UsageError(unknown("factor or setting", name, [*self.factors, *self.settings]))

    def get(self, name: str, default: Level) -> Any:
        """The factor or setting, or `default` where this point has none."""
        return self[name] if name in self.factors or name in self.settings else default

    def fill(self, kind: type[T], **changed: Any) -> T:
        """A dataclass of this kind, its fields the factors and settings of their names, or as `changed`."""
        names = [item.name for item in fields(cast(Any, kind))]
        return kind(**{name: changed[name] if name in changed else self[name] for name in names})

    def key(self, *, device: str, mlx: str) -> str:
        """What identifies the trial: a hash (64 hex digits) of all that may change its results but code."""
        asked = [self.experiment, dict(self.factors), dict(self.settings), self.seed, device, mlx]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def label(self) -> str:
        """For progress and error messages: `rnn: model=LSTM, length=64, seed 2`."""
        factors = ", ".join(f"{name}={level}" for name, level in self.factors.items())
        return f"{self.experiment}: {factors + ', ' if factors else ''}seed {self.seed}"


Run = Callable[[Trial], Iterator[Measurement | Artifact]] | Callable[[Trial], Iterator[Measurement]]


@dataclass(frozen=True)
class Experiment:
    """A page of the lab notebook: what to try, how to run one trial, what it claims and shows.

    `name`, `title` and `prose` come from the file's name and docstring when the page is discovered
    (`seqlab.notebook.discover`). The chapter shows the title, the prose, figures, tables, then the claims.
    `protocol` is how a trial is made: the settings of all trials at every budget. The smoke budget alone may
    lay settings of its own over it; the others differ in points and seeds, so that a trial serves them all.
    `chapter` is its place in the report; pages of one number, and those without, go by their names.
    `precise` asks for products of float32 in float32 on a GPU too, which would take TF32 for them: for a
    page that compares digits.

    `parallel_over` names factors. Trials that differ in one of them share no computation, and no verdict of
    the page is about time, so on a CPU they run side by side. Without it, the page has the machine to
    itself, as do the trials with the levels of `exclusive` on a page that has it.
    """

    run: Run
    budgets: tuple[Budget, ...]
    claims: tuple[Claim, ...] = ()
    figures: tuple[Figure, ...] = ()
    chapter: int = 100
    precise: bool = False
    protocol: Factors = field(default_factory=dict)
    parallel_over: tuple[str, ...] = ()
    exclusive: Factors = field(default_factory=dict)
    tuning: Tuning | None = None
    name: str = ""
    title: str = ""
    prose: str = ""

    def __post_init__(self) -> None:
        names = [budget.name for budget in self.budgets]
        if not names or len(set(names)) != len(names) or not set(names) <= set(BUDGETS):
            raise UsageError(
                f"expected one or more budgets with different names among {', '.join(BUDGETS)}, "
                f"found {', '.join(names) or 'none'}."
            )
        factors = {name for budget in self.budgets for point in budget.points for name in point.factors}
        for name in (*self.parallel_over, *self.exclusive):
            if name not in factors:
                raise UsageError(unknown("factor to run trials in parallel over", name, sorted(factors)))

    def departures(self) -> list[str]:
        """The settings in which quick or full depart from the protocol; without one, from each other."""
        own = [self.settings(budget) for budget in self.budgets if budget.name != "smoke"]
        common = self.protocol or (own[0] if own else {})
        names = {name for settings in own for name in settings.keys() | common.keys()}
        # As text, since 1 and 1.0 make trials of different keys.
        return sorted(
            name for name in names if any(repr(one.get(name)) != repr(common.get(name)) for one in own)
        )

    def settings(self, budget: Budget) -> dict[str, Level]:
        """The settings of the budget's trials: the protocol, with the budget's own laid over it."""
        return {**self.protocol, **budget.settings}

    def budget(self, name: BudgetName) -> Budget:
        """The named budget; where the page has none, its next smaller one, else its smallest."""
        known = {budget.name: budget for budget in self.budgets}
        smaller = [other for other in BUDGETS[: BUDGETS.index(name) + 1] if other in known]
        return known[smaller[-1]] if smaller else self.budgets[0]

    @cached_property
    def _ranks(self) -> dict[str, dict[object, int]]:
        """For each factor, the place of a level in the largest budget that has it."""
        ranks: dict[str, dict[object, int]] = {}
        for budget in self.budgets:
            for name, levels in self.factor_levels(budget).items():
                ranks.setdefault(name, {}).update({level: rank for rank, level in enumerate(levels)})
        return ranks

    def factor_levels(self, budget: Budget) -> dict[str, tuple[Level, ...]]:
        """Each factor of the budget's points, with its levels in the order they first appear."""
        levels: dict[str, dict[Level, None]] = {}
        for point in budget.points:
            for name, level in point.factors.items():
                levels.setdefault(name, {})[level] = None
        return {name: tuple(found) for name, found in levels.items()}

    def level_order(self, factor: str, level: object) -> tuple[int, float]:
        """Sorts levels: numbers by size, words in the order in which the grids name them, others last."""
        if isinstance(level, int | float) and not isinstance(level, bool):
            return 0, level
        ranks: Mapping[object, int] = self._ranks.get(factor, {})
        return (1, ranks[level]) if level in ranks else (2, 0)

    def point_order(self, factors: Factors) -> tuple[tuple[int, float], ...]:
        """Sorts points factor by factor; a factor that a point lacks comes last."""
        return tuple(
            self.level_order(name, factors[name]) if name in factors else (3, 0) for name in self._ranks
        )
