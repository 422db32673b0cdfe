"""Do seeds trained side by side end where each would alone, is none mixed up, and is a training shared?"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.errors import DivergedError
from seqlab.notebook.experiment import TUNING_SEED, Trial
from seqlab.notebook.metrics import Measurement
from seqlab.training import tried
from seqlab.training.recipes import TrainedModel, train, train_once
from seqlab.training.step import Batch
from seqlab.training.tried import TriedRates

Returned = TypeVar("Returned")


@dataclass(frozen=True)
class Doubling:
    """A line through the origin learns to double; the data of the seed `poison` are not finite."""

    steps: int = 12
    poison: int = -1
    starts: list[int] = field(default_factory=list, compare=False)

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        self.starts.append(seed)
        mx.random.seed(seed)
        return nn.Linear(1, 1, bias=False), self.batches(seed)

    def batches(self, seed: int) -> Iterator[Batch]:
        rng = np.random.default_rng(seed)
        while True:
            x = rng.normal(size=(8, 1)).astype(np.float32) * (np.nan if seed == self.poison else 1)
            yield mx.array(x), mx.array(2 * x)

    def loss(self, model: nn.Module, x: mx.array, y: mx.array) -> mx.array:
        return mx.mean((model(x) - y) ** 2)

    def validate(self, model: nn.Module) -> Iterable[Measurement]:
        return [Measurement("mse", float((model.weight.item() - 2) ** 2), "valid")]


def finished(training: Generator[Measurement, None, Returned]) -> tuple[list[Measurement], Returned]:
    """What a training yields, and what it returns."""
    measured = []
    while True:
        try:
            measured.append(next(training))
        except StopIteration as end:
            return measured, end.value


def asked(recipe: Doubling, seed: int, **settings: float) -> Trial:
    return Trial("page", {}, seed, "smoke", {"steps": recipe.steps, "rate": 0.05, **settings})


def trained(recipe: Doubling, seed: int, together: int) -> tuple[list[Measurement], nn.Module]:
    return finished(train(asked(recipe, seed, together=together), recipe))


def trained_once(
    recipe: Doubling, seed: int, together: int, **options: object
) -> tuple[list[Measurement], TrainedModel]:
    return finished(train_once(asked(recipe, seed, together=together), recipe, **options))


def test_together_as_one_by_one() -> None:
    for seed in range(3):
        alone, single = trained(Doubling(), seed, 1)
        together, one_of_three = trained(Doubling(), seed, 3)
        np.testing.assert_allclose(one_of_three.weight, single.weight, rtol=1e-4)
        assert [(one.metric, one.split, one.step) for one in together] == [
            (one.metric, one.split, one.step) for one in alone
        ]
        for one, other in zip(together, alone, strict=True):
            if one.metric != "training_time":
                assert one.value == pytest.approx(other.value, rel=1e-3)


def test_one_training_serves_all_seeds_of_a_group() -> None:
    recipe = Doubling(steps=13)
    weights = {seed: trained(recipe, seed, 2)[1].weight.item() for seed in range(4)}
    assert recipe.starts == [0, 1, 2, 3]
    assert len(set(weights.values())) == 4


def test_a_seed_that_diverges_fails_alone() -> None:
    recipe = Doubling(steps=14, poison=1)
    measured, _ = trained(recipe, 0, 2)
    assert measured[-1].metric == "step_limit"
    with pytest.raises(DivergedError, match="training step 1"):
        trained(recipe, 1, 2)


@pytest.mark.parametrize("together", [1, 2])
def test_trials_that_ask_for_the_same_share_a_training(together: int) -> None:
    recipe = Doubling(steps=15)
    found = [trained_once(recipe, 0, together)[1] for _ in range(2)]
    assert found[0] is found[1]
    assert recipe.starts == list(range(together))
    measured, model = trained(Doubling(steps=15), 0, 1)
    assert found[0].model.weight.item() == pytest.approx(model.weight.item(), rel=1e-4)
    assert [one.metric for one in (*measured[:1], *found[0].measurements)] == [
        one.metric for one in measured if one.metric != "parameters"
    ]


@pytest.mark.parametrize("together", [1, 2])
def test_snapshots_are_the_weights_after_their_steps(together: int) -> None:
    """Trainings of fewer steps would have another schedule, so the validation says what the weights were."""
    recipe = Doubling(steps=16)
    _, found = trained_once(
        recipe, 1, together, snapshots=(0, 4, 16), evaluations=4, keep_best=False, warmup_steps=0
    )
    errors = {one.step: one.value for one in found.measurements if one.split == "valid"}
    weights = {step: found.at(step).weight.item() for step in (16, 0, 4)}
    assert (weights[4] - 2) ** 2 == pytest.approx(errors[4])
    assert (weights[16] - 2) ** 2 == pytest.approx(errors[16])
    assert weights[0] == pytest.approx(Doubling().start(1)[0].weight.item())


@pytest.mark.parametrize("together", [1, 2])
def test_a_training_that_diverged_says_so_when_asked(together: int) -> None:
    _, found = trained_once(Doubling(steps=17, poison=1), 1, together)
    with pytest.raises(DivergedError, match="training step 1"):
        found.check()
    assert "train_steps" not in {one.metric for one in found.measurements}


def test_a_training_that_ends_when_it_is_finished_is_never_side_by_side() -> None:
    recipe = Doubling(steps=100)
    measured, _ = finished(train(asked(recipe, 0, together=3), recipe, evaluations=20, min_gain=10.0))
    values = {one.metric: one.value for one in measured}
    assert recipe.starts == [0]
    assert values["train_steps"] < values["step_limit"] == 100


def test_a_trial_without_a_rate_searches() -> None:
    recipe = Doubling(steps=18)
    measured, _ = finished(train_once(asked(recipe, 0, rate=0.0, tuning=3), recipe))
    rates = [one.value for one in measured if one.metric == "tried_rate"]
    assert len(rates) == 3
    assert recipe.starts == [TUNING_SEED] * 3 + [0]


def test_a_trial_takes_the_best_of_the_rates_that_were_tried_before(tmp_path: Path) -> None:
    recipe = Doubling(steps=19)
    trial = asked(recipe, 0, rate=0.0)
    rows = [({}, trial.settings, 0.03, 2.0), ({}, trial.settings, 0.1, 1.0), ({}, {"batch": 7}, 1.0, 0.0)]
    tried.write(tmp_path / "rates" / "page.csv", (), rows)
    record = TriedRates.beside(str(tmp_path / "page.py"))
    measured, _ = finished(train(trial, recipe, record))
    values = {one.metric: one.value for one in measured if one.split != "valid"}
    assert (values["learning_rate"], values["tuning_trials"]) == (0.1, 2)
    assert [one.value for one in measured if one.metric == "tuning_score"] == [2.0, 1.0]
    assert recipe.starts == [0]  # nothing was searched
