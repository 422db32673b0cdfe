"""Does the page on proteins treat every network alike, and yield what its figures need?"""

from pathlib import Path
from types import ModuleType

import mlx.core as mx
import numpy as np
import pytest

from seqlab.models.sizing import parameters
from seqlab.notebook import Artifact, Measurement, Trial
from seqlab.notebook import discover as pages
from seqlab.notebook.artifacts import panels_of
from seqlab.notebook.metrics import METRICS
from seqlab.tasks import proteins

SMALL = {
    "steps": 2, "batch": 4, "length": 32, "width": 16, "depth": 1, "valid_stride": 100,
    "evaluations": 2, "rate": 1e-3,
}  # fmt: skip


@pytest.fixture(scope="module")
def page() -> ModuleType:
    path = Path(__file__).parents[2] / "experiments" / "protein.py"
    return pages._module(path)  # its functions, which `load` leaves out


@pytest.fixture
def few_chains(monkeypatch: pytest.MonkeyPatch) -> proteins.Proteins:
    """A few chains of each split."""
    data = proteins.load()
    few = proteins.Proteins(train=data.train[:40], valid=data.valid[:8], test=data.test[::12])
    monkeypatch.setattr(proteins, "load", lambda: few)
    return few


def recipe(page: ModuleType, name: str, **changes: object) -> object:
    settings = {**SMALL, "model": name, **changes}
    return page.Recipe(**{field: settings[field] for field in page.Recipe.__dataclass_fields__})


@pytest.mark.parametrize("budget", ["smoke", "quick"])
def test_all_networks_have_as_many_parameters(page: ModuleType, budget: str) -> None:
    settings = page.experiment.settings(page.experiment.budget(budget))
    found = {}
    for name in page.NETWORKS:
        model, _ = recipe(page, name, width=settings["width"], depth=settings["depth"]).start(0)
        found[name] = parameters(model)
    assert all(count == pytest.approx(found[page.ENCODER], rel=0.02) for count in found.values())


def test_all_networks_read_the_same_residues(page: ModuleType) -> None:
    first, *others = (next(recipe(page, name).start(5)[1]) for name in page.NETWORKS)
    for other in others:
        assert all(mx.array_equal(mine, yours) for mine, yours in zip(first, other, strict=True))


def test_padding_does_not_change_the_loss(page: ModuleType) -> None:
    for name in page.NETWORKS:
        padded = recipe(page, name)
        model, _ = padded.start(0)
        chains = proteins.load().test[:3]
        residues, states, real = map(mx.array, proteins.padded(chains, multiple=1))
        longer, other, still = map(mx.array, proteins.padded(chains, multiple=100))
        loss = padded.loss(model, residues, states, real)
        np.testing.assert_allclose(loss, padded.loss(model, longer, other + 7 * ~still, still), rtol=1e-5)


@pytest.mark.parametrize("at_once", [1, 700])
def test_predictions_do_not_depend_on_the_batch(
    page: ModuleType, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "EVALUATION_BATCH", at_once)
    chains = proteins.load().test[:6]
    for name in page.NETWORKS:
        model, _ = recipe(page, name).start(0)
        for chain, predicted in zip(chains, page.predictor(model)(chains), strict=True):
            alone = mx.softmax(model(mx.array(chain.residues)[None]), axis=-1)[0]
            np.testing.assert_allclose(predicted, alone, rtol=1e-4, atol=1e-5)


def test_a_chain_of_all_three_classes_is_drawn(page: ModuleType) -> None:
    chain = page.drawn_chain(proteins.load().test)
    assert 100 <= len(chain) <= 150
    assert np.bincount(chain.classes).min() >= len(chain) / 5


@pytest.mark.parametrize("name", ["encoder", "CNN", "bi-LSTM", "logistic regression"])
def test_a_trial_yields_all_that_the_figures_need(
    page: ModuleType, name: str, few_chains: proteins.Proteins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "drawn_chain", lambda chains: chains[0])
    yielded = list(page.run(Trial("protein", {"model": name}, 0, "smoke", SMALL)))
    (artifact,) = (one for one in yielded if isinstance(one, Artifact))
    (panel,) = panels_of(artifact)
    assert panel.categories == proteins.CLASSES
    assert panel.rows == ("DSSP", name)
    assert panel.matrix[0] == tuple(few_chains.test[0].classes)
    measured = {(one.metric, one.split) for one in yielded if isinstance(one, Measurement)}
    needed = {
        metric
        for figure in page.experiment.figures
        for metric in (*getattr(figure, "metrics", ()), getattr(figure, "y", ""), getattr(figure, "x", ""))
        if metric in METRICS
    }
    network = {"train_steps", "training_time"}
    assert needed - (network if name == page.REGRESSION else set()) <= {metric for metric, _ in measured}
    assert {("q3_accuracy", "valid"), ("q3_accuracy", "test")} <= measured
