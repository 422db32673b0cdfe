"""Is a trial's time predicted from the nearest thing that is known?"""

from dataclasses import replace

import pytest

from seqlab.notebook.experiment import Trial
from seqlab.running.costs import DEFAULT_SECONDS, FOLLOWING, Costs
from seqlab.running.plan import Request, trials
from tests.running.limited import DEVICE, page, record


def costs(*runs: tuple[Trial, float], elsewhere: tuple[tuple[Trial, float], ...] = ()) -> Costs:
    records = [record(trial, seconds) for trial, seconds in runs]
    records += [record(trial, seconds, device="gpu (there)") for trial, seconds in elsewhere]
    return Costs({"p": records}, device=DEVICE[1])


def point(model: str, size: int, seed: int = 0, *, together: int = 1) -> Trial:
    everything = trials(page("p", sizes=(1, 2, 64, 128), seeds=6, together=together), Request("quick"))
    (found,) = (one for one in everything if (one["model"], one["size"], one.seed) == (model, size, seed))
    return found


def test_a_run_of_the_same_trial_says_what_it_takes() -> None:
    known = costs((point("A", 1), 3.0), (point("A", 1, 1), 5.0), (point("A", 1), 4.0))
    assert known.seconds([point("A", 1)]) == 4.0  # the latest
    assert known.seconds([point("A", 1), point("A", 1, 1)]) == 9.0
    assert known.seconds([point("A", 1, 2)]) == 4.5  # another seed: the mean


def test_runs_of_another_device_are_scaled_by_what_both_have_run() -> None:
    there = ((point("A", 1), 1.0), (point("B", 1), 2.0), (point("A", 2), 7.0))
    here = ((point("A", 1), 3.0), (point("B", 1), 6.0))
    assert costs(*here, elsewhere=there).seconds([point("A", 2)]) == pytest.approx(21.0)
    assert costs(elsewhere=there).seconds([point("A", 2)]) == 7.0


def test_an_unknown_point_takes_as_long_as_the_most_similar_one() -> None:
    known = costs((point("A", 1), 1.0), (point("A", 64), 9.0), (point("B", 1), 2.0))
    assert known.seconds([point("A", 128)]) == 9.0
    assert known.seconds([point("B", 2)]) == 2.0
    other = replace(point("B", 128), settings={"steps": 1_000, "together": 1})
    both = costs((point("B", 128), 2.0), (replace(point("A", 1), settings=other.settings), 30.0))
    assert both.seconds([other]) == 30.0  # settings tell budgets apart


def test_the_first_of_seeds_that_train_together_pays_for_all() -> None:
    stored = [(point("A", 1, seed, together=3), 9.0 if seed in (0, 3) else 0.5) for seed in range(6)]
    known = costs(*stored)
    seeds = [point("A", 1, seed, together=3) for seed in range(6)]
    assert known.seconds(seeds[:3]) == 10.0
    assert known.seconds(seeds[1:3]) == 9.5  # whichever comes first
    known.ended(seeds[1], 9.0, "ok")
    assert known.seconds(seeds[2:3]) == 0.5
    assert known.seconds(seeds[3:4]) == 9.0
    unknown = costs((point("A", 1, 0, together=3), 9.0))
    assert unknown.seconds(seeds[:2]) == pytest.approx(9.0 * (1 + FOLLOWING))


def test_what_this_session_measures_corrects_the_rest() -> None:
    known = costs((point("A", 1), 10.0), (point("B", 64), 10.0))
    before = known.seconds([point("B", 64)])
    known.ended(point("A", 1), 30.0, "ok")
    assert before < known.seconds([point("B", 64)]) < 30.0  # a slow machine
    assert known.seconds([point("A", 1, 1)]) == pytest.approx(30.0)  # measured, as it is
    known.ended(point("B", 64, 1), 0.0, "failed")  # a failure tells nothing
    assert known.seconds([point("B", 64)]) > before


def test_from_nothing_the_first_trial_does_not_stand_for_all() -> None:
    """One that takes 9 s, as it loads the data: 2,000 others on other pages are not 5 hours."""
    known = costs()
    others = [replace(point("A", 1), experiment="q", seed=seed) for seed in range(2_000)]
    assert known.seconds(others) == 2_000 * DEFAULT_SECONDS
    known.ended(point("A", 1), 9.0, "ok")
    assert known.seconds(others) < 4 * 2_000 * DEFAULT_SECONDS


def test_a_cautious_prediction_has_a_margin_wider_where_less_is_known() -> None:
    known = costs((point("A", 1), 1.0))
    stored, similar = (known.seconds([one], cautious=True) for one in (point("A", 1), point("A", 2)))
    assert 1.0 < stored < similar
