"""Vision Transformer (Dosovitskiy et al., 2021): an image as a sequence of square patches.

Patches are projected, learned positions added, an encoder run; the mean of its outputs is classified, where
the paper classifies that of an added class token (its appendix D.3 finds both alike). ReLU is the default
here as in our other encoders; the paper has GELU, which is `activation="gelu"`. Positions begin as large as
standardised pixels make a token: begun smaller, what stands where is at first lost in the mean.

The convolutional stem (CCT: Hassani et al., 2021) reads pixels with 3 × 3 convolutions and ReLU instead. As
in Xiao et al. (2021) they have stride 2 and channels that double up to the width, and a linear layer follows;
there is no batch norm, so that images stay independent. The image is halved as often as makes up a patch,
which gives as many tokens where the patch is a power of two that divides the size, else about as many.
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

    `stem` is how pixels become tokens; with "convolution", `patch` says how coarsely.
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
            raise UsageError("a convolution stem halves the image: patch must be 2 or more, found 1.")

    @property
    def halvings(self) -> int:
        """Strided convolutions of the stem."""
        return 0 if self.stem == "patches" else round(math.log2(self.patch))

    @property
    def side(self) -> int:
        """Tokens along a side of the image."""
        # Each halving rounds up, and so do all of them at once.
        return self.size // self.patch if self.stem == "patches" else -(-self.size // 2**self.halvings)


def patchify(images: Float[mx.array, "B S S"], patch: int) -> Float[mx.array, "B N E"]:
    """Cut images into squares, row by row, and flatten each."""
    batch, size, _ = images.shape
    side = size // patch
    return images.reshape(batch, side, patch, side, patch).swapaxes(2, 3).reshape(batch, side**2, patch**2)


class ConvolutionStem(nn.Module):
    """relu(3 × 3 convolution of stride 2), channels doubling up to the width; tokens row by row."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels = [max(1, config.width >> left) for left in reversed(range(config.halvings))]
        self.layers = [
            nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1)
            for inputs, outputs in zip([1, *channels], channels, strict=False)
        ]
        for layer in self.layers:  # of variance 2 / inputs (He et al. 2015); MLX draws 1 / (3 inputs)
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
        self.positions.weight *= math.sqrt(config.width)  # of deviation 1 then, as the pixels
        self.blocks = [Block(config, rotary=False) for _ in range(config.depth)]
        self.norm = nn.LayerNorm(config.width)
        self.to_logits = nn.Linear(config.width, config.classes)

    def embed(self, images: Float[mx.array, "B S S"]) -> Float[mx.array, "B N D"]:
        """Tokens, their positions added."""
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
        """How much each token takes of each, by layer and head, as in the forward pass; rows sum to 1."""
        check_images(images, size=self.config.size)
        x = self.embed(images)
        found = []
        for block in self.blocks:
            found.append(block.attention.weights(block.attention_norm(x)))
            x = block(x, None)
        return mx.stack(found, axis=1)


def rollout(attention: Float[mx.array, "B Y H N N"]) -> Float[mx.array, "B N"]:
    """How much of each token reaches the mean that is classified: attention rollout (Abnar & Zuidema, 2020).

    Heads are averaged, half of each layer is the residual stream that hands a token on, and the layers are
    multiplied: (A + I) / 2 of the last times … times that of the first. Sums to 1 for each image. It follows
    attention alone, and leaves out what values and MLPs do to what is handed on.
    """
    layers = mx.mean(attention, axis=2)
    stream = mx.eye(layers.shape[-1])
    flow = stream
    for layer in range(layers.shape[1]):
        flow = (layers[:, layer] + stream) / 2 @ flow
    return mx.mean(flow, axis=1)
