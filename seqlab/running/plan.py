"""Which trials does a budget ask for, which of them are due, and why?

Trials run in blocks: all points of the first seed, then all of the second. So an interrupted run
leaves whole blocks for the paired comparisons, and slow drift of the machine affects both sides of each
pair alike. Within a block the order is shuffled by a hash, so that no model always comes first.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.errors import UsageError, unknown
from seqlab.notebook.allowed import LONGEST_LEVEL
from seqlab.notebook.experiment import PART, Budget, BudgetName, Experiment, Trial
from seqlab.notebook.figures import Level
from seqlab.store.database import Record, canonical_json

if TYPE_CHECKING:
    from seqlab.running.identity.changes import Changes

Since = Callable[[Record], str]  # what a stored run used and has changed since; empty for nothing


@dataclass(frozen=True)
class Request:
    """Which trials the user asks for, the same for every page."""

    budget: BudgetName = "quick"
    seeds: int | None = None  # instead of each point's own number
    seed: int | None = None  # this seed alone
    changes: Mapping[str, str] | None = None  # --set name=value, as typed
    force: bool = False

    def options(self) -> str:
        """The command-line options that ask for the same trials again: `--budget quick --set steps=5`."""
        parts = [f"--budget {self.budget}"]
        parts += [f"--seeds {self.seeds}"] if self.seeds is not None else []
        parts += [f"--seed {self.seed}"] if self.seed is not None else []
        return " ".join([*parts, *(f"--set {name}={text}" for name, text in (self.changes or {}).items())])


@dataclass(frozen=True)
class DueTrial:
    """A trial to run, and why; `failed` where its last run by this code did."""

    trial: Trial
    reason: str
    failed: bool = False


@dataclass(frozen=True)
class Plan:
    """What to do for one page: every trial that was asked for, and those of them that are due."""

    experiment: Experiment
    page: Path
    fingerprint: str
    planned: tuple[Trial, ...]
    due: tuple[DueTrial, ...]
    changes: "Changes | None" = None  # since the runs stored before; None to go by the fingerprint
    covered: tuple[Trial, ...] = ()  # planned trials that are never due, since the reference holds them


def trials(experiment: Experiment, request: Request) -> tuple[Trial, ...]:
    """Every trial that the request asks of the page, in the order to run them."""
    if request.seeds is not None and request.seeds < 1:
        raise UsageError(
            f"--seeds must be 1 or more, found {request.seeds}. Leave it out for the page's number."
        )
    if request.seed is not None and request.seed < 0:
        raise UsageError(f"--seed must be 0 or more, found {request.seed}. For example: --seed 0.")
    if max(request.seed or 0, request.seeds or 0) >= 2**32:
        largest = max(request.seed or 0, request.seeds or 0)
        raise UsageError(f"seeds must be below 2^32, found {largest}. Choose a smaller one.")
    budget = experiment.budget(request.budget)
    points, settings = _with_changes(experiment, budget, request.changes or {})
    planned: dict[str, Trial] = {}
    for factors, seeds in points:
        for seed in _seeds(seeds, request):
            trial = Trial(experiment.name, factors, seed, request.budget, settings, timeout=budget.timeout)
            planned.setdefault(canonical_json(factors) + f" {seed}", trial)
    return tuple(sorted(planned.values(), key=_order))


def _seeds(seeds: int | None, request: Request) -> Iterable[int]:
    if seeds is None:  # a deterministic point
        return (0,)
    if request.seed is not None:
        return (request.seed,)
    return range(request.seeds or seeds)


def _order(trial: Trial) -> tuple[int, str]:
    return trial.seed, sha256(
        f"{trial.experiment} {canonical_json(trial.factors)} {trial.seed}".encode()
    ).hexdigest()


def _with_changes(
    experiment: Experiment, budget: Budget, changes: Mapping[str, str]
) -> tuple[list[tuple[Mapping[str, Level], int | None]], dict[str, Level]]:
    """The budget's points and settings with `--set` applied: a setting's value, or a factor's levels."""
    settings = experiment.settings(budget)
    levels = experiment.factor_levels(budget)
    everywhere: dict[str, set[Level]] = {}
    for other in experiment.budgets:
        for name, found in experiment.factor_levels(other).items():
            everywhere.setdefault(name, set()).update(found)
    chosen: dict[str, tuple[Level, ...]] = {}  # the new levels of factors
    for name, text in changes.items():
        if name in settings:
            settings[name] = _parse(name, text, like=settings[name])
        elif name in levels:
            parts = [part.strip() for part in text.split(",") if part.strip()]
            if not parts:
                raise UsageError(
                    f"--set {name} needs a value, found none. For example: --set {name}={levels[name][0]}."
                )
            chosen[name] = tuple(_parse(name, part, like=levels[name][0]) for part in parts)
            for level in chosen[name]:
                if isinstance(level, str) and level not in everywhere[name]:
                    raise UsageError(unknown(f"level of {name}", level, map(str, everywhere[name])))
        else:
            raise UsageError(unknown(f"setting of {experiment.name}", name, [*settings, *levels]))
    points: list[tuple[Mapping[str, Level], int | None]] = []
    for point in budget.points:
        variants: list[dict[str, Level]] = [dict(point.factors)]
        for name, values in chosen.items():
            if name == PART:  # each part has its own factors: choose among the points, never relabel one
                variants = variants if point.factors.get(PART) in values else []
            elif name in point.factors:
                variants = [{**variant, name: value} for variant in variants for value in values]
        points.extend((variant, point.seeds) for variant in variants)
    return points, settings


def _parse(name: str, text: str, *, like: Level) -> Level:
    """The text as a value of the same type as `like`."""
    if len(text) > LONGEST_LEVEL:
        raise UsageError(f"--set {name} expects at most {LONGEST_LEVEL:,} letters, found {len(text):,}.")
    try:
        match like:
            case bool():
                return {"true": True, "false": False}[text.lower()]
            case int():
                return int(text)
            case float():
                value = float(text)
                if not math.isfinite(value):
                    raise ValueError
                return value
            case _:
                return text
    except (KeyError, ValueError):
        kind = {"bool": "true or false", "int": "a whole number", "float": "a finite number"}[
            type(like).__name__
        ]
        raise UsageError(
            f"--set {name} expects {kind}, found {text!r}. For example: --set {name}={like}."
        ) from None


def due_trials(
    planned: Sequence[Trial],
    records: Sequence[Record],
    *,
    fingerprint: str,
    device: str,
    mlx: str,
    force: bool = False,
    changes: Since | None = None,
) -> list[DueTrial]:
    """The trials without a good run by this code on this device, each with the reason.

    `changes` says what of that which a run used has changed since; without it the fingerprint decides.
    """
    changes = changes or _of_fingerprint(fingerprint)
    by_key: dict[str, list[Record]] = {}
    by_point: dict[tuple[str, int], Record] = {}
    for record in records:
        by_key.setdefault(record.key, []).append(record)
        by_point[record.factors, record.seed] = record
    found: list[DueTrial] = []
    for trial in planned:
        same = by_key.get(trial.key(device=device, mlx=mlx), [])
        reason = _reason(
            same,
            by_point.get((canonical_json(trial.factors), trial.seed)),
            changes=changes,
            device=device,
            settings=canonical_json(trial.settings),
        )
        if force or reason:
            failed = bool(reason) and not all(map(changes, same))
            found.append(DueTrial(trial, reason or "forced", failed))
    return found


def _of_fingerprint(fingerprint: str) -> Since:
    return lambda record: "" if record.fingerprint == fingerprint else "the code changed"


def _reason(same: list[Record], other: Record | None, *, changes: Since, device: str, settings: str) -> str:
    """Why a trial with these earlier runs is due; empty where it is not.

    `same` are the runs of this very trial, `other` is the last run of its point and seed in any way.
    """
    current = [record for record in same if not changes(record)]
    if any(record.status == "ok" for record in current):
        return ""
    if current:
        return f"its last run {_ended(current[-1])}"
    if same:
        return f"{changes(same[-1])} since its run of {same[-1].started[:10]}"
    if other is None:
        return "never run"
    if other.settings != settings:
        return "its settings changed"
    if other.device != device:
        return f"run on another device only ({other.device})"
    return f"run with MLX {other.mlx} only"


def _ended(record: Record) -> str:
    status = {"failed": "failed", "timed out": "timed out", "out of memory": "ran out of memory"}
    return status.get(record.status, record.status)


def runs_that_count(
    planned: Sequence[Trial],
    records: Sequence[Record],
    *,
    fingerprint: str,
    device: str,
    mlx: str,
    changes: Since | None = None,
) -> list[int]:
    """The runs that count as evidence: for each trial its latest good run, else its latest failure.

    Planned trials count, and so do further good runs with the same settings on this device, whichever budget
    asked for them: more seeds, or more levels of a numeric factor. Runs with a categorical level that the
    plan lacks, such as a model that the page dropped, do not count, nor do runs of which something that they
    used has changed.
    """
    changes = changes or _of_fingerprint(fingerprint)
    keys = {trial.key(device=device, mlx=mlx) for trial in planned}
    settings = {canonical_json(trial.settings) for trial in planned}
    levels: dict[str, set[Level]] = {}
    for trial in planned:
        for name, level in trial.factors.items():
            levels.setdefault(name, set()).add(level)
    latest: dict[str, Record] = {}
    for record in records:
        if (record.device, record.mlx) != (device, mlx) or changes(record):
            continue
        if record.key not in keys and not (
            record.status == "ok"
            and record.settings in settings
            and any(_extends(json.loads(record.factors), trial.factors, levels) for trial in planned)
        ):
            continue
        before = latest.get(record.key)
        if before is None or record.status == "ok" or before.status != "ok":
            latest[record.key] = record
    return sorted(record.id for record in latest.values())


def _extends(
    factors: Mapping[str, Level], planned: Mapping[str, Level], levels: Mapping[str, set[Level]]
) -> bool:
    """Whether the factors are those of a planned trial, and their categorical levels are planned ones."""
    return factors.keys() == planned.keys() and all(
        level in levels[name] for name, level in factors.items() if isinstance(level, str | bool)
    )
