"""Is the record of the rates that were tried read as it was written, and refused where it is none?"""

from pathlib import Path

import pytest

from seqlab.errors import UsageError
from seqlab.notebook.experiment import Trial
from seqlab.training.tried import TriedRates, best_rate, write

SETTINGS = {"batch": 8, "steps": 100, "rate": 0.0, "together": 5}


def trial(model: str, **settings: float) -> Trial:
    return Trial("page", {"model": model, "fraction": 0.1}, 0, "quick", SETTINGS | settings)


@pytest.fixture
def record(tmp_path: Path) -> TriedRates:
    rows = [
        ({"model": "ViT", "fraction": 0.1}, SETTINGS, 0.003, 2.5),
        ({"model": "ViT", "fraction": 0.1}, SETTINGS, 0.01, -1.0),
        ({"model": "ViT", "fraction": 0.1}, SETTINGS, 0.03, float("inf")),
        ({"model": "ViT", "fraction": 1.0}, SETTINGS, 0.1, -9.0),
        ({"model": "CNN", "fraction": 0.1}, SETTINGS, 0.03, float("inf")),
    ]
    write(tmp_path / "rates" / "page.csv", ("model", "fraction"), rows)
    return TriedRates.beside(str(tmp_path / "page.py"))


def test_the_best_rate_of_the_network_and_all_that_were_tried(record: TriedRates) -> None:
    found = record.search(trial("ViT"))
    assert found is not None
    assert (found.rate, found.tried) == (0.01, ((0.003, 2.5), (0.01, -1.0), (0.03, float("inf"))))


def test_the_length_of_the_training_does_not_matter(record: TriedRates) -> None:
    assert record.search(trial("ViT", together=1, tuning=3, steps=200, evaluations=7)) == record.search(
        trial("ViT")
    )


@pytest.mark.parametrize(
    "other",
    [trial("ViT", batch=16), trial("LSTM"), trial("CNN")],
    ids=["other settings", "not tried", "all diverged"],
)
def test_nothing_is_known_of_anything_else(other: Trial, record: TriedRates) -> None:
    assert record.search(other) is None


def test_of_rates_that_do_alike_the_lowest_is_taken() -> None:
    solved = [(0.001, 8e-3), (0.003, 1e-3), (0.01, 3e-5), (0.1, 2e-7), (1.0, 0.0), (3.0, float("inf"))]
    assert best_rate(solved) == 0.1
    assert best_rate([(0.01, 0.5), (0.03, 0.1), (0.1, 0.05)]) == 0.1
    assert best_rate([(0.01, 0.5)]) == 0.01


def test_a_record_may_be_missing(tmp_path: Path) -> None:
    assert TriedRates.beside(str(tmp_path / "page.py")).search(trial("ViT")) is None


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rates").mkdir()
    (tmp_path / "rates" / "page.csv").write_text("model,speed\nViT,3\n")
    with pytest.raises(UsageError, match=r"expected the columns settings, rate and score in .*page\.csv"):
        TriedRates.beside(str(tmp_path / "page.py")).search(trial("ViT"))
