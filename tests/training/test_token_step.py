"""A step on random tokens: timed whole, counted exactly, and the same tokens for the same seed."""

from collections.abc import Mapping

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from seqlab.measure.blocks import Arm, Times, time_blocks
from seqlab.measure.flops import training_step_flops
from seqlab.models.backbones import Size, TokenHead, build
from seqlab.models.parts.losses import token_loss
from seqlab.training import token_step
from seqlab.training.token_step import (
    faster_compiled,
    forward_arm,
    random_tokens,
    step_arm,
    step_flops,
)

VOCABULARY = 11
HEAD = TokenHead(VOCABULARY)


def test_tokens_are_of_the_vocabulary_and_follow_the_seed() -> None:
    mx.random.seed(3)
    tokens, targets = random_tokens(VOCABULARY, batch=4, length=50)
    assert tokens.shape == targets.shape == (4, 50)
    assert set(tokens.reshape(-1).tolist()) == set(range(VOCABULARY))
    assert not mx.array_equal(tokens, targets)
    mx.random.seed(3)
    assert mx.array_equal(random_tokens(VOCABULARY, batch=4, length=50)[0], tokens)


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_call_of_the_step_is_an_update_and_leaves_nothing_to_compute(compiled: bool) -> None:
    model = build("Transformer", Size(16), HEAD, seed=0)
    batch = random_tokens(VOCABULARY, batch=2, length=6)
    before = float(token_loss(model, *batch))
    arm = step_arm(model, batch, compiled=compiled)
    time_blocks({"it": arm}, blocks=2, rng=np.random.default_rng(0))  # raises if something is left
    assert float(token_loss(model, *batch)) < before


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_forward_pass_returns_logits_and_changes_nothing(compiled: bool) -> None:
    model = build("GRU", Size(16), HEAD, seed=0)
    batch = random_tokens(VOCABULARY, batch=2, length=6)
    weights = {name: np.array(value) for name, value in tree_flatten(model.parameters())}
    found = forward_arm(model, batch, compiled=compiled).step()
    np.testing.assert_allclose(np.array(found), np.array(model(batch[0])), rtol=1e-4, atol=1e-5)
    for name, value in tree_flatten(model.parameters()):
        np.testing.assert_array_equal(np.array(value), weights[name])


@pytest.mark.parametrize(("uncompiled", "compiled", "faster"), [(2.0, 1.0, True), (1.0, 2.0, False)])
def test_the_faster_way_is_that_of_the_shorter_median(
    monkeypatch: pytest.MonkeyPatch, uncompiled: float, compiled: float, faster: bool
) -> None:
    def timed(arms: Mapping[str, Arm], **_: object) -> dict[str, Times]:
        taken = {name: {False: uncompiled, True: compiled}[arm.state] for name, arm in arms.items()}
        return {name: Times(9.0, {0: time, 1: 9 * time, 2: time}, 0) for name, time in taken.items()}

    monkeypatch.setattr(token_step, "time_blocks", timed)
    assert faster_compiled(lambda way: Arm(lambda: None, state=way)) is faster
    monkeypatch.setattr(token_step, "time_blocks", lambda arms, **_: dict.fromkeys(arms, Times(1.0, {}, 9)))
    assert not faster_compiled(lambda way: Arm(lambda: None, state=way))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_extrapolated_work_is_that_which_is_counted(name: str) -> None:
    model = build(name, Size(16), HEAD, seed=0)
    tokens = mx.zeros((2, 21), dtype=mx.int32)
    counted = training_step_flops(model, token_loss, tokens, tokens)
    assert step_flops(model, batch=2, length=21, sequential=True) == counted
    assert step_flops(model, batch=2, length=21, sequential=False) == counted
