"""How does a model write on from a prompt, token by token?

The prompt is read at once (prefill); then each step reads the token chosen last and chooses the next one.
What the model keeps in between depends on the model: keys and values, a recurrent state or, without a cache,
the tokens alone, which it then reads again for every token. All of these choose the same tokens.

Sampling follows the order of Hugging Face's `generate`: temperature, then top-k, then top-p. Logits equal to
the smallest one that is kept are kept too, so that no tie is decided by the place in the vocabulary.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import mlx.core as mx
import numpy as np
from jaxtyping import Float, Int, Integer

from seqlab.errors import UsageError
from seqlab.models.parts.checks import check_positive, check_prompt, check_tokens
from seqlab.models.parts.streaming import State

Start = Callable[[int], State]  # from how many tokens will be read to the state before the first


@runtime_checkable
class Decodable(Protocol):
    """What decoding needs of a model; `models.heads.LanguageModel` has it for every causal backbone."""

    vocabulary: int
    outputs: int

    @property
    def state(self) -> Any:
        """The parameters, as `mlx.nn.Module` gives them."""

    def __call__(self, *tokens: Any, **options: Any) -> mx.array:
        """Logits [B L V] of tokens [B L]: decoding without a cache."""

    def initial_state(self, *inputs: Any, **options: Any) -> State:
        """The state before the first token. Unless it takes (batch, length), prefill needs a `start`."""

    def prefill(self, tokens: Integer[mx.array, "B L"], state: State) -> tuple[Float[mx.array, "B V"], State]:
        """Read tokens at once: the logits of the next, and the new state."""

    def advance(
        self, tokens: Integer[mx.array, "B"], position: Int[mx.array, ""], memory: Any
    ) -> tuple[Float[mx.array, "B V"], Any]:
        """Read one token, on arrays alone."""


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen from its logits.

    `temperature` divides them; 0 takes the most probable token and needs no key. `top_k` leaves the k
    most probable (Fan et al., 2018), `top_p` the smallest set whose probability reaches p (Holtzman et
    al., 2020), which is never empty.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise UsageError(f"temperature must be 0 (greedy) or more, found {self.temperature}.")
        if self.top_k is not None:
            check_positive(top_k=self.top_k)
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(f"top_p must be above 0 and at most 1, found {self.top_p}.")


GREEDY = Sampling(temperature=0.0)


def restrict(logits: Float[mx.array, "B V"], sampling: Sampling) -> Float[mx.array, "B V"]:
    """The logits that tokens are drawn by: divided by the temperature, -inf for what may not be drawn."""
    # float32, as a sum of many half-precision probabilities stops short of p; and the largest logit
    # becomes 0, so that none overflows at a low temperature.
    logits = logits.astype(mx.float32)
    logits = (logits - mx.max(logits, axis=-1, keepdims=True)) / sampling.temperature
    if sampling.top_k is not None:
        least = mx.min(mx.topk(logits, sampling.top_k, axis=-1), axis=-1, keepdims=True)
        logits = mx.where(logits < least, -mx.inf, logits)
    if sampling.top_p is not None and sampling.top_p < 1:
        falling = -mx.sort(-logits, axis=-1)
        before = mx.cumsum(mx.softmax(falling, axis=-1), axis=-1, inclusive=False)
        kept = mx.where(before < sampling.top_p, falling, mx.inf)
        logits = mx.where(logits < mx.min(kept, axis=-1, keepdims=True), -mx.inf, logits)
    return logits


class Decoder:
    """A model that decodes one batch at a time: `prefill`, then `step` by `step`.

    Each returns the next token of every sequence, which is computed when it is evaluated. After `stop` a
    sequence yields only `stop`. With `compiled` None the device decides: off on a CPU, where compiling takes
    seconds. A decoder compiles once for each batch size and room of the cache.
    """

    def __init__(
        self,
        model: Decodable,
        *,
        sampling: Sampling = GREEDY,
        stop: int | None = None,
        cached: bool = True,
        compiled: bool | None = None,
    ) -> None:
        if not isinstance(model, Decodable):
            raise UsageError(f"expected a model of tokens that decodes, found {type(model).__name__}.")
        if model.outputs > model.vocabulary:
            raise UsageError(
                f"expected at most {model.vocabulary} outputs, the tokens that the model reads, "
                f"found {model.outputs}. Leave outputs out."
            )
        if sampling.top_k is not None and sampling.top_k > model.outputs:
            raise UsageError(f"top_k must be at most {model.outputs}, all tokens, found {sampling.top_k}.")
        if stop is not None:
            check_tokens(np.array([stop]), model.outputs)
        if compiled and not cached:
            raise UsageError("without a cache each step has other shapes: leave compiled out.")
        self.model = model
        self.sampling = sampling
        self.stop = stop
        self.cached = cached
        self._next = self._advance
        if cached and (compiled if compiled is not None else mx.default_device().type != mx.DeviceType.cpu):
            # The parameters are inputs: as constants they would be stale after more training.
            self._next = mx.compile(self._advance, inputs=[model.state])
        self._state: State | None = None

    @property
    def state(self) -> State:
        """What is kept of all that was read: to measure it, or for a `start` that continues from it."""
        if self._state is None:
            raise UsageError("there is nothing to continue yet. Call prefill first.")
        return self._state

    def prefill(
        self,
        prompt: Integer[mx.array, "B L"],
        *,
        tokens: int,
        key: mx.array | None = None,
        start: Start | None = None,
    ) -> Integer[mx.array, "B"]:
        """Read the prompt: the first of at most `tokens` new tokens of each sequence.

        `key` decides what is drawn: the same key, the same tokens. `start` gives the state that the prompt
        continues; None is the model's initial state. Raises `UsageError` for what cannot be decoded.
        """
        check_prompt(prompt, self.model.vocabulary)
        check_positive(tokens=tokens)
        if key is None and self.sampling.temperature > 0:
            raise UsageError("sampling needs a key, found none. Give mx.random.key(seed), or use GREEDY.")
        if start is not None and not self.cached:
            raise UsageError("without a cache no state can be continued: leave start out.")
        prompt, (batch, length) = prompt.astype(mx.uint32), prompt.shape  # the type of chosen tokens
        reads = length + tokens - 1  # the last token is not read
        state = self.model.initial_state(batch, reads) if start is None else start(reads)
        state.after(reads, None)  # a state of the caller's may have less room
        state.check_batch(batch)
        if self.cached:
            logits, self._state = self.model.prefill(prompt, state)
        else:
            logits, self._state = self.model(prompt)[:, -1], State(length, prompt, reads)
        self._tokens, self._key = self._choose(logits, key)
        return self._tokens

    def step(self) -> Integer[mx.array, "B"]:
        """Read the token chosen last: the next of each sequence."""
        after = self.state.after(1, None)
        self._tokens, memory, self._key = self._next(
            self._tokens, mx.array(self.state.position), self.state.memory, self._key
        )
        # The old memory is released before anything is computed, so that MLX writes into it in place.
        self._state = after._replace(memory=memory)
        return self._tokens

    def _advance(
        self, tokens: mx.array, position: mx.array, memory: Any, key: mx.array | None
    ) -> tuple[mx.array, Any, mx.array | None]:
        """One step on arrays alone, the choice included, so that all of it compiles."""
        if self.cached:
            logits, memory = self.model.advance(tokens, position, memory)
        else:
            memory = mx.concatenate([memory, tokens[:, None]], axis=1)
            logits = self.model(memory)[:, -1]
        chosen, key = self._choose(logits, key)
        if self.stop is not None:
            chosen = mx.where(tokens == self.stop, tokens, chosen)
        return chosen, memory, key

    def _choose(self, logits: mx.array, key: mx.array | None) -> tuple[mx.array, mx.array | None]:
        if key is None or self.sampling.temperature == 0:
            return mx.argmax(logits, axis=-1), key
        key, now = mx.random.split(key)
        return mx.random.categorical(restrict(logits, self.sampling), key=now), key


def generate(
    model: Decodable,
    prompt: Integer[mx.array, "B L"],
    *,
    tokens: int,
    sampling: Sampling = GREEDY,
    key: mx.array | None = None,
    start: Start | None = None,
    stop: int | None = None,
    cached: bool = True,
    compiled: bool | None = None,
) -> Iterator[mx.array]:
    """Yield the next token [B] of every sequence, at most `tokens` times; see `Decoder` and its `prefill`.

    While the caller works on a token, the one after it is computed. With `stop` it ends when every
    sequence has stopped. Errors are raised by the call itself, before anything is computed.
    """
    decoder = Decoder(model, sampling=sampling, stop=stop, cached=cached, compiled=compiled)
    return _ahead(decoder, decoder.prefill(prompt, tokens=tokens, key=key, start=start), tokens)


def _ahead(decoder: Decoder, following: mx.array, left: int) -> Iterator[mx.array]:
    mx.async_eval(following)
    while left:
        now, left = following, left - 1
        if left:
            following = decoder.step()
            mx.async_eval(following)
        yield now
        # Compared by NumPy: an operation of MLX's would wait behind the step that is being computed.
        if decoder.stop is not None and (np.array(now) == decoder.stop).all():
            return
