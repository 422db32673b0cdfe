"""Which figures of a page are left to show? Those for which a trial was planned."""

from dataclasses import replace
from pathlib import Path

import pytest

from seqlab.analysis.findings import analyse_pages
from seqlab.notebook.experiment import Budget, Experiment, Trial, grid
from seqlab.notebook.figures import Table
from seqlab.store.database import Store

TABLES = tuple(
    Table(rows=("model",), metrics=("accuracy",), where=where, caption=caption)
    for caption, where in (
        ("all", {}),
        ("one", {"model": "LSTM"}),
        ("some", {"model": ("LSTM", "GRU")}),
        ("wide", {"width": 64}),
    )
)
PAGE = Experiment(
    run=lambda trial: iter(()),
    budgets=(Budget("full", grid(model=("LSTM", "GRU"), width=(32, 64), seeds=1)),),
    figures=TABLES,
    name="planted",
)


@pytest.mark.parametrize(
    ("planned", "shown"),
    [
        ([{"model": "GRU", "width": 32}], ["all", "some"]),
        ([{"model": "LSTM", "width": 64}], ["all", "one", "some", "wide"]),
        ([{"model": "LSTM", "width": 32}, {"model": "GRU", "width": 64}], ["all", "one", "some", "wide"]),
        ([], ["all", "one", "some", "wide"]),
    ],
)
def test_a_figure_without_a_planned_trial_is_left_out(
    tmp_path: Path, planned: list[dict[str, str | int]], shown: list[str]
) -> None:
    trials = [Trial("planted", factors, 0, "quick", {}) for factors in planned]
    with Store(tmp_path / "seqlab.db") as store:
        [found] = analyse_pages([(replace(PAGE), trials)], {"planted": []}, store)
    assert [figure.caption for figure in found.experiment.figures] == shown
