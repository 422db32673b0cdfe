"""Which trials that the reference holds are run anew on this machine, to see whether it holds here?

Trainings (of a point, with the seeds that train together) are drawn page by page in an order that a seed
decides, which is stored with the results. A round takes one from each page, the cheapest first, as long as
they are predicted to end in the time; one that would not is passed over. What was drawn is stored too, so
that the same command draws nothing more.
"""

import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

from seqlab.notebook.experiment import BudgetName, Trial
from seqlab.running.plan import Plan
from seqlab.store.database import Record, Store, canonical_json

SECONDS: Mapping[BudgetName, float] = {"smoke": 0.0, "quick": 300.0, "full": 900.0}
FILE = ".replication.json"  # in the results folder


class Prices(Protocol):
    """What predicts the seconds of trials."""

    def seconds(self, trials: Sequence[Trial], /) -> float: ...


@dataclass(frozen=True)
class FromReference:
    """From which reference to draw, and for how long: all in all, or with `more` this time."""

    store: Store
    key: str
    seconds: float
    more: bool = False


@dataclass
class Drawn:
    """What was drawn so far: the seed, from which reference, for how many seconds, and the trials."""

    seed: int
    reference: str = ""
    seconds: float = 0.0
    trials: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, results: Path) -> "Drawn":
        """What is stored with these results; a new seed where nothing is."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            said: dict[str, Any] = json.loads((results / FILE).read_text())
            trials = set(map(str, said["trials"]))
            return cls(int(said["seed"]), str(said["reference"]), float(said["seconds"]), trials)
        return cls(secrets.randbits(32))

    def keep(self, results: Path) -> None:
        """Store it with the results."""
        aside = results / f"{FILE}.part"
        aside.write_text(json.dumps({**vars(self), "trials": sorted(self.trials)}, indent=1) + "\n")
        aside.replace(results / FILE)


def anew(
    plans: Sequence[Plan],
    store: Store,
    results: Path,
    asked: FromReference,
    *,
    device: tuple[str, str, str],
    jobs: int,
) -> list[Plan]:
    """The plans, in which all trials count as covered but those drawn now or before."""
    _, name, mlx = device
    ran, spent = set[str](), 0.0
    for plan in plans:
        names = {name_of(trial) for trial in plan.covered}
        for record in store.records(plan.experiment.name):
            one = name_of_run(plan.experiment.name, record)
            here = one in names and (record.device, record.mlx) == (name, mlx)
            if here and not (plan.changes and plan.changes(record)):
                spent += record.seconds
                ran |= {one} if record.status == "ok" else set()

    def prices() -> Prices:
        from seqlab.running.costs import stored_costs  # it brings NumPy

        pages = [plan.experiment.name for plan in plans]
        return stored_costs(store, pages, device=name, reference=asked.store)

    drawn = Drawn.read(results)
    covered = [trial for plan in plans for trial in plan.covered]
    chosen = {*map(id, draw(covered, drawn, prices, asked, jobs=jobs, ran=ran, spent=spent))}
    drawn.keep(results)
    return [
        replace(plan, covered=tuple(trial for trial in plan.planned if id(trial) not in chosen))
        for plan in plans
    ]


def draw(
    covered: Sequence[Trial],
    drawn: Drawn,
    prices: Callable[[], Prices],
    asked: FromReference,
    *,
    jobs: int,
    ran: Collection[str] = (),
    spent: float = 0.0,
) -> list[Trial]:
    """The covered trials to run, `jobs` at a time; `drawn` is brought up to date.

    `ran` are the names of trials that have run here; such runs took `spent` seconds.
    """
    by_name = {name_of(trial): trial for trial in covered}
    if asked.more or (drawn.reference, drawn.seconds) != (asked.key, asked.seconds):
        left = asked.seconds * jobs - (0.0 if asked.more else spent)
        drawn.trials &= by_name.keys() & set(ran)
        costs = prices()
        for training in _in_order(covered, drawn.seed, costs):
            due = [trial for trial in training if name_of(trial) not in ran]
            price = costs.seconds(due)
            if due and price <= left:
                left -= price
                drawn.trials |= set(map(name_of, due))
        # For a while only: the same command without a limit draws anew, with what ran meanwhile as spent.
        drawn.reference, drawn.seconds = ("", 0.0) if asked.more else (asked.key, asked.seconds)
    return [trial for name, trial in by_name.items() if name in drawn.trials]


def sample(covered: Sequence[Trial], drawn: Drawn, prices: Prices, count: int) -> list[Trial]:
    """At least `count` of the covered trials, where there are so many: whole trainings, in their order."""
    found: list[Trial] = []
    for training in _in_order(covered, drawn.seed, prices):
        if len(found) >= count:
            break
        found += training
    return found


def name_of(trial: Trial) -> str:
    """What identifies a trial on any machine, in few characters."""
    return _name(trial.experiment, canonical_json(trial.factors), canonical_json(trial.settings), trial.seed)


def name_of_run(page: str, record: Record) -> str:
    """The same of a stored run."""
    return _name(page, record.factors, record.settings, record.seed)


def _name(*said: object) -> str:
    return sha256(" ".join(map(str, said)).encode()).hexdigest()[:16]


def _in_order(covered: Sequence[Trial], seed: int, prices: Prices) -> list[list[Trial]]:
    """The trainings in the order of drawing."""
    trainings: dict[tuple[str, str, str, int], list[Trial]] = {}
    for trial in covered:
        first = trial.seed - trial.seed % trial.get("together", 1)
        key = trial.experiment, canonical_json(trial.factors), canonical_json(trial.settings), first
        trainings.setdefault(key, []).append(trial)
    pages: dict[str, list[tuple[str, list[Trial]]]] = {}
    for key, trials in trainings.items():
        place = sha256(f"{seed} {key}".encode()).hexdigest()
        pages.setdefault(key[0], []).append((place, trials))
    shuffled = [[trials for _, trials in sorted(found, key=lambda one: one[0])] for found in pages.values()]
    return [
        training
        for taken in zip_longest(*shuffled)
        for training in sorted((one for one in taken if one), key=prices.seconds)
    ]
