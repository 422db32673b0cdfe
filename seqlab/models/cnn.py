"""Small convolutional network for images (after LeNet-5: LeCun et al., 1998): the control for the ViT.

(3 × 3 convolution, ReLU, 2 × 2 max pooling) twice, then a hidden layer and the logits. LeNet-5 has 5 × 5
convolutions, average pooling, saturating activations and one more hidden layer.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float

from seqlab.errors import UsageError
from seqlab.models.parts.activations import relu
from seqlab.models.parts.checks import check_images, check_positive


@dataclass(frozen=True)
class Config:
    """Sizes: `channels` of the first convolution (the second has twice as many), `hidden` units."""

    channels: int = 16
    hidden: int = 64
    size: int = 28
    classes: int = 10

    def __post_init__(self) -> None:
        check_positive(channels=self.channels, hidden=self.hidden, classes=self.classes)
        if self.size < 4:
            raise UsageError(f"size must be 4 or more, as it is halved twice, found {self.size}.")


class Model(nn.Module):
    """Grey images (B, size, size) to logits (B, classes)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        side = config.size // 4
        self.first = nn.Conv2d(1, config.channels, kernel_size=3, padding=1)
        self.second = nn.Conv2d(config.channels, 2 * config.channels, kernel_size=3, padding=1)
        self.halve = nn.MaxPool2d(kernel_size=2, stride=2)  # drops an odd last row and column
        self.to_hidden = nn.Linear(2 * config.channels * side**2, config.hidden)
        self.to_logits = nn.Linear(config.hidden, config.classes)

    def __call__(self, images: Float[mx.array, "B S S"]) -> Float[mx.array, "B K"]:
        check_images(images, size=self.config.size)
        x = self.halve(relu(self.first(images[..., None])))
        x = self.halve(relu(self.second(x)))
        logits: mx.array = self.to_logits(relu(self.to_hidden(x.flatten(1))))
        return logits
