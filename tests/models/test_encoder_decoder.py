"""The encoder-decoder: order of sub-layers, decoding, padding of the source, tied weights, wrong inputs."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx.utils import tree_flatten

from seqlab.errors import UsageError
from seqlab.models import encoder_decoder
from seqlab.models.parts.attention import cross_attention_mask
from seqlab.models.sizing import parameters

VOCABULARY, WIDTH, BATCH, SOURCE, TARGET = 11, 8, 3, 6, 9
POSITIONS = ("none", "sinusoidal", "learned", "rope", "alibi")
MASK = mx.array([[1] * 6, [1] * 4 + [0] * 2, [1] + [0] * 5]) == 1


def model_of(positions: str = "rope", **sizes) -> encoder_decoder.Model:
    config = {"vocabulary": VOCABULARY, "width": WIDTH, "heads": 2, "length": 12} | sizes
    return encoder_decoder.Model(encoder_decoder.Config(positions=positions, **config))


def tokens(length: int, batch: int = BATCH) -> mx.array:
    return mx.random.randint(0, VOCABULARY, (batch, length))


def gradients_of(model: nn.Module, *batch: mx.array) -> dict[str, mx.array]:
    weights = mx.random.normal((BATCH, TARGET, VOCABULARY))
    _, found = nn.value_and_grad(model, lambda *batch: mx.sum(weights * model(*batch)))(*batch)
    return dict(tree_flatten(found))


def test_sublayers_are_in_the_order_written(randomised) -> None:
    model = randomised(model_of("none", depth=1))
    source, target = tokens(SOURCE), tokens(TARGET)
    block, encoder = model.decoder[0], model.encoder[0]
    x = model.embed(source)
    x = x + encoder.attention(encoder.attention_norm(x), None)
    x = model.encoder_norm(x + encoder.mlp(x))
    y = model.embed(target)
    y = y + block.attention(block.attention_norm(y), "causal")
    y = y + block.cross(block.cross_norm(y), block.cross.project(x), None)
    y = y + block.mlp(y)
    np.testing.assert_allclose(model(source, target), model.to_logits(model.norm(y)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
def test_decoding_equals_reading_whole(positions: str, mask: mx.array | None) -> None:
    model, source, target = model_of(positions), tokens(SOURCE), tokens(TARGET)
    whole = model(source, target, mask)
    state = model.initial_state(source, 12, mask)
    for start, stop in ((0, 1), (1, 5)):
        logits, state = model.prefill(target[:, start:stop], state)
        np.testing.assert_allclose(logits, whole[:, stop - 1], atol=1e-5)
    advance = mx.compile(model.advance)
    for t in range(5, TARGET):
        compiled, _ = advance(target[:, t], mx.array(t), state.memory)
        logits, state = model.step(target[:, t], state)
        np.testing.assert_allclose(logits, whole[:, t], atol=1e-5)
        np.testing.assert_allclose(compiled, logits, atol=1e-5)
    assert state.position == TARGET


def test_the_source_is_read_once() -> None:
    model = model_of()
    before = model.initial_state(tokens(SOURCE), TARGET)
    _, after = model.prefill(tokens(3), before)
    for (_, old), (_, new) in zip(before.memory[1], after.memory[1], strict=True):
        assert old[0] is new[0]
        assert old[1] is new[1]


def test_a_target_depends_on_the_whole_source_and_not_on_its_own_future() -> None:
    model, source, target = model_of(), tokens(SOURCE), tokens(TARGET)
    logits = model(source, target)
    changed = mx.concatenate([target[:, :5], (target[:, 5:] + 1) % VOCABULARY], axis=1)
    difference = mx.abs(model(source, changed) - logits).max(axis=(0, 2))
    assert difference[:5].max().item() < 1e-6 < 1e-4 < difference[5:].min().item()
    for place in range(SOURCE):
        other = mx.where(mx.arange(SOURCE) == place, (source + 1) % VOCABULARY, source)
        assert mx.abs(model(other, target) - logits).max(axis=2).min().item() > 1e-6


@pytest.mark.parametrize("positions", POSITIONS)
def test_padding_of_the_source_changes_nothing(positions: str) -> None:
    model, source, target = model_of(positions), tokens(SOURCE), tokens(TARGET)
    expected = model(source, target)
    for amount in (1, 5):
        padded = mx.concatenate([source, tokens(amount)], axis=1)
        mask = mx.broadcast_to(mx.arange(SOURCE + amount) < SOURCE, padded.shape)
        np.testing.assert_allclose(model(padded, target, mask), expected, atol=1e-5)


def test_a_source_of_padding_only_is_ignored() -> None:
    model, target, nothing = model_of(), tokens(TARGET), mx.zeros((BATCH, SOURCE), dtype=mx.bool_)
    first, second = (model(tokens(SOURCE), target, nothing) for _ in range(2))
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert cross_attention_mask(nothing).all().item()  # never an empty softmax
    found = gradients_of(model, tokens(SOURCE), target, nothing)
    assert all(mx.isfinite(gradient).all().item() for gradient in found.values())


def test_tying_shares_the_gradient() -> None:
    """A token that does not occur has a gradient only through the logits."""
    source, target = tokens(SOURCE) % 4, tokens(TARGET) % 4
    for tied in (True, False):
        gradient = gradients_of(model_of(tied=tied), source, target)["embedding.weight"]
        assert (mx.abs(gradient[4:]).max().item() > 0) is tied
        assert mx.abs(gradient[:4]).max().item() > 0
    assert parameters(model_of()) - parameters(model_of(tied=True)) == (WIDTH + 1) * VOCABULARY


def test_it_learns_to_reverse_a_batch() -> None:
    model = model_of("learned", width=16, depth=1)
    source = 1 + tokens(5, batch=8) % (VOCABULARY - 1)  # 0 is the start token and occurs nowhere else
    target = mx.concatenate([mx.zeros((8, 1), dtype=source.dtype), source[:, ::-1]], axis=1)
    optimiser = optim.Adam(learning_rate=5e-3)
    step = nn.value_and_grad(
        model,
        lambda: nn.losses.cross_entropy(model(source, target[:, :-1]), target[:, 1:], reduction="mean"),
    )
    for _ in range(60):
        loss, gradients = step()
        optimiser.update(model, gradients)
        mx.eval(loss, model.parameters(), optimiser.state)
    assert loss.item() < 0.1  # chance level: 2.4
    state, token, written = model.initial_state(source, 5), target[:, 0], []
    for _ in range(5):
        logits, state = model.step(token, state)
        token = mx.argmax(logits, axis=-1)
        written.append(token)
    np.testing.assert_array_equal(mx.stack(written, axis=1), target[:, 1:])


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"vocabulary": 0}, "vocabulary must be 1 or more"),
        ({"depth": 0}, "depth must be 1 or more"),
        ({"heads": 3}, "heads must divide width"),
        ({"positions": "alibbi"}, "Did you mean 'alibi'"),
        ({"positions": "learned", "length": None}, "longest sequence"),
        ({"activation": "rellu"}, "Did you mean 'relu'"),
        ({"hidden": 0}, "hidden must be 1 or more"),
    ],
)
def test_an_impossible_config_is_an_error(sizes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model_of(**sizes)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda m: m(tokens(0), tokens(3)), "no tokens"),
        (lambda m: m(tokens(3), tokens(0)), "no tokens"),
        (lambda m: m(tokens(3), mx.zeros((BATCH, 3))), "must be integers, found mlx.core.float32"),
        (lambda m: m(tokens(3), tokens(3)[0]), r"shape \(batch, length\), found \(3,\)"),
        (lambda m: m(tokens(3, batch=1), tokens(3)), "in pairs, found 1 and 3"),
        (lambda m: m(tokens(13), tokens(3)), "learned for 12 steps, found 13"),
        (lambda m: m(tokens(3), tokens(13)), "learned for 12 steps, found 13"),
        (lambda m: m.initial_state(tokens(3), 13), "learned for 12 steps, found 13"),
        (lambda m: m.initial_state(tokens(3), 0), "length must be 1 or more"),
        (lambda m: m.initial_state(tokens(3) + VOCABULARY, 4), "must lie in 0 to 10"),
        (lambda m: m.prefill(tokens(2) - VOCABULARY, m.initial_state(tokens(3), 4)), "must lie in 0 to 10"),
        (lambda m: m.prefill(tokens(5), m.initial_state(tokens(3), 4)), "cache holds 4 steps and is full"),
        (lambda m: m.step(tokens(1)[:, 0], m.initial_state(tokens(3), 4)._replace(position=4)), "is full"),
        (lambda m: m.check(np.array([[0, VOCABULARY]])), "must lie in 0 to 10, found 0 to 11"),
        (lambda m: m(tokens(3), tokens(3), mx.ones((BATCH, 3))), "a padding mask must be bool"),
    ],
)
def test_a_wrong_input_is_an_error(read, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(model_of("learned"))
