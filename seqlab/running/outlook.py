"""What did a limited time leave out, and what would another hour likely decide?

An hour is played through: the trials still due, in the order in which the same command would run them, as
long as they are predicted to take. A claim is likely decided by then if no planned trial of it is missing.
That is a forecast: intervals may stay open with every trial run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seqlab.running.costs import Costs
from seqlab.running.decided import Decided
from seqlab.running.limit import Limit
from seqlab.running.needs import Needs
from seqlab.running.plan import Plan
from seqlab.running.progress import clock
from seqlab.running.schedule import Block, by_need

HOUR = 3_600.0  # seconds
MOST_NAMED = 8  # claims in a line


@dataclass(frozen=True)
class Lacking:
    """A claim that is not decided, the page that needs the least for it, and what is still due there."""

    claim: str
    page: str
    trials: int
    seconds: float  # predicted, with as many trials at a time as the command runs
    within: bool  # the hour
    guessed: bool  # nothing is known of the page


def outlook(
    plans: Sequence[Plan], decided: Decided, costs: Costs, *, jobs: int, limit: Limit, ran: int
) -> Iterator[str]:
    """Lines for the user; none where nothing is due. `ran` trials were run by this command."""
    due = sum(len(plan.due) for plan in plans)
    if not due:
        return
    blocks = by_need(plans, decided=decided.by_page, costs=costs, jobs=jobs)
    total = sum(_seconds(block, costs, jobs) for block in blocks)
    yield (
        f"Stopped after {clock(limit.spent())} of {clock(limit.seconds)}, since no further trial would have "
        f"ended in time for the report: {ran:,} ran, {due:,} left out (about {clock(total)})."
    )
    found, done = lacking(plans, blocks, decided, costs, jobs=jobs), decided.text()
    likely = [one for one in found if one.trials and one.within]
    later = [one for one in found if one.trials and not one.within]
    complete = [one.claim for one in found if not one.trials]
    yield f"{done[:1].upper()}{done[1:]}." if done else "No page has a claim."
    if likely:
        yield f"Another hour would likely decide {len(likely)} more: {_named(likely)}."
    if later:
        yield f"After that hour {len(later)} would still lack trials: {_named(later)}."
    if complete:
        yield f"Every planned trial of these ran, and they are open: {', '.join(complete)}."
    yield "The same command goes on from here."


def lacking(
    plans: Sequence[Plan], blocks: Sequence[Block], decided: Decided, costs: Costs, *, jobs: int
) -> list[Lacking]:
    """Each claim that is not decided, the cheapest first. `blocks` are the due trials in order."""
    spent, within = 0.0, set[int]()
    for block in blocks:
        spent += _seconds(block, costs, jobs)
        if spent <= HOUR:
            within.update(map(id, block.trials))
    done, _ = decided.ids()
    best: dict[str, Lacking] = {}
    for plan in plans:
        page = plan.experiment
        needs = Needs(page)
        own = [block for block in blocks if block.plan is plan]
        for place, claim in enumerate(page.claims):
            if claim.id in done:
                continue
            trials, seconds, inside, guessed = 0, 0.0, True, False
            for block in own:
                if place in needs.claims(block.trials[0].factors):
                    trials += len(block.trials)
                    seconds += _seconds(block, costs, jobs)
                    guessed |= costs.guessed(block.trials)
                    inside &= all(id(trial) in within for trial in block.trials)
            one = Lacking(claim.id, page.name, trials, seconds, inside, guessed)
            # A page on which something is left to run may yet decide it; of these, the cheapest.
            if claim.id not in best or _rank(one) < _rank(best[claim.id]):
                best[claim.id] = one
    return sorted(best.values(), key=lambda one: (one.seconds, one.claim))


def _rank(one: Lacking) -> tuple[bool, bool, float]:
    return not one.trials, not one.within, one.seconds


def _seconds(block: Block, costs: Costs, jobs: int) -> float:
    return costs.seconds(block.trials) / (1 if block.alone else jobs)


def _named(found: Sequence[Lacking]) -> str:
    named = [
        f"{one.claim} ({one.page}: {one.trials:,} {'trials' if one.trials != 1 else 'trial'}, "
        f"{'at a guess' if one.guessed else 'about'} {clock(one.seconds)})"
        for one in found[:MOST_NAMED]
    ]
    more = len(found) - len(named)
    return ", ".join([*named, *([f"and {more} more"] if more else [])])
