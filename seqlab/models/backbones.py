"""Which backbones stand side by side in a comparison, all as large as the Transformer of one width?

Every backbone has one size that is free: the units of a recurrence, the channels of a convolution, the MLP's
width of a Transformer. It is set so that the whole model, head included, has as many parameters as the model
with the Transformer of the same width has, within 2 %. Depths are equal, save those of the TCN and the CNN,
which have as many blocks as it takes to see `length` steps, and recurrent layers are residual as the
Transformer's are.
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
from seqlab.models.parts.positions import Positions
from seqlab.models.sizing import match_parameters, parameters

TRANSFORMER = "Transformer"
ENCODER = "encoder"
Wrap = Callable[[Backbone], nn.Module]


@dataclass(frozen=True)
class Size:
    """What the backbones of a comparison have in common; each takes of it what it has a use for.

    `length` is the longest sequence, in steps, that a TCN must see: it has as many blocks as that takes, or
    `blocks`. `positions` is how attention knows order; the others need none. `residual` wraps the layers of
    the recurrent networks, `orthogonal` starts their recurrences. `forget_bias` is where an LSTM's forget
    gate starts, `ring` the smallest and largest radius at which the LRU's eigenvalues do.
    """

    width: int
    depth: int = 2
    heads: int = 4
    length: int = 64
    positions: Positions = "rope"
    residual: bool = True
    orthogonal: bool = True
    forget_bias: float = 1.0
    ring: tuple[float, float] = (0.9, 0.999)  # for long memories; the original's default is the whole disc
    blocks: int | None = None

    def recurrent(self, hidden: int | None) -> dict[str, Any]:
        """What the Config of every recurrent network takes."""
        return {"width": self.width, "depth": self.depth, "hidden": hidden, "residual": self.residual}


def _attention(size: Size, hidden: int | None, *, causal: bool) -> Backbone:
    return transformer.Model(
        transformer.Config(
            size.width, size.depth, size.heads, hidden, causal=causal,
            positions=size.positions, length=size.length,
        )
    )  # fmt: skip


def _depth(config: Callable[..., tcn.Config] | Callable[..., residual_cnn.Config], size: Size) -> int:
    """As few blocks as see the whole length, unless the size says how many."""
    enough = (depth for depth in count(1) if config(size.width, depth=depth).receptive_field >= size.length)
    return size.blocks or next(enough)


@dataclass(frozen=True)
class TokenHead:
    """Wraps a backbone as a model of text: tokens to logits, of tokens or of `outputs` labels."""

    vocabulary: int
    outputs: int | None = None

    def __call__(self, backbone: Backbone) -> LanguageModel:
        return LanguageModel(backbone, vocabulary=self.vocabulary, outputs=self.outputs)


# Each takes the common size and the one that is free to match parameters; None is the Config's default.
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
    """The named backbone of the common size in its head, its first weights drawn with `seed`.

    `wrap` makes the whole model of a backbone. It must be hashable, and equal to itself from call to call, as
    a function of a module is and a new `partial` is not: sizes are matched once a process. Raises
    `UsageError` where no size comes within 2 % of the Transformer's parameters.
    """
    hidden = matched_hidden(name, size, wrap)  # first: it draws from the random state
    mx.random.seed(seed)
    return wrap(BACKBONES[name](size, hidden))


@cache
def matched_hidden(name: str, size: Size, wrap: Wrap) -> int:
    """The free size that gives the model as many parameters as it has with the Transformer."""
    if name in (TRANSFORMER, ENCODER):
        return 4 * size.width  # Vaswani et al. 2017, section 3.3
    target = parameters(wrap(BACKBONES[TRANSFORMER](size, 4 * size.width)))
    return match_parameters(
        lambda hidden: wrap(BACKBONES[name](size, hidden)), target, low=size.width // 8, high=16 * size.width
    )
