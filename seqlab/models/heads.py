"""Heads: how does a backbone, which maps vectors to vectors, become a model of text, rows or time series?"""

import math
from typing import Any, Literal, Protocol, runtime_checkable

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float, Int, Integer

from seqlab.errors import UsageError
from seqlab.models.parts.checks import (
    check_choice,
    check_mask,
    check_positive,
    check_prompt,
    check_sequence,
    check_token_array,
)
from seqlab.models.parts.series import NORMALISATIONS, Normalisation, join_channels, normalise, split_channels
from seqlab.models.parts.streaming import State
from seqlab.models.parts.tokens import TokenModel


@runtime_checkable  # so that the tests can check arguments
class Backbone(Protocol):
    """What a head requires of a backbone, a map of (B, L, width) to (B, L, width)."""

    @property
    def width(self) -> int:
        """Features of an input and an output step."""

    @property
    def causal(self) -> bool:
        """Whether an output depends only on its own and earlier inputs."""

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        """The outputs of all steps."""

    def initial_state(self, batch: int, length: int) -> State:
        """The state before the first of at most `length` steps."""

    def extend(self, x: Float[mx.array, "B L D"], state: State) -> tuple[Float[mx.array, "B L D"], State]:
        """The outputs of L more steps, and the new state."""

    def step(self, x: Float[mx.array, "B D"], state: State) -> tuple[Float[mx.array, "B D"], State]:
        """The output of one more step, and the new state."""

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B D"], Any]:
        """`step` on arrays, without checking the capacity: the output and the new memory."""


@runtime_checkable
class MaskedBackbone(Backbone, Protocol):
    """A backbone that takes a padding mask; for others, see `run_backbone`."""

    @property
    def takes_mask(self) -> bool:
        """True."""

    def __call__(
        self, x: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B L D"]:
        """The outputs of all steps; `mask` is True at real ones."""


def run_backbone(
    backbone: Backbone, x: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None
) -> Float[mx.array, "B L D"]:
    """The backbone's outputs, which at real steps (`mask` is True) do not depend on padding.

    A causal recurrent or convolutional backbone takes no mask and needs none if padding is on the right,
    since later inputs cannot reach a real step. It would read padding on the left as input.
    """
    if mask is None:
        return backbone(x)
    check_mask(mask, x)
    if isinstance(backbone, MaskedBackbone):
        return backbone(x, mask)
    if not backbone.causal:
        raise UsageError("this backbone sees ahead and takes no padding mask. Give sequences of one length.")
    return backbone(x)


class LanguageModel(TokenModel):
    """Tokens to the logits of the next token at each position: embedding, backbone, norm, projection.

    With an encoder as backbone, `transformer.Config(causal=False)`, this is a masked language model like BERT
    (Devlin et al., 2019): replace tokens by the id of a mask token, and the logits there predict them. With
    `outputs` it labels each token instead. `width` must be the backbone's and may be left out.

    With `period` the model also embeds each position modulo `period` and adds the vector to the token's. This
    is for periodic sequences, such as voices that take turns, in which not every backbone can count.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        vocabulary: int,
        width: int | None = None,
        outputs: int | None = None,
        tied: bool = False,
        period: int | None = None,
    ) -> None:
        if width is not None and width != backbone.width:
            raise UsageError(f"width must equal the backbone's width, found {width} and {backbone.width}.")
        super().__init__(width=backbone.width, vocabulary=vocabulary, outputs=outputs, tied=tied)
        self.backbone = backbone
        self.period = period
        if period is not None:
            check_positive(period=period)
            self.places = nn.Embedding(period, backbone.width)

    def __call__(
        self, tokens: Integer[mx.array, "B L"], mask: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B L V"]:
        """Logits at all positions. `mask` is True at real tokens (see `run_backbone`)."""
        check_token_array(tokens, axes=2)
        return self.read(
            run_backbone(self.backbone, self._embed_at(tokens, mx.arange(tokens.shape[1])), mask)
        )

    def _embed_at(
        self, tokens: Integer[mx.array, "..."], positions: Int[mx.array, "L"]
    ) -> Float[mx.array, "... D"]:
        """The vectors of tokens, with those of their positions in the period if there is one."""
        x = self.embed(tokens)
        if self.period is None:
            return x
        places: mx.array = self.places(positions % self.period) * math.sqrt(x.shape[-1])
        return x + places

    def initial_state(self, batch: int, length: int) -> State:
        """The backbone's state before the first of at most `length` tokens."""
        return self.backbone.initial_state(batch, length)

    def prefill(self, tokens: Integer[mx.array, "B L"], state: State) -> tuple[Float[mx.array, "B V"], State]:
        """Read L more tokens at once: the logits of the next token and the new state.

        Decoding starts here, so token ids are checked, unless MLX is tracing.
        """
        check_prompt(tokens, self.vocabulary)
        positions = state.position + mx.arange(tokens.shape[1])
        y, state = self.backbone.extend(self._embed_at(tokens, positions), state)
        return self.read(y[:, -1]), state

    def step(self, tokens: Integer[mx.array, "B"], state: State) -> tuple[Float[mx.array, "B V"], State]:
        """Read one more token: the logits of the next token and the new state."""
        y, state = self.backbone.step(self._embed_at(tokens, mx.array([state.position])), state)
        return self.read(y), state

    def advance(
        self, tokens: Integer[mx.array, "B"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B V"], Any]:
        """`step` on arrays, without checking the capacity; can be compiled."""
        y, memory = self.backbone.advance(self._embed_at(tokens, position[None]), position, memory)
        return self.read(y), memory


def pool_last(y: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None) -> Float[mx.array, "B D"]:
    """The last real step, or the first step if none is real."""
    if mask is None:
        return y[:, -1]
    last = mx.max(mx.where(mask, mx.arange(y.shape[1]), 0), axis=1)
    return mx.take_along_axis(y, last[:, None, None], axis=1)[:, 0]


def pool_mean(y: Float[mx.array, "B L D"], mask: Bool[mx.array, "B L"] | None) -> Float[mx.array, "B D"]:
    """The mean of the real steps, or zero if none is real."""
    if mask is None:
        return mx.mean(y, axis=1)
    total = mx.sum(mx.where(mask[..., None], y, 0), axis=1)
    return total / mx.maximum(mx.sum(mask, axis=1, keepdims=True), 1).astype(y.dtype)


POOLS = {"last": pool_last, "mean": pool_mean}


class RowClassifier(nn.Module):
    """A sequence of rows to the logits of its class: linear, backbone, norm, pooling, linear.

    Pooling takes the last step or the mean over steps; with a `mask`, True at real rows, only of real ones.
    """

    def __init__(
        self, backbone: Backbone, *, channels: int, classes: int, pool: Literal["last", "mean"] = "last"
    ) -> None:
        super().__init__()
        check_positive(channels=channels, classes=classes)
        check_choice("pool", pool, POOLS)
        self.channels = channels
        self.pool = pool
        self.to_body = nn.Linear(channels, backbone.width)
        self.backbone = backbone
        self.norm = nn.LayerNorm(backbone.width)
        self.to_logits = nn.Linear(backbone.width, classes)

    def __call__(
        self, rows: Float[mx.array, "B L C"], mask: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B K"]:
        check_sequence(rows, size=self.channels)
        y = self.norm(run_backbone(self.backbone, self.to_body(rows), mask))
        logits: mx.array = self.to_logits(POOLS[self.pool](y, mask))
        return logits


class Forecaster(nn.Module):
    """A window of `lookback` values per channel to the next `horizon` values, channel by channel.

    The window is normalised (see `parts.series`) and read in segments of `segment` values per step (1 is
    value by value; more follows SegRNN, Lin et al., 2023). One linear layer computes the whole forecast at
    once, from the output of the last step or, as in PatchTST, of all steps.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        lookback: int,
        horizon: int,
        segment: int = 1,
        normalisation: Normalisation = "mean_std",
        reads: Literal["last", "all"] = "last",
    ) -> None:
        super().__init__()
        check_positive(lookback=lookback, horizon=horizon, segment=segment)
        check_choice("reads", reads, ("last", "all"))
        if lookback % segment:
            raise UsageError(
                f"segment must divide lookback, found segment {segment} and lookback {lookback}. "
                "Change one of them."
            )
        check_choice("normalisation", normalisation, NORMALISATIONS)
        self.lookback = lookback
        self.segment = segment
        self.normalisation = normalisation
        self.to_body = nn.Linear(segment, backbone.width)
        self.backbone = backbone
        self.norm = nn.LayerNorm(backbone.width)
        self.reads = reads
        steps = lookback // segment if reads == "all" else 1
        self.to_forecast = nn.Linear(steps * backbone.width, horizon)

    def __call__(self, window: Float[mx.array, "B L C"]) -> Float[mx.array, "B H C"]:
        check_sequence(window, size=window.shape[-1], length=self.lookback)
        x, statistics = normalise(window, self.normalisation)
        y = self.backbone(
            self.to_body(split_channels(x).reshape(-1, self.lookback // self.segment, self.segment))
        )
        read = y if self.reads == "all" else y[:, -1:]
        forecast = self.to_forecast(self.norm(read).flatten(1))
        return statistics.denormalise(join_channels(forecast, window.shape[-1]))
