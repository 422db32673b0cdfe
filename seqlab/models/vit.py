"""Vision Transformer (Dosovitskiy et al., 2021): an image as a sequence of square patches.

Patches are projected, learned positions added, and an encoder is run. The mean of its outputs is classified;
the paper classifies the output of an extra class token and finds both equally good (its appendix D.3). ReLU
is the default, as in our other encoders; the paper's GELU is `activation="gelu"`. Positions start at the
scale that standardised pixels give a token. If they started smaller, the mean would at first hide the order.

The convolutional stem (CCT: Hassani et al., 2021) replaces the projection of patches by 3 × 3 convolutions
with ReLU. As in Xiao et al. (2021) they have stride 2, their channels double up to the width, and a linear
layer follows. There is no batch norm, so that images stay independent. The number of halvings is log₂ of the
patch, rounded: if the patch is a power of two that divides the size, this gives as many tokens as patches do.
"""

import math
from dataclasses import dataclass
from typing import Literal

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.errors import UsageError
from seqlab.models.parts.activations import relu
from seqlab.models.parts.attention import Activation, Block, check_block
from seqlab.models.parts.checks import check_choice, check_images, check_positive
from seqlab.models.parts.positions import LearnedPositions

Stem = Literal["patches", "convolution"]


@dataclass(frozen=True)
class Config:
    """Sizes, in pixels for `size` and `patch`; `hidden` is the MLP's width (4 × width by default).

    `stem` is how pixels become tokens; with "convolution", `patch` sets the total stride.
    """

    width: int = 64
    depth: int = 4
    heads: int = 4
    hidden: int | None = None
    size: int = 28
    patch: int = 4
    classes: int = 10
    activation: Activation = "relu"
    stem: Stem = "patches"

    def __post_init__(self) -> None:
        check_positive(depth=self.depth, size=self.size, patch=self.patch, classes=self.classes)
        check_block(self)
        check_choice("stem", self.stem, ("patches", "convolution"))
        if self.patch > self.size:
            raise UsageError(f"patch must be at most size, found patch {self.patch} and size {self.size}.")
        if self.stem == "patches" and self.size % self.patch:
            raise UsageError(f"patch must divide size, found patch {self.patch} and size {self.size}.")
        if self.stem == "convolution" and self.patch == 1:
            raise UsageError("with a convolution stem patch must be 2 or more, found 1.")

    @property
    def halvings(self) -> int:
        """The number of strided convolutions in the stem."""
        return 0 if self.stem == "patches" else round(math.log2(self.patch))

    @property
    def side(self) -> int:
        """The number of tokens along a side of the image."""
        # Each halving rounds up, which equals rounding up once at the end.
        return self.size // self.patch if self.stem == "patches" else -(-self.size // 2**self.halvings)


def patchify(images: Float[mx.array, "B S S"], patch: int) -> Float[mx.array, "B N E"]:
    """Cut images into N square patches, row by row, and flatten each to E pixels."""
    batch, size, _ = images.shape
    side = size // patch
    return images.reshape(batch, side, patch, side, patch).swapaxes(2, 3).reshape(batch, side**2, patch**2)


class ConvolutionStem(nn.Module):
    """relu(3 × 3 convolution of stride 2), channels doubling up to the width; N tokens, row by row."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels = [max(1, config.width >> left) for left in reversed(range(config.halvings))]
        self.layers = [
            nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1)
            for inputs, outputs in zip([1, *channels], channels, strict=False)
        ]
        for layer in self.layers:  # variance 2 / inputs (He et al. 2015); MLX draws 1 / (3 inputs)
            layer.weight *= math.sqrt(6)

    def __call__(self, images: Float[mx.array, "B S S"]) -> Float[mx.array, "B N D"]:
        x = images[..., None]
        for layer in self.layers:
            x = relu(layer(x))
        return x.flatten(1, 2)


class Model(nn.Module):
    """Grey images (B, size, size) to logits (B, classes)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        if config.stem == "convolution":
            self.stem = ConvolutionStem(config)
        self.to_width = nn.Linear(config.patch**2 if config.stem == "patches" else config.width, config.width)
        self.positions = LearnedPositions(length=config.side**2, width=config.width)
        self.positions.weight *= math.sqrt(config.width)  # to standard deviation 1, as the pixels have
        self.blocks = [Block(config, rotary=False) for _ in range(config.depth)]
        self.norm = nn.LayerNorm(config.width)
        self.to_logits = nn.Linear(config.width, config.classes)

    def embed(self, images: Float[mx.array, "B S S"]) -> Float[mx.array, "B N D"]:
        """Tokens with their positions added."""
        if self.config.stem == "convolution":
            features = self.stem(images)
        else:
            features = patchify(images, self.config.patch)
        tokens: mx.array = self.to_width(features) + self.positions.weight
        return tokens

    def __call__(self, images: Float[mx.array, "B S S"]) -> Float[mx.array, "B K"]:
        check_images(images, size=self.config.size)
        x = self.embed(images)
        for block in self.blocks:
            x = block(x, None)
        logits: mx.array = self.to_logits(mx.mean(self.norm(x), axis=1))
        return logits

    def attention(self, images: Float[mx.array, "B S S"]) -> Float[mx.array, "B Y H N N"]:
        """The attention weights of a forward pass for each of Y layers and H heads; rows sum to 1."""
        check_images(images, size=self.config.size)
        x = self.embed(images)
        weights = []
        for block in self.blocks:
            weights.append(block.attention.weights(block.attention_norm(x)))
            x = block(x, None)
        return mx.stack(weights, axis=1)


def rollout(attention: Float[mx.array, "B Y H N N"]) -> Float[mx.array, "B N"]:
    """How much each token contributes to the classified mean: attention rollout (Abnar & Zuidema, 2020).

    The attention A of each layer is averaged over heads and mixed with the residual stream to (A + I) / 2,
    and the layers are multiplied, the last one on the left. The result sums to 1 for each image. Rollout
    follows attention weights alone and ignores values and MLPs.
    """
    layers = mx.mean(attention, axis=2)
    identity = mx.eye(layers.shape[-1])
    flow = identity
    for layer in range(layers.shape[1]):
        flow = (layers[:, layer] + identity) / 2 @ flow
    return mx.mean(flow, axis=1)


def attention_map(model: Model, images: Float[mx.array, "B S S"]) -> Float[mx.array, "B R R"]:
    """Attention rollout of each image as a map of its patches, relative to an even share."""
    shares = rollout(model.attention(images))
    return (shares * shares.shape[1]).reshape(-1, model.config.side, model.config.side)
