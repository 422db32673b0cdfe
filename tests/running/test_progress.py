"""Is the time left told sanely, and the number of decided claims?"""

from collections.abc import Sequence

import pytest

from seqlab.notebook.experiment import Trial
from seqlab.running.costs import Costs
from seqlab.running.decided import Decided
from seqlab.running.limit import Limit
from seqlab.running.plan import Plan
from seqlab.running.progress import Estimate, clock, display
from seqlab.running.schedule import as_asked
from tests.running.limited import DEVICE, Clock, compares, page, plan, record

LEARNS = plan(page("learns", compares("C38"), seeds=5))
TIMED = plan(page("timed", compares("C04", "step_time"), parallel_over=()))


def known(*plans: Plan, seconds: float) -> Costs:
    records = {one.experiment.name: [record(trial, seconds) for trial in one.planned] for one in plans}
    return Costs(records, device=DEVICE[1])


def estimate(
    plans: Sequence[Plan], costs: Costs, now: Clock, limit: Limit | None = None
) -> tuple[Estimate, list[Trial]]:
    blocks = as_asked(plans)
    trials = [trial for block in blocks for trial in block.trials]
    return Estimate(blocks, costs, jobs=2, limit=limit, clock=now), trials


def test_trials_alone_count_whole_and_others_by_how_many_run_at_once() -> None:
    now, costs = Clock(), known(LEARNS, TIMED, seconds=4.0)
    left, trials = estimate([LEARNS, TIMED], costs, now)
    assert left.seconds() == 4.0 * 8 + 4.0 * 20 / 2
    now.now += 1.0
    left.ended(trials[0])
    assert left.seconds() == 72.0 - 4.0


def test_no_more_time_is_left_than_was_given() -> None:
    now, costs = Clock(), known(LEARNS, seconds=100.0)
    left, _ = estimate([LEARNS], costs, now, Limit(60.0, now).reserving(10.0))
    assert left.seconds() == 50.0


def test_the_first_estimate_is_sane_after_one_slow_trial() -> None:
    """It takes 20 s, the others 0.2 s: 2,000 of them take 3 minutes, and are not said to take hours."""
    many = plan(page("many", sizes=range(100), seeds=10))
    now, costs = Clock(), Costs({}, device=DEVICE[1])
    left, trials = estimate([LEARNS, many], costs, now)
    assert left.seconds() < 20 * 60
    costs.ended(trials[0], 20.0, "ok")
    left.ended(trials[0])
    now.now += 20.0
    assert left.seconds() < 60 * 60


@pytest.mark.parametrize(("seconds", "words"), [(5, "0:05"), (125.4, "2:05"), (3_909, "1:05:09")])
def test_a_time_is_shown_as_a_clock_does(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_a_line_says_how_many_trials_and_claims(capsys: pytest.CaptureFixture[str]) -> None:
    now, costs = Clock(), known(LEARNS, seconds=4.0)
    left, (first, *rest) = estimate([LEARNS], costs, now)
    claims = Decided(lambda _: [True], {"learns": ["C38"], "other": ["C39"]}, clock=now)
    with display(20, left, claims) as shown:
        shown.begin(first)
        shown.end(first, "ok", 4.0, "")
        claims.refresh(["learns"])
        for trial in rest:
            shown.begin(trial)
            shown.end(trial, "ok", 4.0, "")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("[1/20, 0 of 2 claims decided] learns: ")
    assert lines[0].endswith("ok, 4.0 s, 0:38 left")
    assert lines[-2].startswith("[20/20, 1 of 2 claims decided] ")
    assert lines[-2].endswith("ok, 4.0 s")
    assert lines[-1] == "learns: 20 trials, 1:20 in all, 20 ok"


def test_a_page_ends_with_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    left, trials = estimate([LEARNS, TIMED], Costs({}, device=DEVICE[1]), Clock())
    with display(len(trials), left) as shown:
        for place, trial in enumerate(trials):
            shown.end(trial, "failed" if place == 3 else "ok", 2.0, "")
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if not line.startswith("[")] == [
        "timed: 8 trials, 0:16 in all, 7 ok, 1 failed",
        "learns: 20 trials, 0:40 in all, 20 ok",
    ]
