"""Do seeds that learn side by side learn what they would have learnt one by one, and is none mixed up?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.errors import DivergedError
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.training.rates import TunedRate
from seqlab.training.recipes import train
from seqlab.training.step import Batch

TUNED = TunedRate(0.05, (0.05, 0.1), 12)


@dataclass(frozen=True)
class Doubling:
    """A line through the origin learns to double; `poison` is the seed whose numbers are not finite."""

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


def learnt(recipe: Doubling, seed: int, together: int) -> tuple[list[Measurement], nn.Module]:
    settings = {"steps": recipe.steps, "rate": 0.0, "together": together}
    recipes = train(Trial("page", {}, seed, "smoke", settings), recipe, TUNED)
    told = []
    while True:
        try:
            told.append(next(recipes))
        except StopIteration as end:
            return told, end.value


def test_together_as_one_by_one() -> None:
    for seed in range(3):
        alone, single = learnt(Doubling(), seed, 1)
        together, one_of_three = learnt(Doubling(), seed, 3)
        np.testing.assert_allclose(one_of_three.weight, single.weight, rtol=1e-4)
        assert [(one.metric, one.split, one.step) for one in together] == [
            (one.metric, one.split, one.step) for one in alone
        ]
        for one, other in zip(together, alone, strict=True):
            if one.metric != "training_time":
                assert one.value == pytest.approx(other.value, rel=1e-3)


def test_one_training_serves_all_seeds_of_a_group() -> None:
    recipe = Doubling(steps=13)
    weights = {seed: learnt(recipe, seed, 2)[1].weight.item() for seed in range(4)}
    assert recipe.starts == [0, 1, 2, 3]
    assert len(set(weights.values())) == 4


def test_a_seed_that_diverges_fails_alone() -> None:
    recipe = Doubling(steps=14, poison=1)
    told, _ = learnt(recipe, 0, 2)
    assert told[-1].metric == "train_steps"
    with pytest.raises(DivergedError, match="training step 1"):
        learnt(recipe, 1, 2)
