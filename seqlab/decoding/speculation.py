"""How can one pass of a model write several tokens, the same ones as plain decoding?

The next tokens are guessed cheaply. The model reads all guesses in one pass, which gives its own choice at
each place. Guesses are kept up to the first that differs from the model's choice, and that choice is kept
too: one pass writes at least one token, and only tokens that the model chooses.

This is blockwise decoding with greedy verification (Stern et al., 2018); speculative decoding (Leviathan et
al., 2023) does the same for drawn tokens. The guess is what followed when the last tokens stood there before,
prompt lookup (Saxena, 2023), so no second model is needed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import mlx.core as mx
import numpy as np
from jaxtyping import Integer

from seqlab.errors import UsageError
from seqlab.models.heads import LanguageModel
from seqlab.models.parts.checks import check_positive

LONGEST = 3  # tokens that are looked up, as in Saxena's code
GUESSES = 10  # tokens guessed at once, as in Saxena's code


class Written(NamedTuple):
    """The tokens written, and the passes of the model after the one that read the prompt."""

    tokens: list[int]
    passes: int


def lookup(text: Sequence[int], *, longest: int = LONGEST, guesses: int = GUESSES) -> list[int]:
    """What followed the latest earlier occurrence of the text's last tokens, of as many as occur.

    Where this reaches the end of the text it continues with the guesses themselves, so that a repetition is
    guessed to go on. Empty where the last token is new.
    """
    for size in range(min(longest, len(text) - 1), 0, -1):
        last = list(text[-size:])
        for end in range(len(text) - 1, size - 1, -1):
            if list(text[end - size : end]) == last:
                known = list(text)
                for index in range(guesses):
                    known.append(known[end + index])
                return known[len(text) :]
    return []


def speculate(
    model: LanguageModel,
    prompt: Integer[mx.array, "1 L"],
    *,
    tokens: int,
    longest: int = LONGEST,
    guesses: int = GUESSES,
) -> Written:
    """Write `tokens` tokens greedily after the prompt, several a pass where the guesses are right.

    Raises `UsageError` for a model whose memory cannot go back to before a wrong guess, as a recurrent
    state cannot, and for more than one sequence: each would continue from a different place.
    """
    check_positive(tokens=tokens, longest=longest, guesses=guesses)
    if prompt.ndim != 2 or prompt.shape[0] != 1:
        raise UsageError(f"expected one prompt, of shape (1, length), found {tuple(prompt.shape)}.")
    state = model.initial_state(1, prompt.shape[1] + tokens - 1)  # the last token is not read
    if state.room is None:
        raise UsageError("expected keys and values in a cache, found a memory that cannot go back a step.")
    logits, state = model.prefill(prompt, state)
    text: list[int] = [*np.array(prompt[0]).tolist(), int(mx.argmax(logits[0]))]
    passes, wanted = 0, prompt.shape[1] + tokens
    while len(text) < wanted:
        # A pass also writes a token of its own, so the last guess would be one too many.
        guessed = lookup(text, longest=longest, guesses=guesses)[: wanted - len(text) - 1]
        y, after = model.backbone.extend(model.embed(mx.array([[text[-1], *guessed]])), state)
        chosen = np.array(mx.argmax(model.read(y)[0], axis=-1)).tolist()
        right = next((i for i, guess in enumerate(guessed) if guess != chosen[i]), len(guessed))
        text += chosen[: right + 1]
        # What the cache holds after a wrong guess lies beyond the position, and is overwritten.
        state = after._replace(position=state.position + right + 1)
        passes += 1
    return Written(text[prompt.shape[1] :], passes)
