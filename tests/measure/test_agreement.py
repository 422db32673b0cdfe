"""Is a fault in each way of reading a sequence found, and is none found where there is none?"""

from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.measure.agreement import Reader, gradient_difference, largest_difference, reading_differences

BATCH, WIDTH, LENGTH = 2, 3, 20


class RunningSum(nn.Module):
    """y_t = w (x_1 + ... + x_t)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = mx.full((WIDTH,), 0.5)

    def __call__(self, x: mx.array) -> mx.array:
        return self.weight * mx.cumsum(x, axis=1)

    def step(self, x: mx.array, total: mx.array) -> tuple[mx.array, mx.array]:
        return self.weight * (total + x), total + x

    def extend(self, x: mx.array, total: mx.array) -> tuple[mx.array, mx.array]:
        return self(x) + self.weight * total[:, None], total + x.sum(axis=1)


def reader(**other: Any) -> Reader:
    model = RunningSum()
    right = Reader(
        model,
        inputs=lambda length: mx.random.normal((BATCH, length, WIDTH)),
        whole=model,
        start=lambda length: mx.zeros((BATCH, WIDTH)),
        step=model.step,
        extend=model.extend,
    )
    return replace(right, **other)


def differences(found: Reader) -> dict[str, float]:
    mx.random.seed(0)
    return dict(reading_differences(found, LENGTH, np.random.default_rng(0)))


def test_equal_ways_agree() -> None:
    found = differences(reader())
    assert found.keys() == {"at once", "steps", "pieces"}
    assert max(found.values()) < 1e-5
    assert gradient_difference(reader(), LENGTH) < 1e-6


def test_a_reader_without_pieces_is_not_asked_for_them() -> None:
    assert differences(reader(extend=None)).keys() == {"at once", "steps"}


def test_a_look_ahead_is_found_at_once_and_in_the_gradient() -> None:
    model = RunningSum()
    ahead = reader(
        model=model, whole=lambda x: model(x) + 0.01 * model.weight * x.mean(axis=1, keepdims=True)
    )
    assert differences(ahead)["at once"] > 1e-4
    assert gradient_difference(ahead, LENGTH) > 1e-4


@pytest.mark.parametrize(("way", "check"), [("step", "steps"), ("extend", "pieces")])
def test_a_lost_state_is_found_where_it_is_lost(way: str, check: str) -> None:
    model = RunningSum()
    read = getattr(model, way)
    found = differences(reader(**{way: lambda x, total: read(x, mx.zeros_like(total))}))
    assert found.pop(check) > 0.1
    assert max(found.values()) < 1e-5


def test_a_difference_is_the_largest_and_absolute() -> None:
    assert largest_difference(mx.array([1.0, 2.0]), np.array([1.5, -1.0])) == 3
