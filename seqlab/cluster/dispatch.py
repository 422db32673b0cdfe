"""Which worker runs which trial, and when? Each result is stored as it comes home, by this one writer.

The order is that of `running.schedule`, as on one machine, so the next trial is chosen when a worker is idle.
A trial that measures time has its place to itself; workers of other places go on meanwhile. Trials of a
training stay together, and so do those of one seed of a page that measures time. A trial whose worker is lost
runs again elsewhere, before all others.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from seqlab.cluster.crew import Answer, Crew, Hand, Waiting, wait_seconds
from seqlab.cluster.words import Job
from seqlab.errors import WorkerError
from seqlab.notebook.experiment import Trial
from seqlab.running.costs import stored_costs
from seqlab.running.decided import Decided
from seqlab.running.environment import environment
from seqlab.running.execute import Book, run_of
from seqlab.running.identity.changes import MOST_NAMED, what_changed
from seqlab.running.limit import Limit
from seqlab.running.plan import Plan
from seqlab.running.progress import Estimate, display
from seqlab.running.schedule import REORDER_SECONDS, Block, Queue, as_asked, by_need, cheapest, in_order
from seqlab.running.worker import Outcome
from seqlab.store.database import Store

MOST_LOST = 3  # workers that a trial may take with it, as Dask's allowed-failures


@dataclass
class Begun:
    """A block that a worker has taken, and the place of the trial that runs."""

    block: Block
    place: int = 0

    @property
    def trial(self) -> Trial:
        """The trial that runs."""
        return self.block.trials[self.place]


def dispatch(
    plans: Sequence[Plan],
    store: Store,
    crew: Crew,
    *,
    device: tuple[str, str, str],
    limit: Limit | None = None,
    decided: Decided | None = None,
    reference: Store | None = None,
) -> int:
    """Run every due trial, or those that the time allows, on the workers; returns how many failed."""
    costs = stored_costs(
        store, [plan.experiment.name for plan in plans], device=device[1], reference=reference
    )
    jobs = max(1, len(crew.hands))
    blocks = as_asked(plans, apart=True)
    if limit:
        by_page = decided.by_page if decided else {}
        blocks = by_need(plans, decided=by_page, costs=costs, jobs=jobs, apart=True)
    places = len({hand.place for hand in crew.hands.values()}) or 1
    estimate = Estimate(blocks, costs, jobs=jobs, alone=places, limit=limit)
    with display(sum(len(block.trials) for block in blocks), estimate, decided) as shown:
        before, crew.say = crew.say, shown.note
        book = Book.of(plans, store, shown, costs, decided)
        try:
            _Dispatch(crew, book, device, limit, Queue(blocks, costs, limit, {})).run()
        finally:
            crew.cancel()
            crew.say = before
    return book.failed


@dataclass
class _Dispatch:
    crew: Crew
    book: Book
    device: tuple[str, str, str]
    limit: Limit | None
    queue: Queue
    _begun: dict[Hand, Begun] = field(default_factory=dict)
    _lost: Counter[tuple[str, int]] = field(default_factory=Counter)
    _checked: dict[tuple[str, tuple[tuple[str, str], ...]], str] = field(default_factory=dict)
    _ordered: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Until nothing waits or runs, or the time is over."""
        waiting = Waiting(self.crew)
        while self.queue.waiting or self._begun:
            for answer in self.crew.answers(0.2):
                self._end(answer)
            if self._late():
                self.book.shown.note(
                    f"Ended {len(self._begun)} trials that took longer than predicted, without a result."
                )
                return
            self._reorder()
            for hand in list(self.crew.hands.values()):
                if hand not in self._begun:
                    self._give(hand)
            if self._begun:
                waiting = Waiting(self.crew)
            elif self.crew.hands and self.queue.waiting and self.limit:
                if self.book.ran:
                    return  # nothing more ends in time
                self._run_one_anyway()
            elif self.queue.waiting and waiting.ends():
                why = self.crew.reasons() if self.crew.left_out else ""
                raise WorkerError(
                    f"no worker of {self.crew.address} has taken part for {wait_seconds():g} s. "
                    f"Finished trials are stored; run the same command again to continue. {why}".rstrip()
                )

    def _late(self) -> bool:
        """Whether trials must be ended now. Not before one has ended: else no command would get on."""
        return bool(self.limit and self.book.ran and self._begun and self.limit.overdue())

    def _reorder(self) -> None:
        """Put what waits in order by what was measured meanwhile."""
        if self.limit and time.monotonic() - self._ordered > REORDER_SECONDS:
            jobs = max(1, len(self.crew.hands))
            self.queue.waiting = in_order(self.queue.waiting, self.book.costs, jobs=jobs)
            self._ordered = time.monotonic()

    def _run_one_anyway(self) -> None:
        """Of too little time the cheapest block makes the most; it ends, however long it takes."""
        first = cheapest(self.queue.waiting, self.book.costs)
        self.limit, self.queue = None, Queue([first], self.book.costs, None, {})

    def _give(self, hand: Hand) -> None:
        """The worker's next block, unless it has to wait for others of its place."""
        beside = [begun for other, begun in self._begun.items() if other.place == hand.place]
        if any(begun.block.alone for begun in beside):
            return
        block = self.queue.take(hand.address)
        if block is None:
            return
        if block.alone and beside:
            self.queue.put_back(block, hand.address)
            return
        self._begun[hand] = Begun(block)
        self._start(hand)

    def _start(self, hand: Hand) -> None:
        begun = self._begun[hand]
        plan, alone = begun.block.plan, begun.block.alone
        beside = sum(other.place == hand.place for other in self.crew.hands.values())
        assert self.crew.terms
        self.crew.submit(
            hand,
            Job(
                self.crew.terms,
                plan.page.name,
                begun.trial,
                plan.fingerprint,
                at_once=1 if alone else max(1, beside),
                environment=environment(plan.experiment, self.device[0]),
            ),
        )
        self.book.shown.begin(begun.trial)

    def _end(self, answer: Answer) -> None:
        """Store what came home; the worker goes on with its block, or another takes over the rest."""
        hand, home = answer.hand, answer.home
        begun = self._begun.pop(hand)
        trial, plan = begun.trial, begun.block.plan
        if home and home.outcome and (change := self._changed(plan, home.outcome)):
            self.crew.leave_out(hand.address, f"what its trial used there is not the same here: {change}.")
            home = None
        if home and home.outcome:
            self._store(plan, trial, home.outcome, dict(home.provenance))
            begun.place += 1
        else:
            key = trial.key(device=self.device[1], mlx=self.device[2])
            self._lost[key, trial.seed] += 1
            if self._lost[key, trial.seed] >= MOST_LOST:
                error = f"{MOST_LOST} workers were lost or left out while they ran it."
                self._store(plan, trial, Outcome("failed", 0.0, datetime.now(UTC), (), error=error), {})
                begun.place += 1
            else:
                self.book.shown.note(f"{trial.label()} runs again elsewhere.")
        if hand.address not in self.crew.hands:
            self.queue.leave(hand.address)
        left = begun.block.trials[begun.place :]
        if not left:
            return
        if home is None or hand.address not in self.crew.hands:
            self.queue.put_back(replace(begun.block, trials=left), hand.address)
        elif self.queue.fits([left[0]], late=True):
            self._begun[hand] = begun
            self._start(hand)

    def _store(self, plan: Plan, trial: Trial, outcome: Outcome, provenance: dict[str, object]) -> None:
        _, name, mlx = self.device
        self.book.end(run_of(outcome, trial, plan, provenance or {"device": name}, device=name, mlx=mlx))

    def _changed(self, plan: Plan, outcome: Outcome) -> str:
        """What the trial used there that is not the same here, for which it would be due again at once."""
        if plan.changes is None:
            return ""
        key = plan.experiment.name, tuple(sorted(outcome.used.items()))
        if key not in self._checked:
            found = what_changed(plan.changes.files, plan.changes.page, outcome.used)
            self._checked[key] = ", ".join(found[:MOST_NAMED])
        return self._checked[key]
