"""Which runs' artifacts are shown? The first good seed's of each point, in the page's order."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seqlab.analysis.artifacts import select_artifacts
from seqlab.analysis.findings import PageFindings, analyse_pages
from seqlab.notebook.artifacts import Artifact
from seqlab.notebook.experiment import Budget, Experiment, Trial, grid
from seqlab.notebook.figures import TextSamples
from seqlab.store.database import Run, Status, Store

PAGE = Experiment(
    run=lambda trial: iter(()),
    budgets=(Budget("quick", grid(model=("Transformer", "LSTM"), length=(8, 64), seeds=3)),),
    name="planted",
)


def planted(store: Store, *failed: tuple[str, int, int]) -> PageFindings:
    """The page with all its trials run, seed 2 first; texts say whose they are, and only some have notes."""
    numbers = []
    for seed in (2, 1, 0):
        for point in PAGE.budgets[0].points:
            model, length = str(point.factors["model"]), int(point.factors["length"])
            status: Status = "failed" if (model, length, seed) in failed else "ok"
            texts = [Artifact.text("text", f"{model} {length} {seed}")]
            texts += [Artifact.text("note", "a note")] if (model, seed) == ("LSTM", 1) else []
            trial = Trial("planted", point.factors, seed, "quick", {})
            run = Run(trial, status, 1.0, datetime.now(UTC), "cpu", "0", "f", {}, (), tuple(texts))
            numbers.append(store.add(run))
    [found] = analyse_pages([(replace(PAGE), [])], {"planted": numbers}, store)
    return found


@pytest.mark.parametrize(
    ("where", "failed", "expected"),
    [
        ({}, (), ["Transformer 8 0", "Transformer 64 0", "LSTM 8 0", "LSTM 64 0"]),
        ({"length": 64}, (("LSTM", 64, 0),), ["Transformer 64 0", "LSTM 64 1"]),
        ({"length": (8, 9), "model": "LSTM"}, (), ["LSTM 8 0"]),
        ({"model": "LSTM", "length": 8}, tuple(("LSTM", 8, seed) for seed in range(3)), []),
    ],
)
def test_each_point_shows_its_first_good_seed(
    tmp_path: Path, where: dict[str, object], failed: tuple[tuple[str, int, int], ...], expected: list[str]
) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        figure = TextSamples(artifact="text", by=("model",), where=where, caption="")  # type: ignore[arg-type]
        chosen = select_artifacts(planted(store, *failed).evidence, figure, store)
    assert [one.artifact.data.decode() for one in chosen] == expected
    assert [dict(one.levels) for one in chosen] == [{"model": text.split()[0]} for text in expected]


def test_a_later_seed_never_stands_in_for_the_first(tmp_path: Path) -> None:
    with Store(tmp_path / "seqlab.db") as store:
        found = planted(store)
        assert select_artifacts(found.evidence, TextSamples(artifact="note", caption=""), store) == ()


def test_nothing_is_read_before_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "artifacts", None)
    with Store(tmp_path / "seqlab.db") as store:
        assert len(planted(store).evidence.good_runs) == 12
