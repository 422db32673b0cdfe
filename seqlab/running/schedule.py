"""In which order do trials run, and which of them may start now?

Without a limit: the pages that measure time, each trial alone on the machine, then the others, page by page.

With one, in the order that decides most claims in the time (`by_need`):

1. trials of claims that are not decided, then those of decided claims, then those that serve no claim;
2. of these, what measures time or is arithmetic, page by page: the pages that take the least time for each
   claim first, by what is known by then, and their trials in the order of the plan;
3. then what learns, breadth-first: seed 0 of every point of every page before seed 1 of any; of equals the
   cheaper first. Seeds that train together count as the first of them.

A trial whose last run failed comes after all of these.

Trials of a page with the same levels of its factors `parallel_over` may share what they computed, so a worker
that has run one of them keeps the others. An idle one takes over such a group from a worker that is busy with
another. Where there are many workers (`apart`), only trials of one training are kept together, and those of
one seed that measure time, so that they are timed side by side.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from seqlab.notebook.experiment import Experiment, Trial
from seqlab.notebook.figures import Level
from seqlab.running.limit import TOLERANCE, Limit
from seqlab.running.needs import UNDECIDED, Needs
from seqlab.running.plan import Plan

if TYPE_CHECKING:  # it brings NumPy, which a command with nothing to run does not need
    from seqlab.running.costs import Costs

START_SECONDS = 2.0  # a new worker process imports MLX and its first page, on 2 cores

REORDER_SECONDS = 20.0  # between two orders while trials run alone; making one takes some 0.1 s

Group = tuple[object, ...]  # the page's name and the levels of its factors parallel_over


@dataclass(frozen=True)
class Unit:
    """What is ordered as a whole: a page's trials of one kind, or one training of a group of them."""

    failed: bool
    need: int
    learns: bool
    seed: int  # the first of its training; 0 unless it learns
    alone: bool
    group: Group


@dataclass(frozen=True)
class Block:
    """Trials of a page that one worker runs one after another. `alone`: with the machine to itself."""

    plan: Plan
    trials: tuple[Trial, ...]
    group: Group
    alone: bool
    unit: Unit
    claims: tuple[int, ...] = ()  # the places, on the page, of those that it helps to decide


def as_asked(plans: Sequence[Plan], *, apart: bool = False) -> list[Block]:
    """The due trials in the order of the plans, those that run alone first; a block for each group."""
    blocks = []
    for plan in plans:
        groups: dict[tuple[bool, Group], list[Trial]] = {}
        for due in plan.due:
            groups.setdefault(_group(plan.experiment, due.trial, apart=apart), []).append(due.trial)
        for (alone, group), trials in groups.items():
            unit = Unit(False, UNDECIDED, False, 0, alone, group)
            blocks.append(Block(plan, tuple(trials), group, alone, unit))
    return sorted(blocks, key=lambda block: not block.alone)


def by_need(
    plans: Sequence[Plan],
    *,
    decided: Mapping[str, Sequence[bool]],
    costs: "Costs",
    jobs: int,
    apart: bool = False,
) -> list[Block]:
    """The due trials in the order that decides most, a block for each point and training.

    `decided` says, for each page, which of its claims need nothing more; `jobs` trials run at a time, unless
    they run alone.
    """
    blocks = []
    for plan in plans:
        page = plan.experiment
        needs = Needs(page, decided.get(page.name, ()))
        trials: dict[tuple[Unit, Group, frozenset[tuple[str, Level]], int], list[Trial]] = {}
        for due in plan.due:
            trial, factors = due.trial, due.trial.factors
            alone, group = _group(page, trial, apart=apart)
            learns = not alone and not needs.arithmetic(factors)
            seed = _training(trial)
            kind = due.failed, needs.of(factors), learns
            unit = Unit(*kind, seed if learns else 0, alone, group if learns else group[:1])
            trials.setdefault((unit, group, frozenset(factors.items()), seed), []).append(trial)
        for (unit, group, *_), found in trials.items():
            claims = needs.undecided(found[0].factors)
            blocks.append(Block(plan, tuple(found), group, unit.alone, unit, claims))
    return in_order(blocks, costs, jobs=jobs)


def in_order(blocks: Iterable[Block], costs: "Costs", *, jobs: int) -> list[Block]:
    """The blocks in the order that decides most, by what is predicted now."""
    units: dict[Unit, list[Block]] = {}
    for block in blocks:
        units.setdefault(block.unit, []).append(block)

    def place(unit: Unit) -> tuple[bool, int, bool, int, float]:
        seconds = sum(costs.seconds(block.trials) for block in units[unit]) / (1 if unit.alone else jobs)
        claims = 1 if unit.learns else len({claim for block in units[unit] for claim in block.claims})
        return unit.failed, unit.need, unit.learns, unit.seed, seconds / max(1, claims)

    return [block for unit in sorted(units, key=place) for block in units[unit]]


def segments(blocks: Iterable[Block]) -> Iterator[tuple[bool, list[Block]]]:
    """Neighbouring blocks that may run at the same time, with whether they run alone."""
    return ((alone, list(found)) for alone, found in groupby(blocks, key=lambda block: block.alone))


class Queue:
    """Blocks that wait. `owners` says which worker has which group, from one queue to the next.

    With a limit and `pauses`, nothing more is taken after `REORDER_SECONDS`, so that what waits can be put
    in order by what was measured meanwhile.
    """

    def __init__(
        self,
        blocks: Iterable[Block],
        costs: "Costs",
        limit: Limit | None,
        owners: dict[Group, object],
        *,
        pauses: bool = False,
    ) -> None:
        self.waiting, self.paused = list(blocks), False
        self._costs, self._limit, self._owners = costs, limit, owners
        self._busy: dict[object, Group] = {}
        self._until = limit.left() - REORDER_SECONDS if limit and pauses else None

    def take(self, worker: object) -> Block | None:
        """The first block that this worker may run and that ends in time; None where there is none."""
        self._busy.pop(worker, None)
        if self._until is not None and self._limit and self._limit.left() <= self._until:
            self.paused = bool(self.waiting)
            return None
        others = set(self._busy.values())
        start = 0.0 if worker in self._owners.values() else START_SECONDS
        taken: int | None = None
        for place, block in enumerate(self.waiting):
            if block.group in others:
                continue
            own = self._owners.get(block.group, worker) == worker
            if (own or taken is None) and self.fits(block.trials, after=start):
                taken = place
                if own:
                    break
        if taken is None:
            return None
        block = self.waiting.pop(taken)
        self._busy[worker], self._owners[block.group] = block.group, worker
        return block

    def put_back(self, block: Block, worker: object) -> None:
        """What this worker took waits again, as the first, and for any other worker too."""
        self._busy.pop(worker, None)
        self._owners.pop(block.group, None)
        self.waiting.insert(0, block)

    def leave(self, worker: object) -> None:
        """This worker is gone, and what it kept is lost."""
        self._busy.pop(worker, None)
        for group in [group for group, owner in self._owners.items() if owner == worker]:
            del self._owners[group]

    def fits(self, trials: Sequence[Trial], *, after: float = 0.0, late: bool = False) -> bool:
        """Whether these trials, begun `after` so many seconds, are predicted to end in time.

        `late` also allows what the limit tolerates.
        """
        if self._limit is None:
            return True
        left = self._limit.left() + (TOLERANCE * self._limit.seconds if late else 0.0)
        return after + self._costs.seconds(trials, cautious=True) <= left


def cheapest(blocks: Sequence[Block], costs: "Costs") -> Block:
    """The block that ends soonest."""
    return min(blocks, key=lambda block: costs.seconds(block.trials))


def _training(trial: Trial) -> int:
    """The first seed of those that train together with this one."""
    return trial.seed - trial.seed % int(trial.get("together", 1))


def _group(page: Experiment, trial: Trial, *, apart: bool) -> tuple[bool, Group]:
    """Whether the trial needs the machine to itself, and with which others it may share computations."""
    factors = trial.factors
    measures = page.exclusive and page.exclusive.items() <= factors.items()
    alone = not page.parallel_over or bool(measures)
    levels = () if alone else map(factors.get, page.parallel_over)
    return alone, (page.name, *levels, *((_training(trial),) if apart else ()))
