"""Which trials learn: side by side, not alone, neither about time nor about arithmetic?"""

from dataclasses import replace

from seqlab.notebook.claims import Claim, Difference, Exact, Ratio
from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.running.learning import is_learning, learning
from seqlab.running.plan import Request, trials

SIDES = {"left": {"model": "RNN"}, "right": {"model": "LSTM"}, "matched": ()}
QUALITY = Claim("C01", Difference(metric="accuracy", above=0.1, where={"part": "quality"}, **SIDES), "")  # type: ignore[arg-type]
TIME = Claim("C02", Ratio(metric="step_time", above=1.1, where={"part": "time"}, **SIDES), "")  # type: ignore[arg-type]
COUNT = Claim("C03", Exact(metric="parameters", above=0.0, where={"part": "count"}), "")
PAGE = Experiment(
    run=lambda _: iter(()),
    budgets=(Budget("quick", grid(part=("quality", "time", "count"), model=("RNN", "LSTM"), seeds=2)),),
    claims=(QUALITY, TIME, COUNT),
    parallel_over=("model",),
)


def parts(page: Experiment) -> set[str]:
    return {trial["part"] for trial in learning(page, trials(page, Request("quick")))}


def test_what_is_about_time_or_arithmetic_does_not_learn() -> None:
    assert is_learning(PAGE)
    assert parts(PAGE) == {"quality"}
    assert parts(replace(PAGE, claims=(QUALITY,))) == {"quality", "time", "count"}
    assert parts(replace(PAGE, claims=())) == {"quality", "time", "count"}


def test_what_runs_alone_does_not_learn() -> None:
    assert parts(replace(PAGE, claims=(), exclusive={"part": "time"})) == {"quality", "count"}
    assert not is_learning(replace(PAGE, parallel_over=()))
    assert parts(replace(PAGE, parallel_over=())) == set()


def test_a_page_of_arithmetic_alone_does_not_learn() -> None:
    assert not is_learning(replace(PAGE, claims=(COUNT,)))
