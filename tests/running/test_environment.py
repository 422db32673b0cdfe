"""Which pages get a process in which MLX computes otherwise: one operation at a time, or without TF32?"""

from pathlib import Path

import pytest

from seqlab.notebook.claims import Claim, Slope
from seqlab.notebook.discover import load
from seqlab.notebook.experiment import Budget, Experiment, grid
from seqlab.notebook.figures import Curve, Figure, Interval, Table, Tradeoff
from seqlab.running.environment import ONE_AT_A_TIME, PRECISE, environment

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def page(*figures: Figure, claims: tuple[Claim, ...] = (), precise: bool = False) -> Experiment:
    budgets = (Budget("quick", grid(length=(1, 2, 4))),)
    return Experiment(
        run=lambda _: iter(()), budgets=budgets, figures=figures, claims=claims, precise=precise
    )


RULE = Slope(metric="peak_memory", x="length", below=1.5)


@pytest.mark.parametrize(
    "telling",
    [
        page(Curve(caption="", x="length", y="peak_memory", hue="length")),
        page(Interval(caption="", x="peak_memory", y="length")),
        page(Tradeoff(caption="", x="peak_memory", y="loss", hue="length")),
        page(Table(caption="", rows=("length",), metrics=("loss", "peak_memory"))),
        page(claims=(Claim("C24", RULE, ""),)),
    ],
)
def test_a_page_that_tells_a_peak_runs_one_operation_at_a_time_on_a_gpu(telling: Experiment) -> None:
    assert environment(telling, "gpu") == ONE_AT_A_TIME
    assert environment(telling, "cpu") == {}


def test_others_do_not_and_a_precise_page_has_no_tf32() -> None:
    other = Table(caption="", rows=("length",), metrics=("loss", "step_time"))
    assert environment(page(other), "gpu") == {}
    assert environment(page(other, precise=True), "gpu") == PRECISE


def test_of_our_pages_one_is_about_the_peak_and_it_times_nothing() -> None:
    pages = {path.stem: load(path) for path in EXPERIMENTS.glob("*.py") if path.stem in ("memory", "rnn")}
    assert {name for name, found in pages.items() if environment(found, "gpu")} == {"memory"}
