"""Which forecasters stand side by side in a comparison, all as large as PatchTST?

Every network but DLinear has one size that is free: the units of a recurrence, the channels of a convolution,
the MLP's width of a Transformer. It is set so that the network has as many parameters as PatchTST of the same
look-back and horizon has, within 2 %. DLinear's size follows from look-back and horizon.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import count

import mlx.core as mx
import mlx.nn as nn

from seqlab.models import dlinear, inverted_transformer, patch_transformer
from seqlab.models.backbones import BACKBONES, Size
from seqlab.models.heads import Forecaster
from seqlab.models.sizing import match_parameters, parameters

WIDTH, HIDDEN = 16, 128  # Nie et al. (2023), appendix, for small data sets, as are depth and heads
SEGMENT = 8  # steps: the stride of PatchTST's patches, which overlap


@dataclass(frozen=True)
class Span:
    """How many steps a forecast sees, and how many it predicts."""

    lookback: int
    horizon: int


def _patch_transformer(span: Span, hidden: int) -> nn.Module:
    return patch_transformer.Model(
        patch_transformer.Config(span.lookback, span.horizon, width=WIDTH, depth=3, heads=4, hidden=hidden)
    )


def _segmented(span: Span, hidden: int, *, backbone: str) -> nn.Module:
    """A backbone that reads segments of the window; as in PatchTST, all its outputs make the forecast.

    On hourly series, an LSTM that reads a day a step, or forecasts from its last state alone, did worse by
    validation.
    """
    size = Size(WIDTH, depth=1, length=span.lookback // SEGMENT, residual=False)
    return Forecaster(
        BACKBONES[backbone](size, hidden),
        lookback=span.lookback, horizon=span.horizon, segment=SEGMENT, reads="all",
    )  # fmt: skip


def _inverted(span: Span, hidden: int) -> nn.Module:
    """iTransformer, with the largest width that leaves its MLPs at least as wide."""
    target = parameters(_patch_transformer(span, HIDDEN))

    def model(width: int, hidden: int) -> nn.Module:
        return inverted_transformer.Model(
            inverted_transformer.Config(span.lookback, span.horizon, width=width, hidden=hidden)
        )

    width = next(width for width in count(16, 16) if parameters(model(width + 16, width + 16)) > target)
    return model(width, hidden)


def _linear(span: Span, _: int) -> nn.Module:
    """DLinear, less the window's last value, so that levels outside the training range do no harm."""
    return dlinear.Model(dlinear.Config(span.lookback, span.horizon, normalisation="last"))


# Each takes the size that is free to match parameters.
FORECASTERS: Mapping[str, Callable[[Span, int], nn.Module]] = {
    "Transformer": _patch_transformer,
    "LSTM": partial(_segmented, backbone="LSTM"),
    "TCN": partial(_segmented, backbone="TCN"),
    "DLinear": _linear,
    "iTransformer": _inverted,
}


def build(name: str, span: Span, *, seed: int) -> nn.Module:
    """The named network, its first weights drawn with `seed`.

    Raises `UsageError` where no size comes within 2 % of PatchTST's parameters.
    """
    hidden = matched_hidden(name, span)  # first: it draws from the random state
    mx.random.seed(seed)
    return FORECASTERS[name](span, hidden)


@cache
def matched_hidden(name: str, span: Span) -> int:
    """The free size that gives the network PatchTST's parameters; DLinear ignores it."""
    if name in ("Transformer", "DLinear"):
        return HIDDEN
    target = parameters(_patch_transformer(span, HIDDEN))
    return match_parameters(
        lambda hidden: FORECASTERS[name](span, hidden), target, low=8, high=64 * WIDTH * WIDTH
    )
