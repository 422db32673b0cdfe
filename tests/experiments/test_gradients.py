"""Does the page on gradients compare networks of one size, and their moments in one training?"""

import pytest

from experiments import gradients
from seqlab.models.sizing import TOLERANCE, parameters
from seqlab.notebook import Measurement, Trial

SETTINGS = {"probes": 2, "length": 10, "batch": 4, "steps": 10, "together": 2, "rate": 0.01}


def trial(moment: str, seed: int) -> list[Measurement]:
    factors = {"part": "learning", "model": "GRU", "moment": moment}
    return list(gradients.run(Trial("gradients", factors, seed, "smoke", SETTINGS)))


def test_all_networks_have_as_many_parameters() -> None:
    sizes = {name: parameters(gradients.Recipe(name, 10, 4, 10).start(0)[0]) for name in gradients.NETWORKS}
    assert max(sizes.values()) <= (1 + TOLERANCE) * sizes[gradients.TRANSFORMER]
    assert min(sizes.values()) >= (1 - TOLERANCE) * sizes[gradients.TRANSFORMER]


def test_all_moments_of_all_seeds_share_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    start = gradients.Recipe.start

    def counted(recipe: gradients.Recipe, seed: int) -> object:
        started.append(seed)
        return start(recipe, seed)

    monkeypatch.setattr(gradients.Recipe, "start", counted)
    found = {(moment, seed): trial(moment, seed) for seed in (0, 1) for moment in gradients.MOMENTS}
    assert started == [0, 1]
    steps = {
        moment: [one.value for one in measured if one.metric == "train_steps"]
        for (moment, seed), measured in found.items()
        if seed == 1
    }
    assert steps == {gradients.BEFORE: [0], gradients.EARLY: [1], gradients.AFTER: [10]}
    limits = {
        moment: [one.value for one in found[moment, 1] if one.metric == "step_limit"]
        for moment in gradients.MOMENTS
    }
    assert limits == steps  # what a rule compares as steps
    slopes = [one.value for measured in found.values() for one in measured if one.metric == "gradient_slope"]
    assert len(set(slopes)) == len(found)  # other weights each time
