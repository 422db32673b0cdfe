"""minLSTM, LRU and linear attention: their equations, and that parallel and recurrent forms are equal."""

import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from seqlab.errors import UsageError
from seqlab.machine import kernels
from seqlab.models import linear_attention, lru, mingru, minlstm
from seqlab.models.parts.diagonal import FORMS, powers
from seqlab.models.parts.matrix_memory import chunked, recurrent
from seqlab.models.parts.recurrence import unbind_steps
from seqlab.models.parts.scan import SCANS
from seqlab.models.parts.streaming import Streaming

WIDTH, BATCH = 6, 2
LENGTHS = (1, 2, 13, 37)

BACKBONES = {
    "minLSTM loop": lambda: minlstm.Model(minlstm.Config(WIDTH, depth=2, scan="loop")),
    "minLSTM doubling": lambda: minlstm.Model(minlstm.Config(WIDTH, depth=2, scan="doubling")),
    "minLSTM chunked": lambda: minlstm.Model(minlstm.Config(WIDTH, depth=2, scan="chunked")),
    "minLSTM projected": lambda: minlstm.Model(minlstm.Config(WIDTH, depth=2, hidden=5, residual=True)),
    "minGRU": lambda: mingru.Model(mingru.Config(WIDTH, depth=2)),
    "LRU loop": lambda: lru.Model(lru.Config(WIDTH, depth=2, hidden=9, form="loop")),
    "LRU chunked": lambda: lru.Model(lru.Config(WIDTH, depth=2, hidden=9, form="chunked")),
    "LRU fft": lambda: lru.Model(lru.Config(WIDTH, depth=2, hidden=9, form="fft")),
    "LRU ring": lambda: lru.Model(lru.Config(WIDTH, depth=2, r_min=0.99, r_max=0.999)),
    "linear attention": lambda: linear_attention.Model(linear_attention.Config(WIDTH, heads=3)),
    "retention": lambda: linear_attention.Model(linear_attention.Config(WIDTH, heads=3, decay=True)),
}


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> Streaming:
    return BACKBONES[request.param]()


def normal(*shape: int) -> mx.array:
    return mx.random.normal(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def double(x: mx.array) -> np.ndarray:
    return np.array(x, np.float64)


# The equations, as plain loops in double precision.


def minlstm_reference(cell, x):
    linear = cell.to_gates_and_candidate
    h, outputs = np.zeros(cell.units), []
    for x_t in x:
        u_f, u_i, candidate = np.split(double(linear.weight) @ x_t + double(linear.bias), 3)
        f, i = sigmoid(u_f), sigmoid(u_i)
        h = f / (f + i) * h + i / (f + i) * candidate
        outputs.append(h)
    return outputs


def lru_reference(cell, x):
    eigenvalues = np.exp(-np.exp(double(cell.log_nu)) + 1j * np.exp(double(cell.log_theta)))
    into = double(cell.input_weight[0]) + 1j * double(cell.input_weight[1])
    real, minus_imaginary = np.split(double(cell.output_weight), 2, axis=1)
    h, outputs = np.zeros(cell.units, np.complex128), []
    for x_t in x:
        h = eigenvalues * h + np.exp(double(cell.log_gamma)) * (into @ x_t)
        outputs.append(((real - 1j * minus_imaginary) @ h).real + double(cell.skip) * x_t)
    return outputs


def linear_attention_reference(layer, x, rates):
    heads, outputs = len(rates), []
    size = x.shape[1] // heads
    s, z = np.zeros((heads, size, size)), np.zeros((heads, size))
    for x_t in x:
        q, k, v = np.split(double(layer.to_qkv.weight) @ x_t + double(layer.to_qkv.bias), 3)
        y = []
        for h, rate in enumerate(rates):
            own = slice(h * size, (h + 1) * size)
            phi_q, phi_k = (np.where(part > 0, part + 1, np.exp(part)) for part in (q[own], k[own]))
            s[h] = rate * s[h] + np.outer(phi_k, v[own])
            z[h] = rate * z[h] + phi_k
            y.append(phi_q @ s[h] / (phi_q @ z[h] + 1e-6))
        outputs.append(double(layer.to_output.weight) @ np.concatenate(y) + double(layer.to_output.bias))
    return outputs


@pytest.mark.parametrize("length", LENGTHS)
def test_minlstm_follows_its_equations(length, randomised) -> None:
    cell = randomised(minlstm.Model(minlstm.Config(WIDTH, hidden=5))).cells[0]
    x = normal(BATCH, length, WIDTH)
    expected = [minlstm_reference(cell, double(row)) for row in x]
    np.testing.assert_allclose(cell(x), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("form", FORMS)
def test_lru_follows_its_equations(length, form, randomised) -> None:
    cell = randomised(lru.Recurrence(lru.Config(WIDTH, hidden=9, form=form)))
    x = normal(BATCH, length, WIDTH)
    expected = [lru_reference(cell, double(row)) for row in x]
    np.testing.assert_allclose(cell(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("decay", [False, True])
def test_linear_attention_follows_its_equations(length, decay, randomised) -> None:
    layer = randomised(linear_attention.LinearAttention(width=WIDTH, heads=3, decay=decay))
    x = normal(BATCH, length, WIDTH)
    rates = [1 - 1 / 32, 1 - 1 / 64, 1 - 1 / 128] if decay else [1.0, 1.0, 1.0]
    expected = [linear_attention_reference(layer, double(row), rates) for row in x]
    np.testing.assert_allclose(layer.extend(x, mx.zeros((BATCH, 3, 2, 3)))[0], expected, rtol=1e-4, atol=1e-5)


def test_blocks_are_made_as_written(randomised) -> None:
    x = normal(BATCH, 7, WIDTH)
    stack = randomised(lru.Model(lru.Config(WIDTH, depth=2)))
    expected = x
    for norm, cell in zip(stack.norms, stack.cells, strict=True):
        glu = cell.to_value_and_gate(nn.gelu_approx(cell.recurrence(norm(expected))))
        expected = expected + glu[..., :WIDTH] * mx.sigmoid(glu[..., WIDTH:])
    np.testing.assert_allclose(stack(x), expected, rtol=1e-4, atol=1e-5)

    attention = randomised(linear_attention.Model(linear_attention.Config(WIDTH, heads=3)))
    expected = x
    for block in attention.blocks:
        read = block.attention.extend(block.attention_norm(expected), mx.zeros((BATCH, 3, 2, 3)))[0]
        expected = expected + read
        expected = expected + block.mlp(expected)
    np.testing.assert_allclose(attention(x), expected, rtol=1e-4, atol=1e-5)


# The parallel form, the recurrent form and reading in pieces give equal results.


@pytest.mark.parametrize("length", LENGTHS)
def test_steps_and_pieces_equal_the_whole(backbone: Streaming, length: int) -> None:
    x = normal(BATCH, length, WIDTH)
    whole, after = backbone.extend(x, backbone.initial_state(BATCH, length))
    np.testing.assert_allclose(backbone(x), whole, atol=1e-6)

    outputs, state = [], backbone.initial_state(BATCH, length)
    for t in range(length):
        y, state = backbone.step(x[:, t], state)
        outputs.append(y)
    np.testing.assert_allclose(mx.stack(outputs, axis=1), whole, atol=1e-5)
    same_state(state.memory, after.memory)

    outputs, state = [], backbone.initial_state(BATCH, length)
    for piece in mx.split(x, sorted({length // 3, 2 * length // 3} - {0}), axis=1):
        y, state = backbone.extend(piece, state)
        outputs.append(y)
    np.testing.assert_allclose(mx.concatenate(outputs, axis=1), whole, atol=1e-5)
    same_state(state.memory, after.memory)
    assert state.position == length


def same_state(found, expected) -> None:
    pairs = zip(tree_flatten(found), tree_flatten(expected), strict=True)
    for (_, one), (_, other) in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "cell",
    [
        lambda: minlstm.Model(minlstm.Config(WIDTH)).cells[0],
        lambda: lru.Recurrence(lru.Config(WIDTH, r_min=0.9, r_max=0.999)),
    ],
    ids=["minLSTM", "LRU"],
)
def test_all_forms_agree_over_many_steps(cell) -> None:
    cell, x = cell(), normal(BATCH, 512, WIDTH)
    outputs, state = [], cell.initial_state(BATCH)
    for x_t in unbind_steps(x, axis=1):
        y, state = cell.step(x_t, state)
        outputs.append(y)
    option, choices = ("form", FORMS) if hasattr(cell, "form") else ("scan", SCANS)
    for choice in choices:
        setattr(cell, option, choice)
        np.testing.assert_allclose(cell(x), mx.stack(outputs, axis=1), atol=1e-5, err_msg=choice)


def test_linear_attention_agrees_over_many_steps() -> None:
    model, x = linear_attention.Model(linear_attention.Config(WIDTH, depth=1, heads=3)), normal(1, 512, WIDTH)
    outputs, memory = [], model.initial_state(1, 512).memory
    for x_t in unbind_steps(x, axis=1):
        y, memory = model.advance(x_t, mx.array(0), memory)
        outputs.append(y)
    np.testing.assert_allclose(mx.stack(outputs, axis=1), model(x), atol=1e-5)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("form", ["chunked", "fft"])
def test_a_diagonal_form_equals_the_loop_in_values_and_gradients(form: str, length: int) -> None:
    radius, angle = mx.random.uniform(0.5, 0.999, (4,)), mx.random.uniform(0, 6, (4,))
    b, start, weight = [
        [normal(*shape) for _ in range(2)] for shape in ((4, 3, length), (4, 3), (4, 3, length))
    ]

    def results(name):
        def weighted(radius, angle, *parts):
            real, imaginary = FORMS[name](
                (radius * mx.cos(angle), radius * mx.sin(angle)), parts[:2], parts[2:]
            )
            return mx.sum(weight[0] * real + weight[1] * imaginary)

        arguments = (radius, angle, *b, *start)
        return mx.value_and_grad(weighted, argnums=list(range(6)))(*arguments)

    (found, gradients), (expected, reference) = results(form), results("loop")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    for one, other in zip(gradients, reference, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("length", LENGTHS)
def test_chunks_equal_the_recurrence_in_values_and_gradients(length: int) -> None:
    rates = np.array([1.0, 0.7])
    q, k, v = (mx.abs(normal(BATCH, 2, length, 3)) for _ in range(3))
    memory, weight = normal(BATCH, 2, 3, 3), normal(BATCH, 2, length, 3)

    def in_order(q, k, v, memory, rates):
        outputs = []
        for t in range(length):
            y, memory = recurrent(*(x[:, :, t : t + 1] for x in (q, k, v)), memory, rates)
            outputs.append(y)
        return mx.concatenate(outputs, axis=2), memory

    def results(form):
        def weighted(q, k, v, memory):
            y, last = form(q, k, v, memory, rates)
            return mx.sum(weight * y) + mx.sum(last)

        return mx.value_and_grad(weighted, argnums=[0, 1, 2, 3])(q, k, v, memory)

    (found, gradients), (expected, reference) = results(chunked), results(in_order)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    for one, other in zip(gradients, reference, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def slopes(model: nn.Module, x: mx.array, weight: mx.array) -> dict[str, mx.array]:
    """Gradients of a weighted sum of outputs, by parameter."""
    return dict(tree_flatten(nn.value_and_grad(model, lambda x: mx.sum(weight * model(x)))(x)[1]))


@pytest.mark.parametrize(
    ("architecture", "options", "loop"),
    [
        (minlstm, {"scan": "chunked"}, {"scan": "loop"}),
        (minlstm, {"scan": "doubling"}, {"scan": "loop"}),
        (lru, {"form": "chunked"}, {"form": "loop"}),
        (lru, {"form": "fft"}, {"form": "loop"}),
    ],
)
def test_every_form_gives_the_gradients_of_the_loop(architecture, options, loop) -> None:
    x, weight = normal(BATCH, 37, WIDTH), normal(BATCH, 37, WIDTH)
    found, expected = (architecture.Model(architecture.Config(WIDTH, **form)) for form in (options, loop))
    found.update(expected.parameters())
    reference = slopes(expected, x, weight)
    for name, slope in slopes(found, x, weight).items():
        np.testing.assert_allclose(slope, reference[name], rtol=1e-4, atol=2e-4, err_msg=name)


@pytest.mark.parametrize("name", ["minLSTM", "LRU", "retention"])
def test_gradients_are_those_of_finite_differences(name: str, randomised) -> None:
    """The slope along a random direction against the reference loops in double precision."""
    layer, reference, call = {
        "minLSTM": (
            minlstm.Model(minlstm.Config(WIDTH)).cells[0],
            minlstm_reference,
            lambda layer, x: layer(x),
        ),
        "LRU": (lru.Recurrence(lru.Config(WIDTH)), lru_reference, lambda layer, x: layer(x)),
        "retention": (
            linear_attention.LinearAttention(width=WIDTH, heads=3, decay=True),
            lambda layer, x: linear_attention_reference(layer, x, layer.decays()),
            lambda layer, x: layer.extend(x, mx.zeros((1, 3, 2, 3)))[0],
        ),
    }[name]
    layer = randomised(layer)
    x, weight = normal(1, 13, WIDTH), normal(1, 13, WIDTH)
    slope = mx.grad(lambda x: mx.sum(weight * call(layer, x)))(x)
    direction = np.random.default_rng(0).normal(size=(13, WIDTH))
    step = 1e-5
    high, low = (
        np.sum(double(weight)[0] * np.array(reference(layer, double(x)[0] + sign * step * direction)))
        for sign in (1, -1)
    )
    np.testing.assert_allclose(np.sum(double(slope)[0] * direction), (high - low) / (2 * step), rtol=1e-4)


@pytest.mark.parametrize("chunk", [0.1, 0.5, 4.0, 100.0])
def test_any_chunk_length_gives_the_same(chunk: float) -> None:
    backbones = [BACKBONES[name]() for name in ("minLSTM chunked", "LRU chunked", "retention")]
    x, before = normal(BATCH, 37, WIDTH), kernels.current()
    expected = [np.array(backbone(x)) for backbone in backbones]
    kernels.use(kernels.Kernels(chunk=chunk))
    try:
        for backbone, whole in zip(backbones, expected, strict=True):
            np.testing.assert_allclose(backbone(x), whole, atol=1e-5)
    finally:
        kernels.use(before)


# Precision.


def test_states_are_kept_in_float32_whatever_comes_in(backbone: Streaming) -> None:
    backbone.set_dtype(mx.bfloat16)
    x = normal(BATCH, 5, WIDTH).astype(mx.bfloat16)
    y, state = backbone.extend(x, backbone.initial_state(BATCH, 6))
    z, after = backbone.step(x[:, 0], state)
    assert y.dtype == z.dtype == mx.bfloat16
    assert {array.dtype for _, array in tree_flatten([state.memory, after.memory])} == {mx.float32}


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("architecture", [mingru, minlstm])
def test_a_gate_may_keep_a_state_for_long_in_bfloat16(architecture, scan: str) -> None:
    """A step keeps 0.999 of the state and adds 0.001; bfloat16 would round these to 1 and soon to nothing."""
    cell = architecture.Model(architecture.Config(1, scan=scan)).cells[0]
    (linear,) = cell.children().values()
    linear.weight = mx.zeros_like(linear.weight)
    gates = [-7.0] if architecture is mingru else [7.0, -7.0]
    linear.bias = mx.array([*gates, 1.0])
    x = mx.zeros((1, 2_000, 1))
    expected = cell(x)[0, -1].item()
    assert 0.5 < expected < 0.95
    cell.set_dtype(mx.bfloat16)
    x = x.astype(mx.bfloat16)
    np.testing.assert_allclose(cell(x)[0, -1].item(), expected, rtol=0.01)


# Extreme values and initialisation.


@pytest.mark.parametrize("forget", [-200.0, -50.0, 0.0, 50.0, 200.0])
@pytest.mark.parametrize("take", [-200.0, -50.0, 0.0, 50.0, 200.0])
def test_minlstm_gates_sum_to_one_even_if_saturated(forget: float, take: float) -> None:
    cell = minlstm.Model(minlstm.Config(1)).cells[0]
    cell.to_gates_and_candidate.weight = mx.zeros((3, 1))
    cell.to_gates_and_candidate.bias = mx.array([forget, take, 1.0])
    keep, add = cell.coefficients(mx.ones((1, 1)))
    # log f - log i, where f = σ(forget): logaddexp is exact in double precision
    log_ratio = np.logaddexp(0, -take) - np.logaddexp(0, -forget)
    np.testing.assert_allclose(keep.item(), sigmoid(log_ratio), rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(keep.item() + add.item(), 1, rtol=1e-6)
    for slope in slopes(cell, mx.ones((1, 5, 1)), mx.ones((1, 5, 1))).values():
        assert mx.isfinite(slope).all().item()


@pytest.mark.parametrize("scale", [-200.0, -50.0, 50.0, 200.0])
def test_linear_attention_is_finite_where_its_features_vanish(scale: float) -> None:
    layer = linear_attention.LinearAttention(width=2, heads=1, decay=False)
    layer.to_qkv.bias = mx.array([scale] * 4 + [1.0] * 2)

    def total(x: mx.array) -> mx.array:
        return mx.sum(layer.extend(x, mx.zeros((1, 1, 2, 3)))[0])

    value, slope = mx.value_and_grad(total)(normal(1, 13, 2))
    assert mx.isfinite(value).item()
    assert mx.isfinite(slope).all().item()


def test_lru_starts_on_its_ring() -> None:
    cell = lru.Recurrence(lru.Config(4, hidden=2000, r_min=0.6, r_max=0.8, max_phase=1.0))
    real, imaginary = (double(part) for part in cell.eigenvalues())
    radius, phase = np.hypot(real, imaginary), np.arctan2(imaginary, real)
    assert 0.6 - 1e-6 < radius.min() < 0.61
    assert 0.79 < radius.max() < 0.8 + 1e-6
    # Uniform by area: half of it lies inside √((r_min² + r_max²) / 2).
    assert abs(np.mean(radius < math.sqrt((0.6**2 + 0.8**2) / 2)) - 0.5) < 0.05
    assert 0 < phase.min() < 0.01
    assert 0.99 < phase.max() < 1.001
    np.testing.assert_allclose(np.exp(double(cell.log_gamma)), np.sqrt(1 - radius**2), rtol=1e-4)


def test_the_whole_disc_starts_finite() -> None:
    cell = lru.Recurrence(lru.Config(4, hidden=20_000))
    for name, value in tree_flatten(cell.parameters()):
        assert mx.isfinite(value).all().item(), name
    assert np.hypot(*(double(part) for part in cell.eigenvalues())).max() < 1


def test_powers_are_those_of_complex_numbers() -> None:
    real, imaginary = powers((mx.array([0.6, -1.0]), mx.array([0.7, 0.0])), 13)
    expected = np.array([[0.6 + 0.7j], [-1.0]]) ** np.arange(13)
    np.testing.assert_allclose(np.array(real) + 1j * np.array(imaginary), expected, rtol=1e-5, atol=1e-6)


def test_minlstm_forget_bias_starts_as_configured() -> None:
    bias = np.array(minlstm.Model(minlstm.Config(5, forget_bias=3.0)).cells[0].to_gates_and_candidate.bias)
    np.testing.assert_array_equal(bias[:5], 3.0)
    assert np.abs(bias[5:]).max() < 0.5  # ±1/√5, as in any linear layer


def test_decays_are_those_of_retnet() -> None:
    layer = linear_attention.LinearAttention(width=8, heads=4, decay=True)
    np.testing.assert_array_equal(layer.decays(), [1 - 1 / 32, 1 - 1 / 64, 1 - 1 / 128, 1 - 1 / 256])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: minlstm.Model(minlstm.Config(0)), "width must be 1 or more"),
        (lambda: minlstm.Model(minlstm.Config(4, scan="chunks")), "unknown scan 'chunks'"),
        (lambda: lru.Config(4, hidden=0), "hidden must be 1 or more"),
        (lambda: lru.Config(4, form="FFT"), "unknown form 'FFT'"),
        (lambda: lru.Config(4, r_min=0.9, r_max=0.9), "r_min < r_max"),
        (lambda: lru.Config(4, r_max=1.1), "r_max 1.1"),
        (lambda: lru.Config(4, max_phase=0), "max_phase must be above 0"),
        (lambda: linear_attention.Config(6, heads=4), "heads must divide width"),
        (lambda: linear_attention.Config(4, depth=0), "depth must be 1 or more"),
        (
            lambda: linear_attention.Model(linear_attention.Config(4, activation="tanh")),
            "unknown activation 'tanh'",
        ),
    ],
)
@pytest.mark.usefixtures("as_users_have_it")
def test_an_impossible_config_is_an_error(make, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()
