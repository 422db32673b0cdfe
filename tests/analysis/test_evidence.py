"""Which values count, and how is each run reduced to one?"""

import pandas as pd
import pytest

from seqlab.analysis.evidence import Evidence
from seqlab.errors import UsageError
from tests.analysis.planted import Done, evidence

RUNS = [
    Done({"model": "GRU", "length": 64}, 0, {"accuracy@test": [0.1, 0.9, 0.7], "step_time": [3.0, 1.0, 2.0]}),
    Done({"model": "GRU", "length": 64}, 1, {"accuracy@test": [0.2, 0.8]}),
    Done({"model": "GRU", "length": 64}, 2, {"accuracy@test": [0.3]}, status="diverged"),
    Done({"model": "baseline"}, 0, {"accuracy@test": 0.5, "gradient_norm": [1.0, 0.5]}),
]


def test_the_last_emitted_value_counts_for_a_metric_over_training_steps():
    found = evidence(RUNS).values("accuracy", split="test", by=["model"])
    assert list(found.columns) == ["model", "seed", "value"]
    assert found.values.tolist() == [["GRU", 0, 0.7], ["GRU", 1, 0.8], ["baseline", 0, 0.5]]


def test_what_a_bad_run_measured_before_it_ended_does_not_count():
    assert set(evidence(RUNS).series("accuracy", "test")) == {0, 1, 3}


def test_repeats_are_reduced_to_their_median():
    assert evidence(RUNS).values("step_time", by=["model"])["value"].tolist() == [2.0]


def test_a_metric_with_its_own_index_needs_step():
    with pytest.raises(UsageError, match=r"expected one value .*, found one for each distance.*'step'"):
        evidence(RUNS).values("gradient_norm", by=["model"])
    found = evidence(RUNS).values("gradient_norm", by=["model", "step"])
    assert found.values.tolist() == [["baseline", 0, 0, 1.0], ["baseline", 1, 0, 0.5]]


def test_every_step_is_kept_when_asked_for_and_the_last_emitted_there_wins():
    runs = evidence(RUNS[:1])
    again = pd.DataFrame([[0, "accuracy", 0.75, "test", 1]], columns=runs.measurements.columns)
    twice = Evidence(runs.runs, pd.concat([runs.measurements, again.astype({"step": "Int64"})]))
    found = twice.values("accuracy", split="test", by=["step"])
    assert found[["step", "value"]].values.tolist() == [[0, 0.1], [1, 0.75], [2, 0.7]]


def test_runs_without_a_factor_of_by_are_left_out():
    assert set(evidence(RUNS).values("accuracy", split="test", by=["model", "length"])["model"]) == {"GRU"}


def test_where_takes_one_level_or_several_and_levels_keep_their_type():
    some = evidence(RUNS)
    assert len(some.values("accuracy", split="test", by=["length"], where={"model": ("GRU", "LSTM")})) == 2
    assert some.values("accuracy", split="test", by=["length"], where={"length": "64"}).empty
    assert len(some.select({"model": "GRU"}).all_runs) == 3
    assert len(some.select({"model": "GRU"}).good_runs) == 2


def test_columns_of_the_runs_table_may_be_asked_for():
    assert set(evidence(RUNS).values("accuracy", split="test", by=["device"])["device"]) == {"cpu (test)"}


def test_nothing_stored_gives_empty_tables():
    empty = Evidence(pd.DataFrame(), pd.DataFrame())
    assert empty.values("loss", by=["model"]).columns.tolist() == ["model", "seed", "value"]
    assert empty.select({"model": "GRU"}).all_runs == ()


def test_an_unknown_metric_is_named():
    with pytest.raises(UsageError, match="Did you mean 'accuracy'"):
        evidence(RUNS).values("acuracy", by=["model"])
