"""Does a command that ran out of time say what it left out, and what an hour more would likely decide?"""

from collections.abc import Sequence

from seqlab.running.costs import Costs
from seqlab.running.decided import Decided
from seqlab.running.limit import Limit
from seqlab.running.outlook import outlook
from seqlab.running.plan import Plan
from tests.running.limited import DEVICE, Clock, compares, exact, page, plan, record


def said(*plans: Plan, seconds: float, decided: Sequence[str] = ()) -> list[str]:
    claims = {one.experiment.name: [claim.id for claim in one.experiment.claims] for one in plans}
    known = Decided(lambda name: [claim in decided for claim in claims[name]], claims, clock=Clock())
    known.refresh(claims)
    records = {one.experiment.name: [record(trial, seconds) for trial in one.planned] for one in plans}
    limit = Limit(600.0, Clock())
    return list(outlook(plans, known, Costs(records, device=DEVICE[1]), jobs=2, limit=limit, ran=12))


LEARNS = page("learns", compares("C38"))
OTHER = page("other", compares("C39"), seeds=5)


def test_nothing_is_said_where_nothing_is_due() -> None:
    whole = plan(LEARNS)
    assert said(plan(LEARNS, done=whole.planned), seconds=1.0) == []


def test_what_was_left_out_and_what_an_hour_decides() -> None:
    first, count, likely, later, last = said(plan(LEARNS), plan(OTHER), seconds=600.0)
    assert "Stopped after 0:00 of 10:00" in first
    assert "12 ran, 28 left out (about 2:20:00)" in first
    assert count == "0 of 2 claims decided."
    assert "1 more: C38 (learns: 8 trials, about 40:00)" in likely
    assert "1 would still lack trials: C39 (other: 20 trials, about 1:40:00)" in later
    assert last == "The same command goes on from here."


def test_an_hour_is_filled_in_the_order_of_the_command() -> None:
    """8 trials of 12 minutes, two at a time, fit into it, seeds breadth-first over both pages; 28 do not."""
    lines = said(plan(LEARNS), plan(page("law", exact("C08"), seeds=None)), seconds=600.0)
    text = " ".join(lines)
    assert "Another hour would likely decide 2 more: C08 (law: 4 trials, about 20:00), C38" in text
    lines = said(plan(LEARNS), plan(page("law", exact("C08"), seeds=None)), seconds=700.0)
    text = " ".join(lines)
    assert "Another hour would likely decide 1 more: C08 (law: 4 trials, about 23:20)." in text
    assert "After that hour 1 would still lack trials: C38 (learns: 8 trials, about 46:40)." in text


def test_decided_claims_are_not_named_and_finished_ones_are() -> None:
    done = plan(LEARNS)
    text = " ".join(said(plan(LEARNS, done=done.planned), plan(OTHER), seconds=1.0, decided=["C39"]))
    assert "1 of 2 claims decided." in text
    assert "C39" not in text
    assert "Every planned trial of these ran, and they are open: C38." in text


def test_a_claim_of_several_pages_needs_one_of_them() -> None:
    small, large = page("small", compares("C44"), sizes=(1,)), page("large", compares("C44"))
    text = " ".join(said(plan(large), plan(small), seconds=1.0))
    assert "Another hour would likely decide 1 more: C44 (small: 4 trials, about 0:02)." in text


def test_a_guess_is_called_one() -> None:
    claims = {"learns": ["C38"]}
    never = Decided(lambda _: [False], claims, clock=Clock())
    costs, limit = Costs({}, device=DEVICE[1]), Limit(600.0, Clock())
    text = " ".join(outlook([plan(LEARNS)], never, costs, jobs=2, limit=limit, ran=1))
    assert "C38 (learns: 8 trials, at a guess 0:02)" in text
