"""How does a language model continue a chorale, voice by voice, from its first bars?

The model reads at most a window, as in training. Where a window is full, it goes on from the second half of
it, so that every token is drawn with at least half a window before it, or all of the chorale up to it.
"""

import mlx.core as mx
import numpy as np

from seqlab.decoding.generate import Sampling, restrict
from seqlab.models.heads import LanguageModel
from seqlab.tasks.chorales.chorale import START, VOICES, Chorale, from_tokens, input_id


def continue_chorale(
    model: LanguageModel,
    opening: Chorale,
    *,
    frames: int,
    window: int,
    sampling: Sampling,
    key: mx.array,
) -> Chorale:
    """The opening and the model's continuation, `frames` frames in all; `window` is in frames too."""
    tokens = opening.tokens().ravel().tolist()
    inputs = [START, *opening.inputs().ravel().tolist()]
    whole, half = frames * len(VOICES), window * len(VOICES) // 2
    while len(tokens) < whole:
        first = max(len(tokens) // half - 1, 0) * half
        logits, state = model.prefill(mx.array([inputs[first:]]), model.initial_state(1, 2 * half))
        for place in range(len(tokens), min(first + 2 * half, whole)):
            key, now = mx.random.split(key)
            token = int(np.array(mx.random.categorical(restrict(logits, sampling), key=now))[0])
            tokens.append(token)
            inputs.append(input_id(token, inputs[place + 1 - len(VOICES)]))
            if state.position < 2 * half:
                logits, state = model.step(mx.array(inputs[-1:]), state)
    return from_tokens(np.array(tokens, np.int32), opening.name)
