"""Positions, masks and cross-attention against plain loops; padding, streaming and permutation."""

import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from seqlab.errors import UsageError
from seqlab.models import transformer
from seqlab.models.parts.attention import Attention, CrossAttention, cross_attention_mask
from seqlab.models.parts.positions import PositionalEncoding, slopes

WIDTH, HEADS, SIZE, BATCH, LENGTH = 8, 2, 4, 3, 7
POSITIONS = ("none", "sinusoidal", "learned", "rope", "alibi")
RELATIVE = ("none", "rope", "alibi")
MASK = mx.array([[1] * 7, [1] * 5 + [0] * 2, [0] * 2 + [1] * 5]) == 1


def backbone(positions: str, *, causal: bool = True, depth: int = 2) -> transformer.Model:
    return transformer.Model(
        transformer.Config(
            WIDTH, depth=depth, heads=HEADS, causal=causal, positions=positions, length=2 * LENGTH
        )
    )


def affine(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
    return x @ np.array(layer.weight, np.float64).T + np.array(layer.bias, np.float64)


def rotated(x: np.ndarray, position: int) -> np.ndarray:
    """Rotary positions (Su et al. 2021, equation 34); features i and i + K/2 are a pair."""
    half = len(x) // 2
    angle = position * 10_000.0 ** (-np.arange(half) / half)
    first, second = x[:half], x[half:]
    return np.concatenate(
        [first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)]
    )


def loop(q, k, v, *, may_attend, positions: str = "none", turns: bool = False) -> np.ndarray:
    """One example: softmax over what each position may attend to, by head, in doubles; 0 if nothing.

    With `turns`, the heads of ALiBi look back and ahead in turn, each two with the same slope.
    """
    joined = np.zeros_like(q)
    for head in range(HEADS):
        own = slice(head * SIZE, (head + 1) * SIZE)
        for i in range(len(q)):
            scores, values = [], []
            for j in range(len(k)):
                if not may_attend(i, j) or (turns and (j > i if head % 2 == 0 else j < i)):
                    continue
                query, key = q[i, own], k[j, own]
                if positions == "rope":
                    query, key = rotated(query, i), rotated(key, j)
                score = query @ key / math.sqrt(SIZE)
                if positions == "alibi":
                    share = (head // 2 + 1 if turns else head + 1) / HEADS
                    score -= abs(i - j) * 2.0 ** (-8 * share)
                scores.append(math.exp(score))
                values.append(v[j, own])
            if scores:
                joined[i, own] = np.array(scores) @ np.array(values) / sum(scores)
    return joined


@pytest.mark.parametrize("positions", RELATIVE)
@pytest.mark.parametrize("causal", [False, True], ids=["encoder", "decoder"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
@pytest.mark.parametrize("reach", [None, 1, 3])
def test_attention_follows_its_equation(positions, causal, mask, reach, randomised) -> None:
    encoding = PositionalEncoding(transformer.Config(WIDTH, heads=HEADS, positions=positions), reach=reach)
    module = randomised(Attention(width=WIDTH, heads=HEADS, rotary=encoding.rotary))
    x = mx.random.normal((BATCH, LENGTH, WIDTH))
    found = np.array(module(x, encoding.attention_mask(x, causal=causal, mask=mask)))
    real = np.ones((BATCH, LENGTH), bool) if mask is None else np.array(mask)
    for b, row in enumerate(np.array(x, np.float64)):
        q, k, v = np.split(affine(module.to_qkv, row), 3, axis=1)

        def may_attend(i, j, b=b):
            return real[b, j] and (j <= i or not causal) and (reach is None or abs(i - j) < reach)

        turns = positions == "alibi" and not causal
        y = loop(q, k, v, may_attend=may_attend, positions=positions, turns=turns)
        expected = affine(module.to_output, y)
        np.testing.assert_allclose(found[b][real[b]], expected[real[b]], rtol=1e-4, atol=1e-5)


def test_cross_attention_follows_its_equation(randomised) -> None:
    module = randomised(CrossAttention(width=WIDTH, heads=HEADS))
    x, source = mx.random.normal((BATCH, 4, WIDTH)), mx.random.normal((BATCH, LENGTH, WIDTH))
    # The last source consists of padding only.
    padded = mx.array([[1] * 7, [0, 1, 1, 0, 1, 0, 0], [0] * 7]) == 1
    for mask in (None, padded):
        found = module(x, module.project(source, mask), None if mask is None else cross_attention_mask(mask))
        for b in range(BATCH):
            q, (k, v) = (
                affine(module.to_q, np.array(x[b], np.float64)),
                np.split(affine(module.to_kv, np.array(source[b], np.float64)), 2, axis=1),
            )
            y = loop(q, k, v, may_attend=lambda i, j, b=b, mask=mask: mask is None or mask[b, j].item())
            np.testing.assert_allclose(found[b], affine(module.to_output, y), rtol=1e-4, atol=1e-5)


def test_alibi_has_the_published_slopes() -> None:
    assert slopes(8) == [2.0**-h for h in range(1, 9)]  # Press et al. 2022, section 3
    assert slopes(1) == [2.0**-8]
    # Their code for 12 heads: those of 8, then the 1st, 3rd, 5th and 7th of 16.
    assert slopes(12) == [2.0**-h for h in range(1, 9)] + [2.0**-h for h in (0.5, 1.5, 2.5, 3.5)]


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("causal", [False, True], ids=["encoder", "decoder"])
def test_padding_on_the_right_changes_nothing(positions: str, causal: bool) -> None:
    model, x = backbone(positions, causal=causal), mx.random.normal((2, LENGTH, WIDTH))
    for amount in (1, 4):
        padded = mx.concatenate([x, 9 * mx.random.normal((2, amount, WIDTH))], axis=1)
        mask = mx.broadcast_to(mx.arange(LENGTH + amount) < LENGTH, padded.shape[:2])
        np.testing.assert_allclose(model(padded, mask)[:, :LENGTH], model(x), atol=1e-5)


@pytest.mark.parametrize("positions", RELATIVE)
@pytest.mark.parametrize("causal", [False, True], ids=["encoder", "decoder"])
def test_padding_on_the_left_changes_nothing_where_positions_are_relative(positions, causal) -> None:
    model, x = backbone(positions, causal=causal), mx.random.normal((2, LENGTH, WIDTH))
    for amount in (1, 4):
        padded = mx.concatenate([9 * mx.random.normal((2, amount, WIDTH)), x], axis=1)
        mask = mx.broadcast_to(mx.arange(LENGTH + amount) >= amount, padded.shape[:2])
        np.testing.assert_allclose(model(padded, mask)[:, amount:], model(x), atol=1e-5)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("causal", [False, True], ids=["encoder", "decoder"])
def test_padding_alone_is_finite_and_gets_no_gradient_from_real_tokens(positions: str, causal: bool) -> None:
    model, x = backbone(positions, causal=causal), mx.random.normal((BATCH, LENGTH, WIDTH))
    mask = mx.concatenate([mx.zeros((1, LENGTH), dtype=mx.bool_), MASK[1:]])

    def at_real_tokens(x: mx.array) -> mx.array:
        return mx.sum(mx.where(mask[..., None], mx.square(model(x, mask)), 0))

    slope = mx.grad(at_real_tokens)(x)
    assert mx.abs(mx.where(mask[..., None], 0, slope)).max().item() == 0
    assert (mx.abs(slope[1:]).max(axis=-1) > 0).tolist() == mask[1:].tolist()
    everywhere = nn.value_and_grad(model, lambda x: mx.sum(mx.square(model(x, mask))))
    value, gradients = everywhere(x)
    assert all(mx.isfinite(array).all().item() for _, array in [("", value), *tree_flatten(gradients)])


@pytest.mark.parametrize("positions", POSITIONS)
def test_reading_on_in_pieces_and_steps_equals_reading_whole(positions: str) -> None:
    model, x = backbone(positions), mx.random.normal((BATCH, LENGTH, WIDTH))
    state, outputs = model.initial_state(BATCH, LENGTH + 2), []  # with spare capacity
    for start, stop in ((0, 3), (3, 5)):
        y, state = model.extend(x[:, start:stop], state)
        outputs.append(y)
    for t in range(5, LENGTH):
        y, state = model.step(x[:, t], state)
        outputs.append(y[:, None])
    np.testing.assert_allclose(mx.concatenate(outputs, axis=1), model(x), atol=1e-5)


@pytest.mark.parametrize("positions", POSITIONS)
def test_half_precision_stays_half(positions: str) -> None:
    model = backbone(positions)
    model.set_dtype(mx.bfloat16)
    x = mx.random.normal((BATCH, LENGTH, WIDTH)).astype(mx.bfloat16)
    y, state = model.extend(x, model.initial_state(BATCH, LENGTH))
    assert {a.dtype for _, a in tree_flatten([y, model(x, MASK), state.memory])} == {mx.bfloat16}
    np.testing.assert_allclose(*(np.array(a.astype(mx.float32)) for a in (y, model(x))), atol=0.1)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("norm", [True, False])
def test_a_block_can_be_ablated(residual: bool, norm: bool) -> None:
    config = transformer.Config(WIDTH, depth=1, heads=HEADS, residual=residual, norm=norm)
    model, x = transformer.Model(config), 3 * mx.random.normal((BATCH, LENGTH, WIDTH))
    (block,) = model.blocks
    assert any("norm" in path for path, _ in tree_flatten(model.parameters())) == norm

    def normed(x: mx.array) -> mx.array:
        return (x - x.mean(-1, keepdims=True)) * mx.rsqrt(x.var(-1, keepdims=True) + 1e-5) if norm else x

    y = block.attention(normed(x), "causal") + residual * x
    y = block.mlp.narrow(mx.maximum(block.mlp.widen(normed(y)), 0)) + residual * y
    np.testing.assert_allclose(model(x), y, atol=1e-5)
    step, state = [], model.initial_state(BATCH, LENGTH)
    for t in range(LENGTH):
        out, state = model.step(x[:, t], state)
        step.append(out)
    np.testing.assert_allclose(mx.stack(step, axis=1), y, atol=1e-5)


def test_alibi_in_an_encoder_tells_left_from_right() -> None:
    """The reversed sequence does not give the reversed output, as it would by distances alone."""
    model, x = backbone("alibi", causal=False), mx.random.normal((2, LENGTH, WIDTH))
    assert mx.abs(model(x[:, ::-1]) - model(x)[:, ::-1]).max() > 1e-3


def test_alibi_in_an_encoder_sees_both_sides() -> None:
    """Even with one head, which then goes by distances alone."""
    for heads in (1, HEADS):
        model = transformer.Model(
            transformer.Config(WIDTH, depth=1, heads=heads, causal=False, positions="alibi")
        )
        x = mx.random.normal((1, LENGTH, WIDTH))
        for at in (0, LENGTH - 1):
            changed = mx.where((mx.arange(LENGTH) == at)[:, None], mx.random.normal((WIDTH,)), x)
            assert mx.abs(model(changed) - model(x))[0, LENGTH // 2].max() > 1e-6


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (mx.ones((2, LENGTH)), "must be bool"),
        (mx.ones((2, LENGTH + 1), dtype=mx.bool_), r"shape \(2, 7\)"),
    ],
)
def test_a_wrong_mask_is_an_error(mask: mx.array, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        backbone("rope")(mx.zeros((2, LENGTH, WIDTH)), mask)


@pytest.mark.usefixtures("as_users_have_it")
def test_inputs_must_be_floating_point() -> None:
    model = backbone("rope")
    for read in (
        lambda: model(mx.zeros((2, LENGTH, WIDTH), dtype=mx.int32)),
        lambda: model.step(mx.zeros((2, WIDTH), dtype=mx.int32), model.initial_state(2, 3)),
    ):
        with pytest.raises(UsageError, match="floating-point numbers"):
            read()


def test_a_cache_longer_than_the_learned_positions_is_an_error() -> None:
    model, long = backbone("learned"), 2 * LENGTH + 1
    foreign = backbone("rope").initial_state(1, long)  # the state of a model that can go further
    for read in (
        lambda: model.initial_state(1, long),
        lambda: model.extend(mx.zeros((1, 2, WIDTH)), foreign),
        lambda: model.step(mx.zeros((1, WIDTH)), foreign),
        lambda: model(mx.zeros((1, long, WIDTH))),
    ):
        with pytest.raises(UsageError, match="learned for 14 steps, found 15"):
            read()


def test_layers_of_sliding_windows_see_as_far_as_their_windows_add_up() -> None:
    """Two layers that reach 3 positions depend on the last 5 inputs and on no earlier one."""
    model = transformer.Model(transformer.Config(WIDTH, depth=2, heads=HEADS, reach=3))
    x, other = mx.random.normal((2, 1, 12, WIDTH))
    whole = model(x)[0, -1]
    changed = [mx.where((mx.arange(12) == at)[:, None], other, x) for at in range(12)]
    moved = [bool(mx.any(model(each)[0, -1] != whole)) for each in changed]
    assert moved == [False] * 7 + [True] * 5


def test_a_reach_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="reach"):
        transformer.Config(WIDTH, heads=HEADS, reach=0)
