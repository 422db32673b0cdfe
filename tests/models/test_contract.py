"""What every model keeps: shapes at odd sizes, gradients, independence of the batch, causality, streaming."""

from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from seqlab.errors import UsageError
from seqlab.models import (
    cnn,
    dlinear,
    gru,
    heads,
    lstm,
    mingru,
    patch_transformer,
    rnn,
    transformer,
    vit,
)

WIDTH = 6


def body_of(name: str) -> nn.Module:
    """A small body, two layers deep, by name."""
    kind, _, option = name.partition(" ")
    if kind in ("decoder", "encoder"):
        return transformer.Model(
            transformer.Config(
                WIDTH,
                heads=3,
                hidden=7,
                causal=kind == "decoder",
                positions=option,
                activation="gelu" if option == "rope" else "relu",
                length=16,
            )
        )
    sizes = {"width": WIDTH, "depth": 2}
    if option == "projected":
        sizes |= {"hidden": 5, "residual": True}
    if kind == "minGRU" and option != "projected":
        sizes |= {"scan": option}
    architecture = {"RNN": rnn, "LSTM": lstm, "GRU": gru, "minGRU": mingru}[kind]
    return architecture.Model(architecture.Config(**sizes))


CAUSAL = (
    *("RNN", "RNN projected", "LSTM", "LSTM projected", "GRU", "GRU projected", "minGRU projected"),
    *("minGRU loop", "minGRU doubling", "minGRU chunked"),
    *("decoder none", "decoder sinusoidal", "decoder learned", "decoder rope"),
)
ENCODERS = ("encoder none", "encoder sinusoidal", "encoder learned", "encoder rope")


@dataclass(frozen=True)
class Case:
    """A model, an input for a batch of the given size, and the shape of one output."""

    make: Callable[[], nn.Module]
    inputs: Callable[[int], mx.array]
    output: tuple[int, ...]


def normal(*shape: int) -> mx.array:
    return mx.random.normal(shape)


CASES = {
    **{
        f"{name} on {length}": Case(
            lambda name=name: body_of(name), lambda batch, n=length: normal(batch, n, WIDTH), (length, WIDTH)
        )
        for name in (*CAUSAL, *ENCODERS)
        for length in (1, 13)
    },
    "language model": Case(
        lambda: heads.LanguageModel(body_of("LSTM"), vocabulary=11, width=WIDTH),
        lambda batch: mx.random.randint(0, 11, (batch, 9)),
        (9, 11),
    ),
    **{
        f"row classifier, {pool}": Case(
            lambda pool=pool: heads.RowClassifier(body_of("GRU"), channels=5, classes=3, pool=pool),
            lambda batch: normal(batch, 7, 5),
            (3,),
        )
        for pool in ("last", "mean")
    },
    **{
        f"forecaster, {how}": Case(
            lambda how=how: heads.Forecaster(body_of("LSTM"), lookback=9, horizon=4, normalisation=how),
            lambda batch: normal(batch, 9, 3),
            (4, 3),
        )
        for how in ("mean_std", "last", "none")
    },
    "ViT": Case(
        lambda: vit.Model(vit.Config(width=6, depth=1, heads=2, size=9, patch=3, classes=5)),
        lambda batch: normal(batch, 9, 9),
        (5,),
    ),
    "CNN": Case(
        lambda: cnn.Model(cnn.Config(channels=2, hidden=7, size=11, classes=5)),
        lambda batch: normal(batch, 11, 11),
        (5,),
    ),
    "PatchTST": Case(
        lambda: patch_transformer.Model(
            patch_transformer.Config(lookback=37, horizon=5, width=6, depth=1, heads=2)
        ),
        lambda batch: normal(batch, 37, 3),
        (5, 3),
    ),
    "DLinear": Case(
        lambda: dlinear.Model(dlinear.Config(lookback=19, horizon=5, kernel=5)),
        lambda batch: normal(batch, 19, 3),
        (5, 3),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("batch", [1, 3])
def test_shape(case: Case, batch: int) -> None:
    output = case.make()(case.inputs(batch))
    assert output.shape == (batch, *case.output)
    assert np.isfinite(np.array(output)).all()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_examples_do_not_see_one_another(case: Case) -> None:
    model, inputs = case.make(), case.inputs(3)
    alone = mx.concatenate([model(inputs[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(model(inputs), alone, atol=1e-5)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_parameter_learns(case: Case) -> None:
    model, inputs = case.make(), case.inputs(4)
    weights = normal(*model(inputs).shape)

    def loss(x: mx.array) -> mx.array:
        return mx.sum(weights * mx.square(model(x)))

    _, gradients = nn.value_and_grad(model, loss)(inputs)
    found = dict(tree_flatten(gradients))
    assert found.keys() == dict(tree_flatten(model.parameters())).keys()
    one_step = inputs.shape[1] == 1
    for name, gradient in found.items():
        assert mx.isfinite(gradient).all().item(), name
        # Over a single step no state comes back, and softmax over one position has no slope.
        if not (one_step and ("recurrent" in name or "attention" in name)):
            assert mx.abs(gradient).max().item() > 0, name


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_training_step_can_be_exported(case: Case) -> None:
    """Work is counted on MLX's exported graph, which custom functions would not survive."""
    model, inputs, operations = case.make(), case.inputs(2), []

    def gradients(x: mx.array) -> list[mx.array]:
        _, found = nn.value_and_grad(model, lambda x: mx.sum(mx.square(model(x))))(x)
        return [gradient for _, gradient in tree_flatten(found)]

    mx.export_function(operations.append, gradients, inputs)
    assert len(operations) > 10


@pytest.mark.parametrize("name", CAUSAL)
def test_the_future_has_no_influence(name: str) -> None:
    model, x = body_of(name), normal(2, 13, WIDTH)
    changed = mx.concatenate([x[:, :8], normal(2, 5, WIDTH)], axis=1)
    before, after = np.array(model(x)), np.array(model(changed))
    np.testing.assert_allclose(before[:, :8], after[:, :8], rtol=0, atol=1e-6)
    assert (np.abs(before[:, 8:] - after[:, 8:]).max(axis=(0, 2)) > 1e-4).all()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_sees_the_future(name: str) -> None:
    model, x = body_of(name), normal(2, 13, WIDTH)
    changed = mx.concatenate([x[:, :12], normal(2, 1, WIDTH)], axis=1)
    assert mx.abs(model(x) - model(changed)).max(axis=(0, 2)).min().item() > 1e-5


@pytest.mark.parametrize("name", CAUSAL)
def test_streaming_equals_parallel(name: str) -> None:
    model, x = body_of(name), normal(3, 13, WIDTH)
    state = model.initial_state(3, 13)
    steps = []
    for t in range(13):
        y, state = model.step(x[:, t], state)
        steps.append(y)
    np.testing.assert_allclose(mx.stack(steps, axis=1), model(x), atol=1e-5)


@pytest.mark.parametrize("name", CAUSAL)
def test_same_seed_same_model(name: str) -> None:
    x = normal(1, 5, WIDTH)
    outputs = []
    for seed in (7, 7, 8):
        mx.random.seed(seed)
        outputs.append(np.array(body_of(name)(x)))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize("name", ["RNN", "decoder rope"])
@pytest.mark.parametrize("shape", [(2, 0, WIDTH), (2, 3, WIDTH + 1), (3, WIDTH)])
def test_a_wrong_input_is_named(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"empty|expected an input of shape"):
        body_of(name)(mx.zeros(shape))
