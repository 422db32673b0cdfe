"""Do charts and tables get the means and intervals that the verdicts would?"""

import math

import pytest

from seqlab.analysis.intervals import interval
from seqlab.analysis.summaries import samples, summarise
from tests.analysis.planted import Done, evidence


def test_one_row_a_combination_of_levels():
    values = {"GRU": [0.3, 0.2, 0.4], "LSTM": [0.5, 0.7, 0.6]}
    runs = [
        Done({"model": model}, seed, {"accuracy@test": value})
        for model, found in values.items()
        for seed, value in enumerate(found)
    ]
    table = summarise(evidence(runs), "accuracy", split="test", by=["model"])
    assert list(table.columns) == ["model", "estimate", "low", "high", "n"]
    for row in table.itertuples():
        expected = interval(values[row.model])
        assert (row.estimate, row.low, row.high) == (expected.estimate, expected.low, expected.high)
        assert row.n == 3


def test_ratios_have_a_geometric_mean():
    runs = [Done({"model": "GRU"}, seed, {"parameters": value}) for seed, value in enumerate([1.0, 100.0])]
    assert summarise(evidence(runs), "parameters", by=["model"])["estimate"].tolist() == pytest.approx([10.0])


def test_one_seed_or_two_have_no_interval_but_an_estimate():
    for values in ([1.5], [1.0, 2.0]):
        runs = [Done({"model": "GRU"}, seed, {"loss@test": value}) for seed, value in enumerate(values)]
        row = summarise(evidence(runs), "loss", split="test", by=["model"])
        assert row["estimate"].tolist() == [1.5]
        assert math.isnan(row["low"].iloc[0])
        assert math.isnan(row["high"].iloc[0])
        assert row["n"].tolist() == [len(values)]


def test_no_bound_lies_beyond_what_the_metric_can_be():
    values = [0.5, 0.9, 1.0]
    runs = [Done({"model": "GRU"}, seed, {"accuracy@test": value}) for seed, value in enumerate(values)]
    row = summarise(evidence(runs), "accuracy", split="test", by=["model"]).iloc[0]
    assert interval(values).high > 1
    assert (row["low"], row["high"]) == (interval(values).low, 1.0)


def test_another_factor_is_averaged_within_a_seed_and_never_counted_as_seeds():
    runs = [
        Done({"model": "GRU", "length": length}, seed, {"accuracy@test": length / 100 + seed})
        for length in (10, 30)
        for seed in range(2)
    ]
    found = samples(evidence(runs), "accuracy", split="test", by=["model"])
    assert found[["model", "seed"]].values.tolist() == [["GRU", 0], ["GRU", 1]]
    assert found["value"].tolist() == pytest.approx([0.2, 1.2])
    assert summarise(evidence(runs), "accuracy", split="test", by=["model"])["n"].tolist() == [2]


def test_a_curve_over_steps_keeps_every_step():
    runs = [Done({"model": "GRU"}, seed, {"loss@train": [3.0 + seed, 2.0 + seed]}) for seed in range(2)]
    table = summarise(evidence(runs), "loss", split="train", by=["model", "step"])
    assert table[["step", "estimate"]].values.tolist() == [[0, 3.5], [1, 2.5]]


def test_nothing_measured_gives_an_empty_table_with_its_columns():
    table = summarise(evidence([Done({"model": "GRU"}, 0)]), "loss", by=["model"])
    assert table.empty
    assert list(table.columns) == ["model", "estimate", "low", "high", "n"]
