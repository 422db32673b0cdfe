"""Does a trial of the atlas time four networks of equal size side by side, and is its plan as it says?"""

from pathlib import Path

import pytest

from seqlab.analysis.atlas import cells as known
from seqlab.notebook import Experiment, Trial
from seqlab.notebook.discover import check, load

PAGE = Path(__file__).parents[2] / "experiments" / "aside" / f"{known.PAGE}.py"


@pytest.fixture(scope="module")
def page() -> Experiment:
    experiment = load(PAGE)
    check(experiment, frozenset())
    return experiment


@pytest.mark.parametrize("task", known.TASKS)
def test_a_trial_times_all_networks_in_the_same_blocks(page: Experiment, task: known.Task) -> None:
    factors = {"task": task, "length": 8, "width": 16, "batch": 2}
    found: dict[str, dict[str, dict[int | None, float]]] = {}
    for one in page.run(Trial("atlas", factors, 7, "smoke", {"blocks": 2, "tokens": 2, "steps": 100})):
        found.setdefault(one.metric, {}).setdefault(one.split, {})[one.step] = one.value  # type: ignore[union-attr]
    times = found[known.METRIC[task]]
    assert list(times) == ["Transformer", "LSTM", "minGRU", "linear attention"]
    blocks = [taken.keys() for taken in times.values()]
    assert all(own == blocks[0] for own in blocks)
    assert all(seconds > 0 for taken in times.values() for seconds in taken.values())
    sizes = [values[None] for values in found["parameters"].values()]
    assert max(sizes) <= 1.02 * 1.02 * min(sizes)


def test_the_first_plan_is_small_has_every_corner_and_serves_the_full_one(page: Experiment) -> None:
    quick, full = (
        {tuple(point.factors.values()) for point in page.budget(name).points} for name in ("quick", "full")
    )
    assert 60 <= len(quick) <= 150
    assert len(full) <= 10_000
    assert quick < full
    lengths = {task: {length for one, length, *_ in quick if one == task} for task in known.TASKS}
    for task, own in lengths.items():
        for length in (min(own), max(own)):
            for width, batch in ((32, 1), (32, 16), (512, 1), (512, 16)):
                assert (task, length, width, batch) in quick
