"""How many seconds will a trial take here?

From the nearest that is known: a run of this very trial on this device; one on another device, scaled by how
much slower or faster this one was at trials that both have run; another seed of its point; the most similar
point of its page; else `DEFAULT_SECONDS`. What trials take in this session then corrects what is predicted
for the others.

Of seeds that train `together`, the first trial in a process trains all and the others find theirs trained. So
the first costs the most that any of them did, and each other one the least.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import Literal

from seqlab.notebook.experiment import Trial
from seqlab.running.neighbours import Neighbours
from seqlab.store.database import Record, Store, canonical_json

DEFAULT_SECONDS = 0.5  # the mean trial of the quick budget: 22 min of computing in 2,673 trials
# Seconds that weigh as much as what this session measured: its first trial tells little of all the others.
STEADY_SECONDS = 5.0
FOLLOWING = 0.2  # of the first trial's time: a further seed of its training, until one is known
MARGIN = {"measured": 1.1, "stored": 1.1, "similar": 1.5, "guessed": 1.5}  # for a cautious prediction
COUNTED = ("ok", "diverged")  # how a run ended whose time tells what a good one takes

Kind = Literal["measured", "stored", "similar", "guessed"]
PointKey = tuple[str, str, str]  # page, factors, settings; the last two as JSON
Asked = tuple[PointKey, int]  # and the seed


@dataclass
class _Ratio:
    """How much longer trials of one kind took in this session than was predicted."""

    spent: float = STEADY_SECONDS
    expected: float = STEADY_SECONDS

    @property
    def value(self) -> float:
        return self.spent / self.expected


@dataclass
class _Page:
    """The points of a page of which a time is known."""

    neighbours: Neighbours = field(default_factory=Neighbours)
    keys: list[PointKey] = field(default_factory=list)
    nearest: dict[PointKey, PointKey | None] = field(default_factory=dict)  # what was looked up already


class Costs:
    """Predicted seconds of trials. `records` holds each page's stored runs; `device` is this one's name."""

    def __init__(self, records: Mapping[str, Iterable[Record]], *, device: str) -> None:
        self._seconds: dict[PointKey, dict[int, float]] = {}
        self._measured = set[PointKey]()
        self._begun = set[tuple[PointKey, int]]()  # whose training is in a process of this session
        self._pages: dict[str, _Page] = {}
        self._ratios: dict[Kind, _Ratio] = {kind: _Ratio() for kind in ("stored", "similar", "guessed")}
        self._keys: dict[int, tuple[Trial, PointKey]] = {}
        for page, runs in records.items():
            self._take_stored(page, runs, device)

    def seconds(self, trials: Sequence[Trial], *, cautious: bool = False) -> float:
        """Seconds that the trials take one after another in one process; `cautious` with a margin."""
        begun, total = set[tuple[PointKey, int]](), 0.0
        for trial in trials:
            training = self._training(trial)
            kind, predicted = self._predict(
                trial, first=training not in begun and training not in self._begun
            )
            begun.add(training)
            total += predicted * (MARGIN[kind] if cautious else 1.0)
        return total

    def guessed(self, trials: Iterable[Trial]) -> bool:
        """Whether of any of them nothing is known, nor of its page."""
        return any(self._predict(trial, first=True)[0] == "guessed" for trial in trials)

    def ended(self, trial: Trial, seconds: float, status: str) -> None:
        """Take what a trial took in this session into account."""
        training, key = self._training(trial), self._key(trial)
        kind, predicted = self._predict(trial, first=training not in self._begun)
        self._begun.add(training)
        if status not in COUNTED:
            return
        if kind != "measured":
            self._ratios[kind].expected += predicted / self._ratios[kind].value
            self._ratios[kind].spent += seconds
        self._measured.add(key)
        if key not in self._seconds:
            self._seconds[key] = {}
            self._add_point(trial.experiment, key, trial.factors, trial.settings)
        self._seconds[key][trial.seed] = seconds

    def _take_stored(self, page: str, runs: Iterable[Record], device: str) -> None:
        by_device: dict[str, dict[Asked, float]] = {}
        for run in runs:
            if run.status in COUNTED:
                asked = (page, run.factors, run.settings), run.seed
                by_device.setdefault(run.device, {})[asked] = run.seconds  # the latest counts
        here = by_device.pop(device, {})
        found: dict[Asked, float] = {}
        for there in by_device.values():
            speed = _speed(here, there)
            found |= {asked: seconds * speed for asked, seconds in there.items()}
        for (key, seed), seconds in (found | here).items():
            if key not in self._seconds:
                self._add_point(page, key, json.loads(key[1]), json.loads(key[2]))
            self._seconds.setdefault(key, {})[seed] = seconds

    def _add_point(
        self, page: str, key: PointKey, factors: Mapping[str, object], settings: Mapping[str, object]
    ) -> None:
        own = self._pages.setdefault(page, _Page())
        own.neighbours.add(factors, settings)  # type: ignore[arg-type]
        own.keys.append(key)
        own.nearest.clear()

    def _predict(self, trial: Trial, *, first: bool) -> tuple[Kind, float]:
        """How its seconds are known, and what they are; `first` where it trains its further seeds too."""
        key = self._key(trial)
        source: PointKey | None = key
        if key not in self._seconds:
            source = self._nearest(trial, key)
            if source is None:
                return "guessed", DEFAULT_SECONDS * self._ratios["guessed"].value
        known = self._seconds[source] if source is not None else {}
        together = trial.get("together", 1)
        if source == key and together == 1 and trial.seed in known:
            predicted = known[trial.seed]
        else:
            predicted = _price(known, together, trial.seed if source == key else None, first=first)
        if source in self._measured:
            return "measured", predicted
        kind: Kind = "stored" if source == key else "similar"
        return kind, predicted * self._ratios[kind].value

    def _nearest(self, trial: Trial, key: PointKey) -> PointKey | None:
        page = self._pages.get(trial.experiment)
        if page is None:
            return None
        if key not in page.nearest:
            number = page.neighbours.nearest(trial.factors, trial.settings)
            page.nearest[key] = None if number is None else page.keys[number]
        return page.nearest[key]

    def _key(self, trial: Trial) -> PointKey:
        if id(trial) not in self._keys:  # with the trial, so that no other takes its number
            key = trial.experiment, canonical_json(trial.factors), canonical_json(trial.settings)
            self._keys[id(trial)] = trial, key
        return self._keys[id(trial)][1]

    def _training(self, trial: Trial) -> tuple[PointKey, int]:
        return self._key(trial), trial.seed // trial.get("together", 1)


def stored_costs(store: Store, pages: Iterable[str], *, device: str, reference: Store | None = None) -> Costs:
    """Predictions from all that is stored of these pages, and from the reference as another device's."""

    def elsewhere(page: str) -> list[Record]:
        found = reference.records(page) if reference else []
        return [replace(record, device=f"reference: {record.device}") for record in found]

    return Costs({page: [*elsewhere(page), *store.records(page)] for page in pages}, device=device)


def _speed(here: Mapping[Asked, float], there: Mapping[Asked, float]) -> float:
    """This device's seconds for one of that device's: the median over trials that both have run, else 1."""
    ratios = [here[asked] / there[asked] for asked in here.keys() & there.keys() if there[asked] > 0]
    return median(ratios) if ratios else 1.0


def _price(known: Mapping[int, float], together: int, seed: int | None, *, first: bool) -> float:
    """What a seed of a point with these known seconds takes; its own training's where that is known."""
    if together == 1:
        return fmean(known.values())  # some seeds pay for what others find computed, as in timing a cell
    trainings: dict[int, list[float]] = {}
    for other, seconds in known.items():
        trainings.setdefault(other // together, []).append(seconds)
    own = trainings.get(seed // together) if seed is not None else None
    chosen = [own] if own else list(trainings.values())
    if first:
        return median(max(seconds) for seconds in chosen)
    following = [min(seconds) for seconds in chosen if len(seconds) > 1]
    return median(following) if following else FOLLOWING * median(max(seconds) for seconds in chosen)
