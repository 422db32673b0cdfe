"""How does a body, which maps vectors to vectors, become a model of text, of rows or of a series?"""

import math
from typing import Any, Literal, Protocol, runtime_checkable

import mlx.core as mx
import mlx.nn as nn
from jaxtyping import Float, Int

from seqlab.errors import UsageError
from seqlab.models.parts.checks import check_choice, check_positive, check_sequence
from seqlab.models.parts.series import NORMALISATIONS, Normalisation, join_channels, normalise, split_channels
from seqlab.models.parts.streaming import State


@runtime_checkable  # so that the tests can check arguments
class Body(Protocol):
    """What a head asks of a body; the files of this folder that say (B, L, width) are bodies."""

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


class LanguageModel(nn.Module):
    """Tokens to the logits of the token after each: embedding, body, norm, projection.

    Embeddings start with variance 1/D and are multiplied by √D (Vaswani et al. 2017, section 3.4), so
    every body gets inputs of unit scale. `width` must be the body's and may be left out.
    """

    def __init__(self, body: Body, *, vocabulary: int, width: int | None = None) -> None:
        super().__init__()
        check_positive(vocabulary=vocabulary)
        if width is not None and width != body.width:
            raise UsageError(f"the head's width must be the body's, found {width} and {body.width}.")
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(vocabulary, body.width)
        self.body = body
        self.norm = nn.LayerNorm(body.width)
        self.to_logits = nn.Linear(body.width, vocabulary)

    def embed(self, tokens: Int[mx.array, "..."]) -> Float[mx.array, "... D"]:
        """Vectors of unit variance. Ids are not checked here: see `parts.checks.check_tokens`."""
        vectors: mx.array = self.embedding(tokens) * math.sqrt(self.body.width)
        return vectors

    def read(self, y: Float[mx.array, "... D"]) -> Float[mx.array, "... V"]:
        """Logits from the body's output."""
        logits: mx.array = self.to_logits(self.norm(y))
        return logits

    def __call__(self, tokens: Int[mx.array, "B L"]) -> Float[mx.array, "B L V"]:
        return self.read(self.body(self.embed(tokens)))

    def initial_state(self, batch: int, length: int) -> State:
        """The body's state before the first of at most `length` tokens."""
        return self.body.initial_state(batch, length)

    def prefill(self, tokens: Int[mx.array, "B L"], state: State) -> tuple[Float[mx.array, "B V"], State]:
        """Read L more tokens at once: the logits of the token after the last, and the new state."""
        y, state = self.body.extend(self.embed(tokens), state)
        return self.read(y[:, -1]), state

    def step(self, tokens: Int[mx.array, "B"], state: State) -> tuple[Float[mx.array, "B V"], State]:
        """One more token: the logits of the next, and the new state."""
        y, state = self.body.step(self.embed(tokens), state)
        return self.read(y), state

    def advance(
        self, tokens: Int[mx.array, "B"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B V"], Any]:
        """`step` on arrays alone and without its check of room, to be compiled."""
        y, memory = self.body.advance(self.embed(tokens), position, memory)
        return self.read(y), memory


class RowClassifier(nn.Module):
    """A sequence of rows to the logits of its class: linear, body, norm, last or mean step, linear."""

    def __init__(
        self, body: Body, *, channels: int, classes: int, pool: Literal["last", "mean"] = "last"
    ) -> None:
        super().__init__()
        check_positive(channels=channels, classes=classes)
        check_choice("pool", pool, ("last", "mean"))
        self.channels = channels
        self.pool = pool
        self.to_body = nn.Linear(channels, body.width)
        self.body = body
        self.norm = nn.LayerNorm(body.width)
        self.to_logits = nn.Linear(body.width, classes)

    def __call__(self, rows: Float[mx.array, "B L C"]) -> Float[mx.array, "B K"]:
        check_sequence(rows, size=self.channels)
        y = self.norm(self.body(self.to_body(rows)))
        logits: mx.array = self.to_logits(y[:, -1] if self.pool == "last" else mx.mean(y, axis=1))
        return logits


class Forecaster(nn.Module):
    """A window of `lookback` values a channel to its next `horizon`, each channel by itself.

    The window is normalised (see `parts.series`), read in segments of `segment` values a step (1: value by
    value; more, as in SegRNN, Lin et al., 2023), and the last step's state gives the whole forecast at once.
    """

    def __init__(
        self,
        body: Body,
        *,
        lookback: int,
        horizon: int,
        segment: int = 1,
        normalisation: Normalisation = "mean_std",
    ) -> None:
        super().__init__()
        check_positive(lookback=lookback, horizon=horizon, segment=segment)
        if lookback % segment:
            raise UsageError(
                f"segment must divide lookback, found segment {segment} and lookback {lookback}."
            )
        check_choice("normalisation", normalisation, NORMALISATIONS)
        self.lookback = lookback
        self.segment = segment
        self.normalisation = normalisation
        self.to_body = nn.Linear(segment, body.width)
        self.body = body
        self.norm = nn.LayerNorm(body.width)
        self.to_forecast = nn.Linear(body.width, horizon)

    def __call__(self, window: Float[mx.array, "B L C"]) -> Float[mx.array, "B H C"]:
        check_sequence(window, size=window.shape[-1], length=self.lookback)
        x, level = normalise(window, self.normalisation)
        y = self.body(
            self.to_body(split_channels(x).reshape(-1, self.lookback // self.segment, self.segment))
        )
        forecast = self.to_forecast(self.norm(y[:, -1]))
        return level.restore(join_channels(forecast, window.shape[-1]))
