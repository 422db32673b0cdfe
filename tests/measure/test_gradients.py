"""Gradients by distance, and which outputs depend on which inputs, on maps whose answers are known."""

from collections.abc import Callable

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.measure.gradients import (
    answer_gradient,
    connected_pairs,
    decades_per_step,
    future_influence,
    influence,
    influences,
    norm_by_distance,
    norm_through,
)


def decaying(rate: float) -> Callable[[mx.array], mx.array]:
    """h_t = rate * h_{t-1} + x_t."""

    def recurrence(x: mx.array) -> mx.array:
        h = mx.zeros_like(x[:, 0])
        states = []
        for t in range(x.shape[1]):
            h = rate * h + x[:, t]
            states.append(h)
        return mx.stack(states, axis=1)

    return recurrence


@pytest.mark.parametrize("rate", [0.5, 1.0, 1.5])
def test_in_a_linear_recurrence_the_gradient_decays_by_its_rate(rate: float) -> None:
    rng = np.random.default_rng(0)
    norms = norm_by_distance(decaying(rate), length=20, width=3, batch=2, rng=rng)
    np.testing.assert_allclose(norms, rate ** np.arange(20), rtol=1e-5)


def test_gradients_whose_squares_underflow_are_still_measured() -> None:
    rng = np.random.default_rng(0)
    norms = norm_by_distance(decaying(0.1), length=36, width=2, batch=2, rng=rng)
    np.testing.assert_allclose(np.log10(norms), -np.arange(36.0), atol=1e-3)


@pytest.mark.parametrize("first", [0, 1, 3])
def test_the_trend_is_that_from_distance_one_on(first: int) -> None:
    """A drop at distance 0, as of a residual path, is left out."""
    distances = np.arange(first, 9)
    norms = np.where(distances == 0, 1e6, 10.0 ** (-0.25 * distances))
    assert decades_per_step(distances, norms) == pytest.approx(-0.25)


def test_no_influence_at_all_has_a_finite_logarithm() -> None:
    norms = norm_by_distance(lambda x: x * 2, length=4, width=2, batch=2, rng=np.random.default_rng(0))
    assert norms[0] == 1
    assert np.all((norms[1:] > 0) & (norms[1:] < 1e-36))


def test_a_causal_map_does_not_depend_on_the_future() -> None:
    rng = np.random.default_rng(0)
    x = mx.array(rng.standard_normal((2, 6, 3)), dtype=mx.float32)
    causal = decaying(0.5)
    assert future_influence(causal, x, rng) == 0
    np.testing.assert_array_equal(connected_pairs(causal, x, rng), np.tri(6, dtype=bool))
    assert future_influence(lambda x: causal(x[:, ::-1]), x, rng) > 0


def test_one_leak_from_the_future_is_found() -> None:
    rng = np.random.default_rng(0)
    x = mx.array(rng.standard_normal((1, 5, 2)), dtype=mx.float32)

    def leaky(x: mx.array) -> mx.array:
        return x.at[:, 1].add(0.25 * x[:, 4])

    pairs = connected_pairs(leaky, x, rng)
    assert sorted(zip(*np.nonzero(pairs), strict=True)) == [(0, 0), (1, 1), (1, 4), (2, 2), (3, 3), (4, 4)]
    found = influence(leaky, x, 1, rng)
    assert found[4] == pytest.approx(0.25 * found[1])
    assert future_influence(leaky, x, rng) > 0


def test_a_row_of_influences_is_that_of_its_output() -> None:
    x = mx.random.normal((1, 4, 1))
    found = influences(decaying(0.5), x, np.random.default_rng(0))
    np.testing.assert_allclose(found[3] / found[3, 3], [0.125, 0.25, 0.5, 1], rtol=1e-5)
    np.testing.assert_array_equal(found > 0, np.tri(4, dtype=bool))


def last_of_decaying(x: mx.array) -> mx.array:
    return decaying(0.5)(mx.tanh(x))[:, -1]


def test_an_answer_has_the_gradient_of_its_cross_entropy_but_for_how_wrong_it_is() -> None:
    x = mx.array(np.random.default_rng(0).standard_normal((3, 7, 4)), dtype=mx.float32)
    answers = mx.array([0, 3, 1])
    entropy = nn.losses.cross_entropy(last_of_decaying(x), answers)
    slope = mx.grad(lambda x: nn.losses.cross_entropy(last_of_decaying(x), answers, reduction="sum"))(x)
    for place in (0, 5):
        expected = mx.linalg.norm(slope[:, place], axis=-1) / (1 - mx.exp(-entropy))
        found = answer_gradient(last_of_decaying, x, answers, place)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_certain_answer_still_has_a_gradient() -> None:
    """The loss is 0 in single precision, and so is all of its gradient."""
    x, answers = mx.ones((1, 6, 2)), mx.array([0])

    def sure(x: mx.array) -> mx.array:
        return decaying(0.5)(x)[:, -1] * mx.array([1e3, -1e3])

    assert nn.losses.cross_entropy(sure(x), answers).item() == 0
    norms = [answer_gradient(sure, x, answers, place).item() for place in range(6)]
    np.testing.assert_allclose(norms, np.sqrt(2) * 1e3 * 0.5 ** np.arange(5, -1, -1), rtol=1e-5)


@pytest.mark.parametrize("layers", [1, 3])
def test_layers_that_shrink_are_seen_from_above_and_below(layers: int) -> None:
    def shrinking(x: mx.array) -> mx.array:
        for _ in range(layers):
            x = 0.1 * x
        return x

    found = norm_through(shrinking, length=5, width=3, batch=2, rng=np.random.default_rng(0))
    assert found == pytest.approx(0.1**layers, rel=1e-5)


def test_a_gradient_that_does_not_arrive_has_a_finite_logarithm() -> None:
    rng = np.random.default_rng(0)
    assert 0 < norm_through(lambda x: x * 0, length=2, width=2, batch=1, rng=rng) < 1e-36
