"""How does a model of characters or words continue a text?"""

from typing import Protocol

import mlx.core as mx
import numpy as np

from seqlab.decoding.generate import GREEDY, Decodable, Sampling, generate


class Alphabet(Protocol):
    """Translates between texts and token ids, as `seqlab.tasks.characters.Characters` does."""

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text."""

    def decode(self, ids: np.ndarray) -> str:
        """The text that ids stand for."""


def continued(
    model: Decodable,
    alphabet: Alphabet,
    prompt: str,
    *,
    tokens: int,
    sampling: Sampling = GREEDY,
    key: mx.array | None = None,
) -> str:
    """The prompt and the text that the model generates after it."""
    read = mx.array(alphabet.encode(prompt)[None])
    drawn = generate(model, read, tokens=tokens, sampling=sampling, key=key)
    return prompt + alphabet.decode(np.concatenate([np.array(token) for token in drawn]).astype(np.int32))
