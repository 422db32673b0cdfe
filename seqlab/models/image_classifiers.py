"""Which image classifiers stand side by side in a comparison, all as large as a Vision Transformer?

Every network has one size that is free: the MLP's width of a Vision Transformer, the hidden layer of a
convolutional network, the units of an LSTM that reads the image row by row. It is set so that the network has
as many parameters as the Vision Transformer of the same width, depth and patch has, within 2 %.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import mlx.core as mx
import mlx.nn as nn

from seqlab.models import cnn, lstm, vit
from seqlab.models.heads import RowClassifier
from seqlab.models.sizing import match_parameters, parameters

VIT, STEM, CNN, LSTM = "ViT", "ViT, convolutional stem", "CNN", "LSTM"
SIDE, CLASSES = 28, 10  # pixels and classes of MNIST and Fashion-MNIST


@dataclass(frozen=True)
class Size:
    """All networks have as many parameters as a Vision Transformer of this width, depth and patch."""

    width: int
    depth: int
    patch: int  # pixels


def _vit(size: Size, hidden: int, stem: vit.Stem) -> nn.Module:
    return vit.Model(
        vit.Config(
            size.width, size.depth,
            hidden=hidden, size=SIDE, patch=size.patch, classes=CLASSES, stem=stem,
        )
    )  # fmt: skip


def _cnn(size: Size, hidden: int) -> nn.Module:
    return cnn.Model(cnn.Config(channels=size.width // 4, hidden=hidden, size=SIDE, classes=CLASSES))


def _lstm(size: Size, hidden: int) -> nn.Module:
    """All units are in one layer: a second one takes as long again, and digits need none."""
    backbone = lstm.Model(lstm.Config(size.width, hidden=hidden))
    return RowClassifier(backbone, channels=SIDE, classes=CLASSES)


# Each takes the size that is free to match parameters.
CLASSIFIERS: Mapping[str, Callable[[Size, int], nn.Module]] = {
    VIT: lambda size, hidden: _vit(size, hidden, "patches"),
    STEM: lambda size, hidden: _vit(size, hidden, "convolution"),
    CNN: _cnn,
    LSTM: _lstm,
}


def build(name: str, size: Size, *, seed: int) -> nn.Module:
    """The named network, its first weights drawn with `seed`.

    Raises `UsageError` where no free size comes within 2 % of the Vision Transformer's parameters.
    """
    hidden = matched_hidden(name, size)  # first: it draws from the random state
    mx.random.seed(seed)
    return CLASSIFIERS[name](size, hidden)


@cache
def matched_hidden(name: str, size: Size) -> int:
    """The free size that gives the network as many parameters as the Vision Transformer has."""
    if name == VIT:
        return 4 * size.width  # Vaswani et al. 2017, section 3.3
    target = parameters(CLASSIFIERS[VIT](size, matched_hidden(VIT, size)))
    return match_parameters(
        lambda hidden: CLASSIFIERS[name](size, hidden), target, low=4, high=32 * size.width
    )
