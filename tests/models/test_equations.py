"""Recurrent layers and attention equal float64 loops written from their equations."""

import math

import mlx.core as mx
import numpy as np
import pytest

from seqlab.models import gru, hybrid, lstm, mingru, rnn
from seqlab.models.parts.attention import Attention
from seqlab.models.parts.positions import sinusoids

UNITS, WIDTH, BATCH, LENGTH = 5, 3, 2, 19


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def doubles(module) -> dict[str, np.ndarray]:
    return {
        name: np.array(value, np.float64) for name, value in module.items() if isinstance(value, mx.array)
    }


def rnn_reference(cell, x):
    p, h, outputs = doubles(cell), np.zeros(UNITS), []
    for x_t in x:
        h = np.tanh(p["input_weight"] @ x_t + p["bias"] + p["recurrent_weight"] @ h)
        outputs.append(h)
    return outputs


def lstm_reference(cell, x):
    p, h, c, outputs = doubles(cell), np.zeros(UNITS), np.zeros(UNITS), []
    for x_t in x:
        i, f, o, g = np.split(p["input_weight"] @ x_t + p["bias"] + p["recurrent_weight"] @ h, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return outputs


def gru_reference(cell, x):
    p, h, outputs = doubles(cell), np.zeros(UNITS), []
    for x_t in x:
        r_in, z_in, n_in = np.split(p["input_weight"] @ x_t + p["bias"], 3)
        r_back, z_back, n_back = np.split(p["recurrent_weight"] @ h + p["recurrent_bias"], 3)
        z = sigmoid(z_in + z_back)
        n = np.tanh(n_in + sigmoid(r_in + r_back) * n_back)
        h = (1 - z) * n + z * h
        outputs.append(h)
    return outputs


def mingru_reference(cell, x):
    p, h, outputs = doubles(cell.to_gate_and_candidate), np.zeros(UNITS), []
    for x_t in x:
        gate, candidate = np.split(p["weight"] @ x_t + p["bias"], 2)
        h = (1 - sigmoid(gate)) * h + sigmoid(gate) * candidate
        outputs.append(h)
    return outputs


@pytest.mark.parametrize(
    ("architecture", "reference"),
    [(rnn, rnn_reference), (lstm, lstm_reference), (gru, gru_reference), (mingru, mingru_reference)],
    ids=["RNN", "LSTM", "GRU", "minGRU"],
)
def test_a_recurrent_layer_follows_its_equations(architecture, reference, randomised) -> None:
    cell = randomised(architecture.Model(architecture.Config(WIDTH, hidden=UNITS))).cells[0]
    x = mx.random.normal((BATCH, LENGTH, WIDTH))
    expected = [reference(cell, np.array(row, np.float64)) for row in x]
    np.testing.assert_allclose(cell(x), expected, rtol=1e-4, atol=1e-6)


def test_layers_are_stacked_as_written(randomised) -> None:
    model = randomised(rnn.Model(rnn.Config(WIDTH, depth=2, hidden=UNITS, residual=True)))
    x = mx.random.normal((BATCH, LENGTH, WIDTH))
    expected = x
    for norm, cell, projection in zip(model.norms, model.cells, model.projections, strict=True):
        expected = expected + projection(cell(norm(expected)))
    np.testing.assert_allclose(model(x), expected, atol=1e-6)


def test_forget_bias_and_recurrence_start_as_configured() -> None:
    cell = lstm.Model(lstm.Config(UNITS, forget_bias=3.0, orthogonal=False)).cells[0]
    np.testing.assert_array_equal(cell.bias, np.repeat([0.0, 3.0, 0.0, 0.0], UNITS))
    assert np.abs(cell.recurrent_weight).max() <= UNITS**-0.5


@pytest.mark.parametrize(
    "backbone",
    [
        lambda: rnn.Model(rnn.Config(WIDTH, hidden=UNITS)),
        lambda: gru.Model(gru.Config(WIDTH, hidden=UNITS)),
        lambda: lstm.Model(lstm.Config(WIDTH, hidden=UNITS)),
        lambda: hybrid.Model(hybrid.Config(WIDTH, hidden=UNITS)).below,
    ],
    ids=["RNN", "GRU", "LSTM", "hybrid"],
)
def test_the_defaults_are_an_orthogonal_recurrence_and_an_open_forget_gate(backbone) -> None:
    (cell,) = backbone().cells
    for block in np.split(np.array(cell.recurrent_weight), cell.gates):
        np.testing.assert_allclose(block @ block.T, np.eye(UNITS), atol=1e-5)
    opened = [0.0, 1.0, 0.0, 0.0] if isinstance(cell, lstm.Layer) else [0.0] * cell.gates
    np.testing.assert_array_equal(cell.bias, np.repeat(opened, UNITS))


def rotated(x: np.ndarray) -> np.ndarray:
    """Rotary positions (Su et al. 2021, equation 34); features i and i + K/2 are a pair."""
    length, size = x.shape
    half = size // 2
    angles = np.arange(length)[:, None] * 10_000.0 ** (-np.arange(half) / half)
    first, second = x[:, :half], x[:, half:]
    return np.concatenate(
        [first * np.cos(angles) - second * np.sin(angles), first * np.sin(angles) + second * np.cos(angles)],
        1,
    )


@pytest.mark.parametrize("rotary", [False, True], ids=["plain", "rope"])
@pytest.mark.parametrize("mask", [None, "causal"])
def test_attention_follows_its_equation(rotary, mask, randomised) -> None:
    width, heads = 8, 2
    size = width // heads
    module = randomised(Attention(width=width, heads=heads, rotary=rotary))
    x = mx.random.normal((BATCH, LENGTH, width))
    to_qkv, to_output = doubles(module.to_qkv), doubles(module.to_output)

    expected = np.empty((BATCH, LENGTH, width))
    for batch, row in enumerate(np.array(x, np.float64)):
        q, k, v = np.split(row @ to_qkv["weight"].T + to_qkv["bias"], 3, axis=1)
        joined = np.empty((LENGTH, width))
        for head in range(heads):
            own = slice(head * size, (head + 1) * size)
            queries, keys = (rotated(q[:, own]), rotated(k[:, own])) if rotary else (q[:, own], k[:, own])
            for t in range(LENGTH):
                last = t + 1 if mask == "causal" else LENGTH
                scores = np.exp(keys[:last] @ queries[t] / math.sqrt(size))
                joined[t, own] = scores / scores.sum() @ v[:last, own]
        expected[batch] = joined @ to_output["weight"].T + to_output["bias"]
    np.testing.assert_allclose(module(x, mask), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [6, 7])
def test_sinusoids_have_the_published_wavelengths(width: int) -> None:
    found = np.array(sinusoids(mx.arange(50), width))
    for column in range(width):
        half = (width + 1) // 2
        wave, i = (np.sin, column) if column < half else (np.cos, column - half)
        np.testing.assert_allclose(
            found[:, column], wave(np.arange(50) / 10_000.0 ** (2 * i / width)), atol=1e-5
        )
