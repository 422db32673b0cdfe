"""Backbones for comparisons, all with as many parameters as the Transformer of the same width.

Every backbone has one free size: the units of a recurrence, the channels of a convolution, or the width of a
Transformer's MLP. It is set so that the whole model, head included, has as many parameters as the model with
the Transformer, within 2 %. Depths are equal, except that the TCN and the CNN have as many blocks as their
receptive field needs to span `length` steps. Recurrent layers are residual, as the Transformer's are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from seqlab.models import (
    bidirectional,
    gru,
    hybrid,
    linear_attention,
    lru,
    lstm,
    mingru,
    minlstm,
    residual_cnn,
    rnn,
    tcn,
    transformer,
)
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.convolution import ConvolutionConfig
from seqlab.models.parts.positions import Positions
from seqlab.models.sizing import match_parameters, parameters

TRANSFORMER = "Transformer"
ENCODER = "encoder"
Wrap = Callable[[Backbone], nn.Module]


@dataclass(frozen=True)
class Size:
    """The sizes that the backbones of a comparison share; each backbone uses those that apply to it.

    `length` is the longest sequence, in steps, which the receptive field of a TCN or CNN must span; `blocks`
    sets the number of its blocks instead. `positions` is the positional encoding of attention, `reach` the
    number of positions that each attends to in sliding-window attention. `residual` adds residual
    connections to recurrent layers, `orthogonal` starts their recurrent matrices orthogonal. `forget_bias` is
    the initial bias of an LSTM's forget gate, `ring` the range of the initial |λ| of an LRU.
    """

    width: int
    depth: int = 2
    heads: int = 4
    length: int = 64
    positions: Positions = "rope"
    residual: bool = True
    orthogonal: bool = True
    forget_bias: float = 1.0
    ring: tuple[float, float] = (0.9, 0.999)  # for long memory; the paper's default is the whole disc
    blocks: int | None = None
    reach: int | None = None

    def recurrent(self, hidden: int | None) -> dict[str, Any]:
        """The arguments that the Config of every recurrent network takes."""
        return {"width": self.width, "depth": self.depth, "hidden": hidden, "residual": self.residual}


def _attention(size: Size, hidden: int | None, *, causal: bool) -> Backbone:
    return transformer.Model(
        transformer.Config(
            size.width, size.depth, size.heads, hidden, causal=causal,
            positions=size.positions, length=size.length, reach=size.reach,
        )
    )  # fmt: skip


def _depth(config: Callable[..., ConvolutionConfig], size: Size) -> int:
    """The number of blocks: `size.blocks`, or as few as span the whole length."""
    enough = (depth for depth in count(1) if config(size.width, depth=depth).receptive_field >= size.length)
    return size.blocks or next(enough)


@dataclass(frozen=True)
class TokenHead:
    """Makes a backbone a model of text: from tokens to the logits of tokens or of `outputs` labels."""

    vocabulary: int
    outputs: int | None = None

    def __call__(self, backbone: Backbone) -> LanguageModel:
        return LanguageModel(backbone, vocabulary=self.vocabulary, outputs=self.outputs)


# Each takes the shared sizes and the free size; None is the default of the Config.
BACKBONES: Mapping[str, Callable[[Size, int | None], Backbone]] = {
    TRANSFORMER: lambda size, hidden: _attention(size, hidden, causal=True),
    ENCODER: lambda size, hidden: _attention(size, hidden, causal=False),
    "RNN": lambda size, hidden: rnn.Model(
        rnn.Config(**size.recurrent(hidden), orthogonal=size.orthogonal)
    ),
    "LSTM": lambda size, hidden: lstm.Model(
        lstm.Config(**size.recurrent(hidden), orthogonal=size.orthogonal, forget_bias=size.forget_bias)
    ),
    "GRU": lambda size, hidden: gru.Model(
        gru.Config(**size.recurrent(hidden), orthogonal=size.orthogonal)
    ),
    "minGRU": lambda size, hidden: mingru.Model(mingru.Config(**size.recurrent(hidden))),
    "minLSTM": lambda size, hidden: minlstm.Model(minlstm.Config(**size.recurrent(hidden))),
    "LRU": lambda size, hidden: lru.Model(
        lru.Config(size.width, size.depth, hidden, r_min=size.ring[0], r_max=size.ring[1])
    ),
    "linear attention": lambda size, hidden: linear_attention.Model(
        linear_attention.Config(size.width, size.depth, size.heads, hidden)
    ),
    "LSTM + attention": lambda size, hidden: hybrid.Model(
        hybrid.Config(size.width, size.depth, hidden, size.forget_bias)
    ),
    "TCN": lambda size, hidden: tcn.Model(
        tcn.Config(size.width, depth=_depth(tcn.Config, size), hidden=hidden)
    ),
    "CNN": lambda size, hidden: residual_cnn.Model(
        residual_cnn.Config(size.width, depth=_depth(residual_cnn.Config, size), hidden=hidden)
    ),
    "bi-LSTM": lambda size, hidden: bidirectional.Model(
        bidirectional.Config(size.width, size.depth, hidden, size.forget_bias)
    ),
}  # fmt: skip


def build(name: str, size: Size, wrap: Wrap, *, seed: int) -> nn.Module:
    """The named backbone in its head, initialised with `seed`.

    `wrap` makes the whole model of a backbone. It must be hashable and equal from call to call, like a
    function of a module and unlike a new `partial`: sizes are matched once per process. Raises `UsageError`
    if no size comes within 2 % of the Transformer's parameters.
    """
    hidden = matched_hidden(name, size, wrap)  # first: it draws from the random state
    mx.random.seed(seed)
    return wrap(BACKBONES[name](size, hidden))


@cache
def matched_hidden(name: str, size: Size, wrap: Wrap) -> int:
    """The free size with which the model has as many parameters as with the Transformer."""
    if name in (TRANSFORMER, ENCODER):
        return 4 * size.width  # Vaswani et al. 2017, section 3.3
    target = parameters(wrap(BACKBONES[TRANSFORMER](size, 4 * size.width)))
    return match_parameters(
        lambda hidden: wrap(BACKBONES[name](size, hidden)), target, low=size.width // 8, high=16 * size.width
    )
