"""Does the chapter on images treat every model alike, and draw attention where it belongs?"""

from collections import Counter
from pathlib import Path
from types import ModuleType

import mlx.core as mx
import numpy as np
import pytest

from seqlab.models.sizing import parameters
from seqlab.notebook import Artifact, Trial
from seqlab.notebook import discover as pages
from seqlab.notebook.artifacts import panels_of
from seqlab.running.plan import Request, trials

SMALL = {"steps": 3, "batch": 16, "width": 32, "depth": 2, "patch": 7, "rate": 1e-3}
UNCHANGED = {"shift": 0.0, "turn": 0.0}


@pytest.fixture(scope="module")
def page() -> ModuleType:
    path = Path(__file__).parents[2] / "experiments" / "vit.py"
    return pages._module(path)  # its functions, which `load` leaves out


def recipe(page: ModuleType, **changes: object) -> object:
    settings = {**SMALL, **UNCHANGED, "data": "digits", "model": page.VIT, "fraction": 0.1, **changes}
    return page.Recipe(**{name: settings[name] for name in page.Recipe.__dataclass_fields__})


def asked(page: ModuleType, budget: str, **changes: str) -> tuple[Trial, ...]:
    return trials(page.experiment, Request(budget=budget, changes=changes))


def test_all_networks_have_as_many_parameters(page: ModuleType) -> None:
    found = {}
    for name in page.CLASSIFIERS:
        one = recipe(
            page, model=name, **{k: page.experiment.protocol[k] for k in ("width", "depth", "patch")}
        )
        found[name] = parameters(one.start(0)[0])
    assert max(found.values()) <= 1.02 * min(found.values()), found


def test_all_networks_of_a_seed_train_on_the_same_batches(page: ModuleType) -> None:
    drawn = {}
    for name in page.CLASSIFIERS:
        batches = recipe(page, model=name, shift=1.0, turn=5.0).start(7)[1]
        drawn[name] = [np.array(next(batches)[0]) for _ in range(3)]
    for images in drawn.values():
        np.testing.assert_array_equal(images, drawn[page.CNN])
    other = next(recipe(page, shift=1.0, turn=5.0).start(8)[1])[0]
    assert not np.array_equal(other, drawn[page.CNN][0])


def test_batches_hold_only_training_images_of_the_fraction(page: ModuleType) -> None:
    some = page.subset("digits", 0.01, 4).train
    training = {image.tobytes() for image in some.images}
    batches = recipe(page, fraction=0.01, batch=64).start(4)[1]
    for _ in range(3):
        images = np.array(next(batches)[0])
        assert len(images) == len(some.labels) == 40
        assert {image.tobytes() for image in images} <= training


def test_images_are_augmented_only_where_asked(page: ModuleType) -> None:
    still, moved = (np.array(next(recipe(page, shift=shift).batches(1))[0]) for shift in (0.0, 2.0))
    assert not np.array_equal(still, moved)
    np.testing.assert_allclose(moved.sum(), still.sum(), rtol=0.2)


@pytest.mark.parametrize("budget", ["quick", "full"])
def test_both_sides_of_every_claim_have_enough_seeds_in_every_cell(page: ModuleType, budget: str) -> None:
    planned = Counter(
        (trial.factors["data"], trial.factors["fraction"], trial.factors["model"])
        for trial in asked(page, budget)
    )
    cells = {key[:2] for key in planned}
    assert len(cells) == {"quick": 3, "full": 6}[budget]
    for claim in page.experiment.claims:
        for cell in cells:
            for side in (claim.rule.left, *claim.rule.opponents):
                once = side["model"] == page.LOGISTIC and cell[1] == 1
                least = 1 if once else claim.rule.seeds
                assert planned[*cell, side["model"]] >= least, (cell, side)


def test_only_the_full_budget_asks_for_a_download(page: ModuleType) -> None:
    for budget, expected in (("smoke", {"digits"}), ("quick", {"digits"}), ("full", {"digits", "fashion"})):
        assert {trial.factors["data"] for trial in asked(page, budget)} == expected
    assert {trial.factors["data"] for trial in asked(page, "quick", data="fashion")} == {"fashion"}


def test_a_trial_yields_the_scores_and_attention_maps_of_the_chapter(page: ModuleType) -> None:
    trial = Trial(
        "vit", {"data": "digits", "model": page.VIT, "fraction": 1.0}, 0, "quick", {**SMALL, **UNCHANGED}
    )
    yielded = list(page.run(trial))
    artifacts = [one for one in yielded if isinstance(one, Artifact)]
    numbers = [one for one in yielded if not isinstance(one, Artifact)]
    assert [one.split for one in numbers if one.metric == "accuracy"][-1] == "test"
    assert sum(one.split == "test" for one in numbers) == 1
    found = {one.metric: one.value for one in numbers}
    assert found["train_examples"] == 3_500
    assert found["train_steps"] == 3
    assert {"parameters", "step_flops", "tuning_trials", "training_time"} <= found.keys()
    [maps] = artifacts
    panels = panels_of(maps)
    assert [panel.title.split(",")[0] for panel in panels] == list(map(str, page.MAPPED))
    for panel in panels:
        assert np.shape(panel.matrix) == (28, 28)
        assert 0 <= np.min(panel.matrix) < np.max(panel.matrix) <= 1
        assert np.mean(panel.over) == pytest.approx(1, abs=1e-3)  # relative to an even share
        assert len(np.unique(panel.over)) <= 16  # a patch is of one shade


def test_attention_lies_over_the_patch_that_receives_it(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All attention to the third patch of the second row of four: rows 7 to 13, columns 14 to 20."""
    model, _ = recipe(page).start(0)
    pointed = mx.zeros((1, 1, 4, 16, 16)).at[..., 6].add(1)
    monkeypatch.setattr(type(model), "attention", lambda self, images: pointed)
    over = np.array(next(page.attention_maps(model, "digits")).over)
    bright = np.argwhere(over > 1)
    assert bright.min(axis=0).tolist() == [7, 14]
    assert bright.max(axis=0).tolist() == [13, 20]
    assert len(bright) == 49


@pytest.mark.slow  # it imports scikit-learn
def test_the_classical_baseline_learns_from_the_same_fraction(page: ModuleType) -> None:
    trial = Trial("vit", {"data": "digits", "model": page.LOGISTIC, "fraction": 0.01}, 3, "quick", {})
    found = {(one.metric, one.split): one.value for one in page.run(trial)}
    assert found["train_examples", ""] == 40
    assert 0.4 < found["accuracy", "valid"] < 0.85
    assert 0.4 < found["accuracy", "test"] < 0.85
