"""How can one pass of a model write several tokens, and the same ones as token by token?

The next tokens are guessed, cheaply; the model reads all guesses in one pass, which says for each place what
it would have chosen there. Guesses are kept up to the first that it would not have chosen, and its own choice
at that place comes for nothing: one pass writes at least one token, and only tokens that the model chooses.

That is blockwise decoding with greedy verification (Stern et al., 2018); speculative decoding (Leviathan et
al., 2023) does the same for drawn tokens. The guess is what followed when the last tokens stood there before,
prompt lookup (Saxena, 2023): no second model, and nothing that the text itself does not say.
"""

from collections.abc import Sequence
from typing import NamedTuple

import mlx.core as mx
import numpy as np
from jaxtyping import Integer

from seqlab.errors import UsageError
from seqlab.models.heads import LanguageModel
from seqlab.models.parts.checks import check_positive

LONGEST = 3  # tokens that are looked up, and
GUESSES = 10  # tokens guessed at once: both as in Saxena's code


class Written(NamedTuple):
    """The tokens written, and the passes of the model after the one that read the prompt."""

    tokens: list[int]
    passes: int


def lookup(text: Sequence[int], *, longest: int = LONGEST, guesses: int = GUESSES) -> list[int]:
    """What followed the latest earlier place of the text's last tokens, as many of them as stand there.

    Where what followed reaches the end of the text it goes on with the guesses themselves, so that a
    repetition is guessed to go on. Empty where the last token is new.
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
    state cannot, and for more than one sequence: each would go on from a place of its own.
    """
    check_positive(tokens=tokens, longest=longest, guesses=guesses)
    if prompt.ndim != 2 or prompt.shape[0] != 1:
        raise UsageError(f"expected one prompt, of shape (1, length), found {tuple(prompt.shape)}.")
    state = model.initial_state(1, prompt.shape[1] + tokens - 1)  # the last token is not read
    if state.room is None:
        raise UsageError("this model's memory cannot go back a step, expected keys and values in a cache.")
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
        # What was written into the cache after a wrong guess is hidden, and then written over.
        state = after._replace(position=state.position + right + 1)
        passes += 1
    return Written(text[prompt.shape[1] :], passes)
