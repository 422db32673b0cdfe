"""The Vision Transformer: its convolutional stem, number of tokens, attention weights and rollout."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.models import vit


def network(*, size: int, patch: int, stem: str = "convolution", width: int = 8) -> vit.Model:
    return vit.Model(vit.Config(width=width, depth=1, heads=2, size=size, patch=patch, classes=4, stem=stem))


def convolve(layer: nn.Conv2d, image: np.ndarray) -> np.ndarray:
    """relu of a 3 × 3 convolution of stride 2, the image padded with zeros."""
    weight, bias = (np.array(x, np.float64) for x in (layer.weight, layer.bias))
    side = (len(image) + 1) // 2
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    y = np.empty((side, side, len(weight)))
    for row, column, output in np.ndindex(*y.shape):
        patch = padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        y[row, column, output] = max(0, bias[output] + (weight[output] * patch).sum())
    return y


@pytest.mark.parametrize(("size", "patch"), [(8, 4), (9, 3), (7, 2)])
def test_the_stem_follows_its_equations(size: int, patch: int, randomised) -> None:
    model, images = randomised(network(size=size, patch=patch)), mx.random.normal((2, size, size))
    expected = []
    for image in np.array(images, np.float64)[..., None]:
        for layer in model.stem.layers:
            image = convolve(layer, image)
        expected.append(image.reshape(-1, 8))
    tokens = model.stem(images)
    np.testing.assert_allclose(tokens, expected, rtol=1e-4, atol=1e-5)
    assert model.embed(images).shape == tokens.shape
    np.testing.assert_allclose(
        model.embed(images), model.to_width(tokens) + model.positions.weight, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("size", "patch", "tokens"), [(28, 4, 49), (28, 7, 16), (28, 2, 196), (32, 8, 16), (9, 3, 9)]
)
def test_the_stem_gives_as_many_tokens_as_patches(size: int, patch: int, tokens: int) -> None:
    for stem in ("patches", "convolution"):
        model = network(size=size, patch=patch, stem=stem)
        assert model.embed(mx.zeros((1, size, size))).shape == (1, tokens, 8)


def test_the_stem_preserves_the_scale_of_its_inputs_at_initialisation() -> None:
    """With MLX's initialisation three layers would leave a twentieth, much less than the positions."""
    images = mx.random.normal((8, 28, 28))
    tokens = network(size=28, patch=8, width=64).stem(images)
    assert 0.4 < mx.sqrt(mx.mean(mx.square(tokens))).item() < 2


@pytest.mark.parametrize(
    ("size", "patch", "width", "channels"),
    [(28, 4, 64, [32, 64]), (16, 8, 6, [1, 3, 6]), (16, 8, 2, [1, 1, 2])],
)
def test_channels_double_up_to_the_width(size: int, patch: int, width: int, channels: list[int]) -> None:
    layers = network(size=size, patch=patch, width=width).stem.layers
    assert [layer.weight.shape[0] for layer in layers] == channels


def test_patches_are_linear_and_the_stem_is_not(randomised) -> None:
    one, two = mx.random.normal((2, 1, 8, 8))
    for stem, linear in (("patches", True), ("convolution", False)):
        model = randomised(network(size=8, patch=4, stem=stem))
        bend = model.embed(one + two) + model.embed(0 * one) - model.embed(one) - model.embed(two)
        assert (mx.abs(bend).max().item() < 1e-4) == linear


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"patch": 29}, "patch must be at most size, found patch 29 and size 28"),
        ({"patch": 29, "stem": "convolution"}, "patch must be at most size, found patch 29 and size 28"),
        ({"patch": 1, "stem": "convolution"}, "patch must be 2 or more"),
        ({"patch": 0}, "patch must be 1 or more"),
        ({"stem": "convolutions"}, "Did you mean 'convolution'"),
    ],
)
def test_an_impossible_config_is_an_error(sizes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        vit.Config(**sizes)


@pytest.mark.parametrize("stem", ["patches", "convolution"])
def test_attention_weights_are_those_of_the_forward_pass(stem: str, randomised) -> None:
    sizes = vit.Config(width=8, depth=2, heads=2, size=8, patch=2, classes=4, stem=stem)
    model, images = randomised(vit.Model(sizes)), mx.random.normal((3, 8, 8))
    attention = model.attention(images)
    assert attention.shape == (3, 2, 2, 16, 16)
    np.testing.assert_allclose(attention.sum(axis=-1), np.ones((3, 2, 2, 16)), rtol=1e-5)
    assert attention.min().item() >= 0
    x = model.embed(images)
    for layer, block in enumerate(model.blocks):
        inputs = block.attention_norm(x)
        values = mx.split(block.attention.to_qkv(inputs), 3, axis=-1)[2]
        by_head = [
            attention[:, layer, head] @ values[..., 4 * head : 4 * head + 4] for head in range(sizes.heads)
        ]
        found = block.attention.to_output(mx.concatenate(by_head, axis=-1))
        np.testing.assert_allclose(found, block.attention(inputs, None), rtol=1e-4, atol=1e-5)
        x = block(x, None)


def test_rollout_multiplies_layers_mixed_with_the_residual_stream() -> None:
    rng = np.random.default_rng(0)
    raw = rng.random((2, 3, 2, 5, 5))
    attention = raw / raw.sum(axis=-1, keepdims=True)
    for weights, share in zip(attention, vit.rollout(mx.array(attention)), strict=True):
        flow = np.eye(5)
        for layer in weights:
            flow = (0.5 * layer.mean(axis=0) + 0.5 * np.eye(5)) @ flow
        np.testing.assert_allclose(share, flow.mean(axis=0), rtol=1e-5)


def test_rollout_on_known_weights() -> None:
    even = mx.full((1, 4, 2, 9, 9), 1 / 9)
    np.testing.assert_allclose(vit.rollout(even), np.full((1, 9), 1 / 9), rtol=1e-5)
    to_the_first = mx.zeros((1, 1, 1, 4, 4)).at[..., 0].add(1)
    np.testing.assert_allclose(vit.rollout(to_the_first)[0], [0.625, 0.125, 0.125, 0.125], rtol=1e-6)
    last = mx.zeros((1, 1, 1, 4, 4)).at[..., 3].add(1)
    # By then half of the last token's contribution is the first token's.
    both = vit.rollout(mx.concatenate([to_the_first, last], axis=1))
    np.testing.assert_allclose(both[0], [0.5625, 0.0625, 0.0625, 0.3125], rtol=1e-6)


def test_the_attention_map_is_the_rollout_relative_to_an_even_share(randomised) -> None:
    model = randomised(network(size=8, patch=2, stem="patches"))
    images = mx.random.normal((3, 8, 8), key=mx.random.key(0))
    found = np.array(vit.attention_map(model, images))
    assert found.shape == (3, 4, 4)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), 1, rtol=1e-5)
    shares = np.array(vit.rollout(model.attention(images)))
    np.testing.assert_allclose(found[:, 1, 2], 16 * shares[:, 6], rtol=1e-6)  # row by row


def test_positions_start_with_unit_variance() -> None:
    positions = network(size=28, patch=4, stem="patches", width=64).positions.weight
    assert positions.shape == (49, 64)
    assert mx.std(positions).item() == pytest.approx(1, abs=0.05)
