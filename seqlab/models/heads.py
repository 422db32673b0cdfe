"""How does a backbone, which maps vectors to vectors, become a model of text, of rows or of a series?"""

import math
from typing import Any, Literal, Protocol, runtime_checkable

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Bool, Float, Int, Integer

from seqlab.errors import UsageError
from seqlab.models.parts.checks import (
    check_choice,
    check_positive,
    check_prompt,
    check_seen,
    check_sequence,
    check_token_array,
)
from seqlab.models.parts.series import NORMALISATIONS, Normalisation, join_channels, normalise, split_channels
from seqlab.models.parts.streaming import State
from seqlab.models.parts.tokens import TokenModel


@runtime_checkable  # so that the tests can check arguments
class Backbone(Protocol):
    """What a head asks of a backbone; the files of this folder that say (B, L, width) are backbones."""

    @property
    def width(self) -> int:
        """Features of an input and an output step."""

    @property
    def causal(self) -> bool:
        """Whether an output depends on its own and earlier inputs only."""

    def __call__(self, x: Float[mx.array, "B L D"]) -> Float[mx.array, "B L D"]:
        """All steps."""

    def initial_state(self, batch: int, length: int) -> State:
        """The state before the first of at most `length` steps."""

    def extend(self, x: Float[mx.array, "B L D"], state: State) -> tuple[Float[mx.array, "B L D"], State]:
        """Several steps."""

    def step(self, x: Float[mx.array, "B D"], state: State) -> tuple[Float[mx.array, "B D"], State]:
        """One step."""

    def advance(
        self, x: Float[mx.array, "B D"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B D"], Any]:
        """One step on arrays alone."""


@runtime_checkable
class MaskedBackbone(Backbone, Protocol):
    """A backbone that can leave padding out; without one, see `masked`."""

    @property
    def takes_seen(self) -> bool:
        """True: `seen` may be handed to it."""

    def __call__(
        self, x: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B L D"]:
        """All steps; `seen` is True at real ones."""


def masked(
    backbone: Backbone, x: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None
) -> Float[mx.array, "B L D"]:
    """The backbone's outputs, at real steps independent of padding.

    A recurrent or convolutional backbone takes no mask and needs none where padding stands on the right: it
    is causal, so what comes later cannot reach a real step. On the left it would be read as input.
    """
    if seen is None:
        return backbone(x)
    check_seen(seen, x)
    if isinstance(backbone, MaskedBackbone):
        return backbone(x, seen)
    if not backbone.causal:
        raise UsageError("this backbone sees ahead and takes no padding mask. Give sequences of one length.")
    return backbone(x)


class LanguageModel(TokenModel):
    """Tokens to the logits of the token after each: embedding, backbone, norm, projection.

    With an encoder for its backbone, `transformer.Config(causal=False)`, this is the model of BERT (Devlin et
    al., 2019): hide tokens behind the id of a mask token, one more id, and the logits at its places say
    what it hides. With `outputs` it labels each token. `width` must be the backbone's and may be left out.

    With `period` it also reads the position of each token modulo that, by an embedding like the tokens': for
    sequences that come round, such as voices that take turns, where not every backbone could count for
    itself.
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
            raise UsageError(f"the head's width must be the backbone's, found {width} and {backbone.width}.")
        super().__init__(width=backbone.width, vocabulary=vocabulary, outputs=outputs, tied=tied)
        self.backbone = backbone
        self.period = period
        if period is not None:
            check_positive(period=period)
            self.places = nn.Embedding(period, backbone.width)

    def __call__(
        self, tokens: Integer[mx.array, "B L"], seen: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B L V"]:
        """Logits of all positions. `seen` is True at real tokens: see `masked`."""
        check_token_array(tokens, axes=2)
        return self.read(masked(self.backbone, self._placed(tokens, mx.arange(tokens.shape[1])), seen))

    def _placed(self, tokens: Integer[mx.array, "..."], at: Int[mx.array, "L"]) -> Float[mx.array, "... D"]:
        """The tokens' vectors, which know their places in the period where there is one."""
        x = self.embed(tokens)
        if self.period is None:
            return x
        places: mx.array = self.places(at % self.period) * math.sqrt(x.shape[-1])
        return x + places

    def initial_state(self, batch: int, length: int) -> State:
        """The backbone's state before the first of at most `length` tokens."""
        return self.backbone.initial_state(batch, length)

    def prefill(self, tokens: Integer[mx.array, "B L"], state: State) -> tuple[Float[mx.array, "B V"], State]:
        """Read L more tokens at once: the logits of the token after the last, and the new state.

        Decoding begins here, so the ids are checked, unless MLX is tracing.
        """
        check_prompt(tokens, self.vocabulary)
        at = state.position + mx.arange(tokens.shape[1])
        y, state = self.backbone.extend(self._placed(tokens, at), state)
        return self.read(y[:, -1]), state

    def step(self, tokens: Integer[mx.array, "B"], state: State) -> tuple[Float[mx.array, "B V"], State]:
        """One more token: the logits of the next, and the new state."""
        y, state = self.backbone.step(self._placed(tokens, mx.array([state.position])), state)
        return self.read(y), state

    def advance(
        self, tokens: Integer[mx.array, "B"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B V"], Any]:
        """`step` on arrays alone and without its check of room, to be compiled."""
        y, memory = self.backbone.advance(self._placed(tokens, position[None]), position, memory)
        return self.read(y), memory


def last(y: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None) -> Float[mx.array, "B D"]:
    """The last real step; the first of all where none is real."""
    if seen is None:
        return y[:, -1]
    at = mx.max(mx.where(seen, mx.arange(y.shape[1]), 0), axis=1)
    return mx.take_along_axis(y, at[:, None, None], axis=1)[:, 0]


def mean(y: Float[mx.array, "B L D"], seen: Bool[mx.array, "B L"] | None) -> Float[mx.array, "B D"]:
    """The mean of the real steps; zero where none is real."""
    if seen is None:
        return mx.mean(y, axis=1)
    total = mx.sum(mx.where(seen[..., None], y, 0), axis=1)
    return total / mx.maximum(mx.sum(seen, axis=1, keepdims=True), 1).astype(y.dtype)


POOLS = {"last": last, "mean": mean}


class RowClassifier(nn.Module):
    """A sequence of rows to the logits of its class: linear, backbone, norm, last or mean step, linear.

    Given `seen`, True at real rows (see `masked`), the last or the mean is that of the real ones.
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
        self, rows: Float[mx.array, "B L C"], seen: Bool[mx.array, "B L"] | None = None
    ) -> Float[mx.array, "B K"]:
        check_sequence(rows, size=self.channels)
        y = self.norm(masked(self.backbone, self.to_body(rows), seen))
        logits: mx.array = self.to_logits(POOLS[self.pool](y, seen))
        return logits


class Forecaster(nn.Module):
    """A window of `lookback` values a channel to its next `horizon`, each channel by itself.

    The window is normalised (see `parts.series`), read in segments of `segment` values a step (1: value by
    value; more, as in SegRNN, Lin et al., 2023), and one linear layer makes the whole forecast at once: from
    the last step's state, or from those of all steps, as in PatchTST.
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
                f"segment must divide lookback, found segment {segment} and lookback {lookback}."
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
        x, level = normalise(window, self.normalisation)
        y = self.backbone(
            self.to_body(split_channels(x).reshape(-1, self.lookback // self.segment, self.segment))
        )
        read = y if self.reads == "all" else y[:, -1:]
        forecast = self.to_forecast(self.norm(read).flatten(1))
        return level.restore(join_channels(forecast, window.shape[-1]))
