"""Which trials run anew: drawn by the seed, no more than fit, cheap ones first, the same the next time?"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from seqlab.notebook.experiment import Trial
from seqlab.running.replication import Drawn, FromReference, draw, name_of

PAGES = {"cheap": 1.0, "dear": 10.0, "middling": 3.0}
TRIALS = [
    Trial(page, {"model": model}, seed, "quick", {"steps": 1})
    for page in PAGES
    for model in ("RNN", "LSTM", "GRU", "TCN")
    for seed in range(5)
]


class Prices:
    """A second, ten or three for each trial."""

    def seconds(self, trials: Sequence[Trial]) -> float:
        return sum(PAGES[trial.experiment] for trial in trials)


def _draw(seconds: float, drawn: Drawn, *, more: bool = False, **others: object) -> list[Trial]:
    asked = FromReference(None, "key", seconds, more)  # type: ignore[arg-type]
    return draw(TRIALS, drawn, Prices, asked, **{"jobs": 1, **others})  # type: ignore[arg-type]


def test_as_many_as_fit_from_every_page() -> None:
    counts = Counter(trial.experiment for trial in _draw(43.0, Drawn(1)))
    assert 42 <= sum(PAGES[page] * number for page, number in counts.items()) <= 43
    assert set(counts) == set(PAGES)
    twice = Counter(trial.experiment for trial in _draw(43.0, Drawn(1), jobs=2))
    assert twice.total() > counts.total()


def test_cheap_ones_first_where_little_fits() -> None:
    assert {trial.experiment for trial in _draw(2.0, Drawn(1))} == {"cheap"}
    assert Counter(trial.experiment for trial in _draw(4.0, Drawn(1))) == {"cheap": 1, "middling": 1}
    assert _draw(0.5, Drawn(1)) == []


def test_the_seed_decides_and_every_trial_may_be_drawn() -> None:
    draws = [frozenset(map(name_of, _draw(15.0, Drawn(seed)))) for seed in range(200)]
    assert draws[3] == frozenset(map(name_of, _draw(15.0, Drawn(3))))
    assert len(set(draws)) > 150
    assert {one for drawn in draws for one in drawn} == set(map(name_of, TRIALS))


def test_the_same_command_draws_nothing_more() -> None:
    drawn = Drawn(5)
    first = _draw(30.0, drawn)
    ran = set(map(name_of, first))
    # They took less than predicted, and still nothing is added; with more time, there is.
    assert _draw(30.0, drawn, ran=ran, spent=3.0) == first
    longer = _draw(60.0, drawn, ran=ran, spent=30.0)
    assert ran < set(map(name_of, longer))
    assert sum(PAGES[one.experiment] for one in longer) <= 60


def test_with_a_limit_each_command_draws_more_until_all_have_run() -> None:
    drawn, ran = Drawn(7), set[str]()
    for _ in range(40):
        new = {
            name_of(trial) for trial in _draw(15.0, drawn, more=True, ran=ran, spent=float(len(ran)))
        } - ran
        if not new:
            break
        ran |= new
    assert ran == set(map(name_of, TRIALS))


def test_another_reference_and_changed_code_are_drawn_from_anew() -> None:
    drawn = Drawn(5)
    _draw(30.0, drawn)
    other = FromReference(None, "other", 30.0)  # type: ignore[arg-type]
    few = TRIALS[:3]
    assert set(map(name_of, draw(few, drawn, Prices, other, jobs=1))) == set(map(name_of, few))
    assert drawn.trials == set(map(name_of, few))


def test_seeds_that_train_together_are_drawn_together() -> None:
    trials = [
        Trial("cheap", {"model": model}, seed, "quick", {"together": 5})
        for model in ("RNN", "LSTM", "GRU")
        for seed in range(10)
    ]
    for seed in range(20):
        found = draw(trials, Drawn(seed), Prices, FromReference(None, "key", 11.0), jobs=1)  # type: ignore[arg-type]
        groups = Counter((trial["model"], trial.seed // 5) for trial in found)
        assert set(groups.values()) == {5}
        assert len(groups) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seed": "x", "reference": 1}', "null"])
def test_what_is_drawn_is_stored_and_a_damaged_file_begins_anew(tmp_path: Path, text: str) -> None:
    drawn = Drawn.read(tmp_path)
    _draw(15.0, drawn)
    drawn.keep(tmp_path)
    assert Drawn.read(tmp_path) == drawn
    assert Drawn.read(tmp_path / "absent").seed != Drawn.read(tmp_path / "absent").seed
    (tmp_path / ".replication.json").write_text(text)
    assert Drawn.read(tmp_path).trials == set()
