"""Recurrent layers equal PyTorch's: outputs, last states and gradients, with the weights copied over."""

from contextlib import nullcontext

import mlx.core as mx
import numpy as np
import pytest
import torch
from mlx.utils import tree_flatten, tree_unflatten

from seqlab.machine import kernels
from seqlab.models import gru, lstm, rnn
from seqlab.models.parts.recurrence import Stack
from tests.benchmarks.performance.weights import Weights, below, pytorch_recurrent

UNITS, DEPTH, BATCH = 7, 2, 3
OURS = {"RNN": rnn, "LSTM": lstm, "GRU": gru}
THEIRS = {"RNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}


def close(found: mx.array, expected: np.ndarray) -> None:
    """Equal to 1e-4, relative to each number, or to the largest where a sum cancels."""
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def cells(tree: object) -> list[Weights]:
    """Arrays by layer."""
    arrays = {name: np.array(value) for name, value in dict(tree_flatten(tree)).items()}
    return [below(arrays, f"cells.{layer}.") for layer in range(DEPTH)]


@pytest.fixture(params=OURS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def ours(kind: str, rng: np.random.Generator) -> Stack:
    """Two layers, nothing in them at zero."""
    model = OURS[kind].Model(OURS[kind].Config(UNITS, depth=DEPTH))
    filled = [
        (name, mx.array(rng.normal(0, 0.5, value.shape).astype(np.float32)))
        for name, value in tree_flatten(model.parameters())
    ]
    model.update(tree_unflatten(filled))
    return model


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def theirs(kind: str, ours: Stack, rng: np.random.Generator) -> torch.nn.Module:
    """The same in PyTorch, whose two biases share ours between them where we have one."""
    weights = pytorch_recurrent(kind, cells(ours.parameters()))
    for layer in range(DEPTH if kind != "GRU" else 0):
        share = rng.normal(size=weights[f"bias_hh_l{layer}"].shape).astype(np.float32)
        weights[f"bias_hh_l{layer}"] += share
        weights[f"bias_ih_l{layer}"] -= share
    module = THEIRS[kind](UNITS, UNITS, num_layers=DEPTH, batch_first=True)
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return module


@pytest.mark.parametrize("length", [1, 19])
def test_outputs_and_last_states_equal_pytorchs(ours, theirs, kind, length, rng) -> None:
    x = rng.normal(size=(BATCH, length, UNITS)).astype(np.float32)
    start = [rng.normal(size=(DEPTH, BATCH, UNITS)).astype(np.float32) for _ in range(1 + (kind == "LSTM"))]
    given = [torch.from_numpy(part) for part in start]
    y, last = theirs(torch.from_numpy(x), tuple(given) if kind == "LSTM" else given[0])
    last = last if kind == "LSTM" else (last,)

    state = ours.initial_state(BATCH, length)
    memory = [tuple(mx.array(part[layer]) for part in start) for layer in range(DEPTH)]
    found, after = ours.extend(mx.array(x), state._replace(memory=memory))
    close(found, y.detach().numpy())
    for layer, parts in enumerate(after.memory):
        for part, expected in zip(parts, last, strict=True):
            close(part, expected[layer].detach().numpy())


@pytest.mark.parametrize("form", [nullcontext, kernels.compiling], ids=["eager", "as compiled"])
def test_gradients_equal_pytorchs(ours, theirs, kind, form, rng) -> None:
    x, weight = (rng.normal(size=(BATCH, 19, UNITS)).astype(np.float32) for _ in range(2))
    given = torch.from_numpy(x).requires_grad_()
    outputs = theirs(given)[0]
    (outputs * torch.from_numpy(weight)).sum().backward()

    def projected(parameters: dict, x: mx.array) -> mx.array:
        ours.update(parameters)
        return mx.sum(ours(x) * mx.array(weight))

    kept = ours.parameters()
    with form():
        of_parameters, of_inputs = mx.grad(projected, argnums=(0, 1))(kept, mx.array(x))
        mx.eval(of_parameters, of_inputs)
    ours.update(kept)
    close(of_inputs, given.grad.numpy())
    found = pytorch_recurrent(kind, cells(of_parameters))
    for name, parameter in theirs.named_parameters():
        # Where we have one bias, each of PyTorch's has its gradient.
        one = name.replace("hh", "ih") if name.startswith("bias") and kind != "GRU" else name
        close(found[one], parameter.grad.numpy())
