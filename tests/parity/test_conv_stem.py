"""Do the convolutional stem's outputs and gradients equal PyTorch's, weights copied over?"""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from seqlab.models import vit

torch = pytest.importorskip("torch")


def close(found: mx.array, expected: np.ndarray) -> None:
    """Equal to 1e-4, relative to the largest value."""
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("size", "patch"), [(28, 4), (28, 7), (9, 3)])
def test_the_stem_equals_pytorch(size: int, patch: int) -> None:
    mx.random.seed(0)
    config = vit.Config(width=8, depth=1, heads=2, size=size, patch=patch, stem="convolution")
    stem = vit.ConvolutionStem(config)
    images = np.random.default_rng(0).normal(size=(3, size, size)).astype(np.float32)
    slope = np.random.default_rng(1).normal(size=(3, config.side**2, 8)).astype(np.float32)

    layers = []
    for layer in stem.layers:
        weight = np.array(layer.weight)  # MLX keeps channels last: (outputs, rows, columns, inputs)
        theirs = torch.nn.Conv2d(weight.shape[3], weight.shape[0], kernel_size=3, stride=2, padding=1)
        with torch.no_grad():
            theirs.weight.copy_(torch.from_numpy(weight.transpose(0, 3, 1, 2).copy()))
            theirs.bias.copy_(torch.from_numpy(np.array(layer.bias)))
        layers += [theirs, torch.nn.ReLU()]
    pixels = torch.from_numpy(images).requires_grad_()
    tokens = torch.nn.Sequential(*layers)(pixels[:, None]).flatten(2).transpose(1, 2)
    (tokens * torch.from_numpy(slope)).sum().backward()

    x = mx.array(images)
    close(stem(x), tokens.detach().numpy())
    _, gradients = nn.value_and_grad(stem, lambda x: mx.sum(stem(x) * mx.array(slope)))(x)
    for found, theirs in zip(gradients["layers"], layers[::2], strict=True):
        close(found["weight"], theirs.weight.grad.numpy().transpose(0, 2, 3, 1))
        close(found["bias"], theirs.bias.grad.numpy())
    close(mx.grad(lambda x: mx.sum(stem(x) * mx.array(slope)))(x), pixels.grad.numpy())
