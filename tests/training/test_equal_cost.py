"""Do the steps of equal work and equal time follow from what a step costs?"""

from collections.abc import Iterator
from dataclasses import dataclass

import mlx.core as mx
import pytest
from mlx import nn

from seqlab.notebook import Measurement
from seqlab.training import Batch, equal_cost
from seqlab.training.equal_cost import (
    STEPS,
    TIME,
    WORK,
    step_time_ratio,
    step_work,
    steps_at,
    steps_of_equal_time,
    steps_of_equal_work,
)


@dataclass(frozen=True)
class Recipe:
    """A linear map of `width` features."""

    width: int
    steps: int = 100

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        return nn.Linear(self.width, self.width), iter([(mx.ones((4, self.width)),)])

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        return mx.mean(model(*batch) ** 2)

    def validate(self, model: nn.Module) -> list[Measurement]:
        return []


def test_equal_work_is_that_of_the_reference() -> None:
    wide, narrow = Recipe(32), Recipe(8)
    steps = steps_of_equal_work(narrow, wide)
    assert steps > 100
    assert steps * step_work(narrow) == pytest.approx(100 * step_work(wide), rel=0.01)
    assert steps_of_equal_work(wide, wide) == 100
    assert steps_of_equal_work(Recipe(32), Recipe(1, steps=1)) == 1


def test_equal_time_follows_from_the_times_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equal_cost, "BLOCKS", 1)
    assert step_time_ratio(Recipe(16), Recipe(8)) > 0
    monkeypatch.setattr(equal_cost, "step_time_ratio", lambda recipe, reference: 4.0)
    assert steps_of_equal_time(Recipe(16), Recipe(8)) == 25


def test_steps_are_those_of_what_is_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    wide, narrow = Recipe(32), Recipe(8)
    assert steps_at(STEPS, narrow, wide) == 100
    assert steps_at(WORK, narrow, wide) == steps_of_equal_work(narrow, wide) > 100
    monkeypatch.setattr(equal_cost, "step_time_ratio", lambda recipe, reference: 4.0)
    assert steps_at(TIME, narrow, wide) == 25
    assert steps_at(TIME, wide, wide) == 100
