"""Which trials does a budget ask for, which of them are due, and why?

Trials run in blocks: all points of the first seed, then all of the second. So an interrupted run
leaves whole blocks for the paired comparisons, and slow drift of the machine falls on both sides of
each pair. Within a block the order is shuffled by a hash, so that no model always comes first.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from seqlab.errors import UsageError, unknown
from seqlab.notebook.experiment import PART, Budget, BudgetName, Experiment, Trial
from seqlab.notebook.figures import Level
from seqlab.store.database import Record, canonical_json


@dataclass(frozen=True)
class Request:
    """What the user asked for, the same for every page."""

    budget: BudgetName = "quick"
    seeds: int | None = None  # instead of each point's own number
    seed: int | None = None  # this seed alone
    changes: Mapping[str, str] | None = None  # --set name=value, as typed
    force: bool = False

    def options(self) -> str:
        """The options that ask for the same trials again: `--budget quick --set steps=5`."""
        parts = [f"--budget {self.budget}"]
        parts += [f"--seeds {self.seeds}"] if self.seeds is not None else []
        parts += [f"--seed {self.seed}"] if self.seed is not None else []
        return " ".join([*parts, *(f"--set {name}={text}" for name, text in (self.changes or {}).items())])


@dataclass(frozen=True)
class Due:
    """A trial to run, and why."""

    trial: Trial
    reason: str


def trials(experiment: Experiment, request: Request) -> tuple[Trial, ...]:
    """Every trial that the request asks of the page, in the order to run them."""
    if request.seeds is not None and request.seeds < 1:
        raise UsageError(f"--seeds must be 1 or more, found {request.seeds}.")
    if request.seed is not None and request.seed < 0:
        raise UsageError(f"--seed must be 0 or more, found {request.seed}.")
    if max(request.seed or 0, request.seeds or 0) >= 2**32:
        raise UsageError("seeds must be below 2^32, which is where random generators end.")
    budget = experiment.budget(request.budget)
    points, settings = _changed(experiment, budget, request.changes or {})
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


def _changed(
    experiment: Experiment, budget: Budget, changes: Mapping[str, str]
) -> tuple[list[tuple[Mapping[str, Level], int | None]], dict[str, Level]]:
    """The budget's points and settings with `--set` applied: a setting's value, or a factor's levels."""
    settings = dict(budget.settings)
    levels = experiment.factor_levels(budget)
    everywhere: dict[str, set[Level]] = {}
    for other in experiment.budgets:
        for name, found in experiment.factor_levels(other).items():
            everywhere.setdefault(name, set()).update(found)
    chosen: dict[str, tuple[Level, ...]] = {}
    for name, text in changes.items():
        if name in settings:
            settings[name] = _parsed(name, text, like=settings[name])
        elif name in levels:
            parts = [part.strip() for part in text.split(",") if part.strip()]
            if not parts:
                raise UsageError(f"--set {name}= needs a value, such as --set {name}={levels[name][0]}.")
            chosen[name] = tuple(_parsed(name, part, like=levels[name][0]) for part in parts)
            for level in chosen[name]:
                if isinstance(level, str) and level not in everywhere[name]:
                    raise UsageError(unknown(f"level of {name}", level, map(str, everywhere[name])))
        else:
            raise UsageError(unknown(f"setting of {experiment.name}", name, [*settings, *levels]))
    points: list[tuple[Mapping[str, Level], int | None]] = []
    for point in budget.points:
        variants: list[dict[str, Level]] = [dict(point.factors)]
        for name, values in chosen.items():
            if name == PART:  # parts have other factors than each other: choose points, never relabel them
                variants = variants if point.factors.get(PART) in values else []
            elif name in point.factors:
                variants = [{**variant, name: value} for variant in variants for value in values]
        points.extend((variant, point.seeds) for variant in variants)
    return points, settings


def _parsed(name: str, text: str, *, like: Level) -> Level:
    """The text as a value of the same type as `like`."""
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


def due(
    planned: Sequence[Trial],
    records: Sequence[Record],
    *,
    fingerprint: str,
    device: str,
    mlx: str,
    force: bool = False,
) -> list[Due]:
    """The trials without a good run by this code on this device, each with the reason."""
    by_key: dict[str, list[Record]] = {}
    by_point: dict[tuple[str, int], Record] = {}
    for record in records:
        by_key.setdefault(record.key, []).append(record)
        by_point[record.factors, record.seed] = record
    found: list[Due] = []
    for trial in planned:
        reason = _reason(
            by_key.get(trial.key(device=device, mlx=mlx), []),
            by_point.get((canonical_json(trial.factors), trial.seed)),
            fingerprint=fingerprint,
            device=device,
            settings=canonical_json(trial.settings),
        )
        if force or reason:
            found.append(Due(trial, reason or "forced"))
    return found


def _reason(same: list[Record], other: Record | None, *, fingerprint: str, device: str, settings: str) -> str:
    """Why a trial with these earlier runs is due, or nothing where it is not."""
    current = [record for record in same if record.fingerprint == fingerprint]
    if any(record.status == "ok" for record in current):
        return ""
    if current:
        return f"its last run {_ended(current[-1])}"
    if same:
        return f"the code changed since its run of {same[-1].started[:10]}"
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


def counting(
    planned: Sequence[Trial], records: Sequence[Record], *, fingerprint: str, device: str, mlx: str
) -> list[int]:
    """The runs that count as evidence: for each trial its latest good run, else its latest failure.

    Counted are the planned trials, and good runs beside them under the same budget and settings on
    this device: more seeds, or more numbers on the axis of a factor. Levels in words that the plan has
    not, such as a model that the page dropped, do not count, nor do runs of changed code.
    """
    keys = {trial.key(device=device, mlx=mlx) for trial in planned}
    beside = {(trial.budget, canonical_json(trial.settings)) for trial in planned}
    words: dict[str, set[Level]] = {}
    for trial in planned:
        for name, level in trial.factors.items():
            words.setdefault(name, set()).add(level)
    latest: dict[str, Record] = {}
    for record in records:
        if record.fingerprint != fingerprint or (record.device, record.mlx) != (device, mlx):
            continue
        if record.key not in keys and not (
            record.status == "ok"
            and (record.budget, record.settings) in beside
            and any(_alike(json.loads(record.factors), trial.factors, words) for trial in planned)
        ):
            continue
        before = latest.get(record.key)
        if before is None or record.status == "ok" or before.status != "ok":
            latest[record.key] = record
    return sorted(record.id for record in latest.values())


def _alike(
    factors: Mapping[str, Level], planned: Mapping[str, Level], words: Mapping[str, set[Level]]
) -> bool:
    """Whether the factors are those of a planned trial, and levels in words are planned ones."""
    return factors.keys() == planned.keys() and all(
        level in words[name] for name, level in factors.items() if isinstance(level, str | bool)
    )
