"""Heads, vision and series: what each computes, beyond the shapes that the contract tests."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.models import cnn, dlinear, gru, heads, lstm, patch_transformer, transformer, vit
from seqlab.models.sizing import parameters


def test_embeddings_have_unit_scale() -> None:
    model = heads.LanguageModel(gru.Model(gru.Config(64)), vocabulary=200)
    assert model.embed(mx.arange(200)).var().item() == pytest.approx(1, abs=0.1)


def gradient_of_unused_tokens(model: heads.LanguageModel) -> float:
    """The largest gradient of the embeddings of tokens that no input contains."""
    tokens = mx.random.randint(0, 3, (2, 6))
    _, gradients = nn.value_and_grad(model, lambda: mx.sum(mx.square(model(tokens))))()
    return mx.abs(gradients["embedding"]["weight"][3:]).max().item()


def test_tied_weights_share_their_gradient() -> None:
    tied = heads.LanguageModel(gru.Model(gru.Config(8)), vocabulary=5, tied=True)
    free = heads.LanguageModel(gru.Model(gru.Config(8)), vocabulary=5)
    assert gradient_of_unused_tokens(tied) > 0 == gradient_of_unused_tokens(free)
    assert parameters(free) - parameters(tied) == 5 * 9
    y = mx.random.normal((3, 8))
    np.testing.assert_allclose(tied.read(y), tied.norm(y) @ tied.embedding.weight.T, atol=1e-6)


def test_tied_logits_start_with_unit_scale() -> None:
    model = heads.LanguageModel(gru.Model(gru.Config(64)), vocabulary=200, tied=True)
    assert model.read(mx.random.normal((50, 64))).var().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("backbone", [gru.Model(gru.Config(8)), transformer.Model(transformer.Config(8))])
def test_a_model_with_a_period_embeds_positions_in_every_mode(backbone: nn.Module) -> None:
    """A repeated token with a period of three: whole, and in pieces that start inside a period."""
    model = heads.LanguageModel(backbone, vocabulary=5, period=3)
    tokens = mx.full((2, 8), 3)
    first = model.read(model._embed_at(tokens, mx.arange(8)))  # before the backbone mixes steps
    np.testing.assert_allclose(first[:, 0], first[:, 3], atol=1e-6)
    assert mx.abs(first[:, 0] - first[:, 1]).max().item() > 1e-2
    whole = model(tokens)
    logits, state = model.prefill(tokens[:, :4], model.initial_state(2, 8))
    np.testing.assert_allclose(logits, whole[:, 3], atol=1e-5)
    logits, state = model.prefill(tokens[:, 4:6], state)
    np.testing.assert_allclose(logits, whole[:, 5], atol=1e-5)
    logits, state = model.step(tokens[:, 6], state)
    np.testing.assert_allclose(logits, whole[:, 6], atol=1e-5)
    logits, _ = model.advance(tokens[:, 7], mx.array(state.position), state.memory)
    np.testing.assert_allclose(logits, whole[:, 7], atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_masked_language_model_ignores_padding(side: str) -> None:
    """As BERT: an encoder that labels each token of a padded batch."""
    backbone = transformer.Model(transformer.Config(8, heads=2, causal=False))
    model = heads.LanguageModel(backbone, vocabulary=5, outputs=3)
    tokens, padding = mx.random.randint(0, 5, (2, 6)), mx.random.randint(0, 5, (2, 4))
    padded = mx.concatenate([padding, tokens] if side == "left" else [tokens, padding], axis=1)
    real = slice(4, 10) if side == "left" else slice(6)
    mask = mx.broadcast_to(mx.array([t in range(10)[real] for t in range(10)]), (2, 10))
    assert model(tokens).shape == (2, 6, 3)
    np.testing.assert_allclose(model(padded, mask)[:, real], model(tokens), atol=1e-5)


@pytest.mark.parametrize("pool", ["last", "mean"])
@pytest.mark.parametrize("backbone", [gru.Model(gru.Config(8)), transformer.Model(transformer.Config(8))])
def test_a_classifier_ignores_padding(pool: str, backbone: nn.Module) -> None:
    model, rows = heads.RowClassifier(backbone, channels=3, classes=4, pool=pool), mx.random.normal((3, 7, 3))
    lengths = [7, 4, 1]
    mask = mx.arange(7) < mx.array(lengths)[:, None]
    alone = [model(rows[i : i + 1, :length]) for i, length in enumerate(lengths)]
    np.testing.assert_allclose(model(rows, mask), mx.concatenate(alone), atol=1e-5)
    assert mx.isfinite(model(rows, mx.zeros_like(mask))).all().item()


def test_a_non_causal_backbone_without_a_mask_refuses_one() -> None:
    class Ahead(gru.Model):
        causal = False

    model = heads.LanguageModel(Ahead(gru.Config(4)), vocabulary=5)
    tokens = mx.zeros((1, 3), dtype=mx.int32)
    assert model(tokens).shape == (1, 3, 5)
    with pytest.raises(UsageError, match="sees ahead and takes no padding mask"):
        model(tokens, mx.ones((1, 3), dtype=mx.bool_))


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda m: m(mx.zeros((2, 0), dtype=mx.int32)), "no tokens"),
        (lambda m: m(mx.zeros((2, 3))), "tokens must be integers, found mlx.core.float32"),
        (lambda m: m(mx.zeros((3,), dtype=mx.int32)), r"shape \(batch, length\), found \(3,\)"),
        (lambda m: m.step(mx.zeros((2,)), m.initial_state(2, 3)), "tokens must be integers"),
        (lambda m: m.prefill(mx.array([[1, 5]]), m.initial_state(1, 3)), "0 to 4, found 1 to 5"),
        (lambda m: m.prefill(mx.array([[1] * 4]), m.initial_state(1, 3)), "cache holds 3 steps"),
        (lambda m: m.check(mx.array([[-1, 2]])), "0 to 4, found -1 to 2"),
    ],
)
def test_impossible_tokens_are_errors(read, message: str) -> None:
    model = heads.LanguageModel(transformer.Model(transformer.Config(8)), vocabulary=5)
    with pytest.raises(UsageError, match=message):
        read(model)


def test_a_prompt_can_be_compiled() -> None:
    """Token ids are not checked while there are no values."""
    model = heads.LanguageModel(transformer.Model(transformer.Config(8)), vocabulary=5)
    tokens, state = mx.random.randint(0, 5, (2, 3)), model.initial_state(2, 3)
    compiled = mx.compile(lambda tokens: model.prefill(tokens, state)[0])
    np.testing.assert_allclose(compiled(tokens), model.prefill(tokens, state)[0], atol=1e-5)


def test_a_forecast_follows_shift_and_scale_of_the_window() -> None:
    window = mx.random.normal((2, 16, 3))
    for how, scale in (("mean_std", 4.0), ("last", 1.0)):
        for model in (
            heads.Forecaster(lstm.Model(lstm.Config(6)), lookback=16, horizon=4, normalisation=how),
            patch_transformer.Model(
                patch_transformer.Config(lookback=16, horizon=4, width=6, heads=2, normalisation=how)
            ),
            dlinear.Model(dlinear.Config(lookback=16, horizon=4, normalisation=how)),
        ):
            moved = model(window * scale + 10)
            np.testing.assert_allclose(moved, model(window) * scale + 10, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("channel", [0, 2])
def test_channels_are_forecast_independently(channel: int) -> None:
    window = mx.random.normal((2, 20, 3))
    for model in (
        heads.Forecaster(lstm.Model(lstm.Config(6)), lookback=20, horizon=4),
        patch_transformer.Model(patch_transformer.Config(lookback=20, horizon=4, width=6, heads=2)),
        dlinear.Model(dlinear.Config(lookback=20, horizon=4)),
    ):
        alone = model(window[..., channel : channel + 1])
        np.testing.assert_allclose(alone[..., 0], model(window)[..., channel], atol=1e-5)


def test_dlinear_is_two_linear_maps_of_a_moving_average(randomised) -> None:
    model = randomised(dlinear.Model(dlinear.Config(lookback=12, horizon=4, kernel=5)))
    window = mx.random.normal((2, 12, 3))
    a, b, bias = (
        np.array(x, np.float64) for x in (model.trend.weight, model.remainder.weight, model.trend.bias)
    )
    expected = np.empty((2, 4, 3))
    for i, j in np.ndindex(2, 3):
        series = np.array(window[i, :, j], np.float64)
        padded = np.concatenate([[series[0]] * 2, series, [series[-1]] * 2])
        trend = np.array([padded[t : t + 5].mean() for t in range(12)])
        expected[i, :, j] = a @ trend + b @ (series - trend) + bias
    np.testing.assert_allclose(model(window), expected, rtol=1e-4, atol=1e-5)


def test_patches_of_a_series_overlap_and_end_with_the_last_value() -> None:
    config = patch_transformer.Config(lookback=21, horizon=1, patch=8, stride=4)
    patches = np.array(patch_transformer.cut(mx.arange(21, dtype=mx.float32)[None], config))[0]
    assert patches.shape == (config.patches, 8)
    padded = [*range(21), 20, 20, 20, 20]
    for n, patch in enumerate(patches):
        np.testing.assert_array_equal(patch, padded[4 * n : 4 * n + 8])


def test_patches_of_an_image_are_its_squares() -> None:
    image = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    patches = np.array(vit.patchify(mx.array(image)[None], 3))[0]
    np.testing.assert_array_equal(patches[1], image[:3, 3:].ravel())
    np.testing.assert_array_equal(patches[2], image[3:, :3].ravel())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: vit.Config(size=28, patch=5), "patch must divide size"),
        (lambda: vit.Config(width=10, heads=4), "heads must divide width"),
        (lambda: vit.Config(depth=0), "depth must be 1 or more"),
        (lambda: cnn.Config(size=3), "size must be 4 or more"),
        (lambda: dlinear.Config(lookback=9, horizon=1, kernel=4), "kernel must be odd"),
        (lambda: patch_transformer.Config(lookback=9, horizon=1), "must hold a patch of 16"),
        (lambda: heads.LanguageModel(gru.Model(gru.Config(4)), vocabulary=9, width=5), "found 5 and 4"),
        (
            lambda: heads.LanguageModel(gru.Model(gru.Config(4)), vocabulary=9, outputs=2, tied=True),
            "as many outputs as tokens",
        ),
        (lambda: heads.RowClassifier(gru.Model(gru.Config(4)), channels=2, classes=0), "classes must be 1"),
        (lambda: heads.Forecaster(gru.Model(gru.Config(4)), lookback=8, horizon=0), "horizon must be 1"),
    ],
)
def test_an_impossible_config_is_an_error(make, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (vit.Model(vit.Config(size=8, depth=1)), (1, 8, 9), "expected images of shape"),
        (cnn.Model(cnn.Config(size=8)), (1, 8, 8, 1), "expected images of shape"),
        (dlinear.Model(dlinear.Config(lookback=9, horizon=1)), (1, 8, 2), "sequences of 9 steps, found 8"),
    ],
)
def test_an_input_of_another_size_is_an_error(model: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model(mx.zeros(shape))
