"""Shared parts: splitting time, scans, activations, series and checks."""

import re
from contextlib import nullcontext
from pathlib import Path
from shutil import which

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.errors import UsageError
from seqlab.machine import kernels
from seqlab.machine.kernels import MAX_SPLIT
from seqlab.models import rnn
from seqlab.models.parts.activations import bounded, fused_tanh, gelu, rational_sigmoid, rational_tanh
from seqlab.models.parts.checks import check_choice, check_tokens
from seqlab.models.parts.recurrence import unbind_steps
from seqlab.models.parts.scan import SCANS, loop
from seqlab.models.parts.series import NORMALISATIONS, join_channels, normalise, split_channels


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 150), axis=st.sampled_from([0, 1]))
def test_unbind_steps_are_the_slices_in_order(length: int, axis: int) -> None:
    x = mx.arange(length * 2).reshape(length, 2)
    steps = unbind_steps(x if axis == 0 else x.T, axis=axis)
    assert len(steps) == length
    np.testing.assert_array_equal(mx.stack(steps), x)


def test_unbind_steps_splits_into_few_parts_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    split, most = mx.split, []

    def counted(*args, **kwargs):
        parts = split(*args, **kwargs)
        most.append(len(parts))
        return parts

    monkeypatch.setattr(mx, "split", counted)
    unbind_steps(mx.zeros((300, 1)), axis=0)
    assert max(most) <= MAX_SPLIT


@pytest.mark.parametrize("name", ["doubling", "chunked"])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 16, 17, 50])
def test_a_scan_equals_the_loop_in_values_and_gradients(name: str, length: int) -> None:
    a = mx.sigmoid(mx.random.normal((2, length, 3)))
    b, weights = mx.random.normal((2, length, 3)), mx.random.normal((2, length, 3))

    def results(scan):
        def weighted(a: mx.array, b: mx.array) -> mx.array:
            return mx.sum(weights * scan(a, b))

        return scan(a, b), *mx.grad(weighted, argnums=(0, 1))(a, b)

    for found, expected in zip(results(SCANS[name]), results(loop), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_loop_is_the_recurrence() -> None:
    a, b = mx.random.normal((1, 30, 2)), mx.random.normal((1, 30, 2))
    h = np.zeros(2)
    for t, found in enumerate(loop(a, b)[0]):
        h = np.array(a[0, t], np.float64) * h + np.array(b[0, t], np.float64)
        np.testing.assert_allclose(found, h, rtol=1e-4, atol=1e-5)


def test_rational_tanh_and_its_gradient() -> None:
    x = mx.linspace(-30, 30, 200_001)
    exact = np.tanh(np.array(x, np.float64))
    np.testing.assert_allclose(rational_tanh(x), exact, rtol=0, atol=1e-6)
    gradient = mx.grad(lambda x: rational_tanh(x).sum())(x)
    np.testing.assert_allclose(gradient, 1 - exact**2, rtol=0, atol=2e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_rational_sigmoid_and_its_gradient(compiled: bool) -> None:
    x = mx.linspace(-60, 60, 200_001)
    exact = 1 / (1 + np.exp(-np.array(x, np.float64)))
    with kernels.compiling() if compiled else nullcontext():
        found, gradient = rational_sigmoid(x), mx.grad(lambda x: rational_sigmoid(x).sum())(x)
    np.testing.assert_allclose(found, exact, rtol=0, atol=3e-7)
    assert mx.min(found).item() >= 0
    assert mx.max(found).item() <= 1
    np.testing.assert_allclose(gradient, exact * (1 - exact), rtol=0, atol=5e-7)


def test_bounded_without_comparisons_is_exact_inside_and_keeps_nan() -> None:
    x = mx.concatenate([mx.linspace(-7.9, 7.9, 100_001), mx.array([1e-30, -1e-30, 0.0])])
    beyond = mx.array([8.0, 50.0, 1e4, 1e6])
    with kernels.compiling():
        np.testing.assert_array_equal(bounded(x), x)
        np.testing.assert_allclose(
            fused_tanh(mx.concatenate([beyond, -beyond])), [1] * 4 + [-1] * 4, atol=1e-6
        )
        assert np.isnan(bounded(mx.array(mx.nan))).all()


@pytest.mark.skipif(which("g++") is None, reason="MLX compiles nothing without a compiler")
def test_a_compiled_step_of_an_rnn_is_two_operations_forward(tmp_path: Path) -> None:
    cell = rnn.Layer(rnn.Config(8)).fused_step()
    z, h, weight = mx.ones((1, 4, 8)), mx.ones((1, 4, 8)), mx.ones((1, 8, 8))
    mx.eval(z, h, weight)
    with kernels.compiling():
        step = mx.compile(lambda z, h: cell.forward(z, weight, (h,))[0][0])
        mx.export_to_dot(str(tmp_path / "graph.dot"), step(z, h))
    graph = (tmp_path / "graph.dot").read_text()
    assert len(re.findall(r"\[label =", graph)) == 2  # the product, and all that follows it


def test_gelu_is_the_tanh_form() -> None:
    x = mx.linspace(-9, 9, 10_001)
    np.testing.assert_allclose(gelu(x), nn.gelu_approx(x), rtol=0, atol=5e-6)
    found, expected = (mx.grad(lambda x, f=f: f(x).sum())(x) for f in (gelu, nn.gelu_approx))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("how", NORMALISATIONS)
def test_denormalising_undoes_normalising(how: str) -> None:
    x = 5 + 3 * mx.random.normal((2, 9, 3))
    normal, statistics = normalise(x, how)
    np.testing.assert_allclose(statistics.denormalise(normal), x, atol=1e-5)


def test_normalising_removes_shift_and_scale() -> None:
    x = 5 + 3 * mx.random.normal((2, 99, 3))
    centred, _ = normalise(x, "mean_std")
    np.testing.assert_allclose(mx.mean(centred, axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(mx.var(centred, axis=1), 1, atol=1e-4)
    np.testing.assert_array_equal(normalise(x, "last")[0][:, -1], 0)
    np.testing.assert_array_equal(normalise(x, "none")[0], x)
    constant, _ = normalise(mx.full((1, 9, 1), 4.0), "mean_std")
    np.testing.assert_array_equal(constant, 0)


def test_joining_channels_undoes_splitting() -> None:
    x = mx.random.normal((2, 5, 3))
    series = split_channels(x)
    np.testing.assert_array_equal(series[4], x[1, :, 1])
    np.testing.assert_array_equal(join_channels(series, 3), x)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (np.array([[0, 5]]), "0 to 4, found 0 to 5"),
        (np.array([-1, 2]), "found -1 to 2"),
        (np.array([0.0]), "integers"),
        (np.array([], np.int32), "no tokens"),
    ],
)
def test_tokens_out_of_range_are_named(tokens: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_tokens(tokens, 5)


def test_tokens_in_range_pass() -> None:
    check_tokens(np.array([[0, 4]]), 5)


def test_a_misspelt_choice_is_suggested() -> None:
    with pytest.raises(UsageError, match="Did you mean 'doubling'"):
        check_choice("scan", "dubling", SCANS)


@pytest.mark.parametrize("in_axes", [(0, 0), (0, None), (None, 1)])
def test_a_chunked_scan_maps_over_models_as_one_by_one(in_axes: tuple[int | None, int | None]) -> None:
    """Its gradient is custom, so MLX needs a rule for mapping it."""
    gradient = mx.grad(lambda a, b: mx.sum(mx.square(SCANS["chunked"](a, b, None))), argnums=(0, 1))
    shapes = {None: (2, 20, 3), 0: (4, 2, 20, 3), 1: (2, 4, 20, 3)}
    arrays = [mx.random.uniform(shape=shapes[axis]) for axis in in_axes]
    found = mx.vmap(gradient, in_axes=in_axes)(*arrays)
    for index in range(4):
        own = [
            x if axis is None else mx.take(x, index, axis) for x, axis in zip(arrays, in_axes, strict=True)
        ]
        for mapped, alone in zip(found, gradient(*own), strict=True):
            np.testing.assert_allclose(mapped[index], alone, rtol=1e-6)
