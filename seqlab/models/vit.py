"""Vision Transformer (Dosovitskiy et al., 2021): an image as a sequence of square patches.

Patches are projected, learned positions added, an encoder run; the mean of its outputs is classified.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.errors import UsageError
from seqlab.models.parts.attention import Activation, Block
from seqlab.models.parts.checks import check_heads, check_images, check_positive
from seqlab.models.parts.positions import LearnedPositions


@dataclass(frozen=True)
class Config:
    """Sizes, in pixels for `size` and `patch`; `hidden` is the MLP's width (4 × width by default)."""

    width: int = 64
    depth: int = 4
    heads: int = 4
    hidden: int | None = None
    size: int = 28
    patch: int = 4
    classes: int = 10
    activation: Activation = "relu"

    def __post_init__(self) -> None:
        check_positive(depth=self.depth, size=self.size, patch=self.patch, classes=self.classes)
        check_heads(width=self.width, heads=self.heads)
        if self.size % self.patch:
            raise UsageError(f"patch must divide size, found patch {self.patch} and size {self.size}.")


def patchify(images: Float[mx.array, "B S S"], patch: int) -> Float[mx.array, "B N E"]:
    """Cut images into squares, row by row, and flatten each."""
    batch, size, _ = images.shape
    side = size // patch
    return images.reshape(batch, side, patch, side, patch).swapaxes(2, 3).reshape(batch, side**2, patch**2)


class Model(nn.Module):
    """Grey images (B, size, size) to logits (B, classes)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.to_width = nn.Linear(config.patch**2, config.width)
        self.positions = LearnedPositions(length=(config.size // config.patch) ** 2, width=config.width)
        self.blocks = [Block(config, rotary=False) for _ in range(config.depth)]
        self.norm = nn.LayerNorm(config.width)
        self.to_logits = nn.Linear(config.width, config.classes)

    def __call__(self, images: Float[mx.array, "B S S"]) -> Float[mx.array, "B K"]:
        check_images(images, size=self.config.size)
        x = self.to_width(patchify(images, self.config.patch)) + self.positions.weight
        for block in self.blocks:
            x = block(x, None)
        logits: mx.array = self.to_logits(mx.mean(self.norm(x), axis=1))
        return logits
