"""The classical baselines for chorales: how many bits per token do n-grams need?

An n-gram conditions on a context: several features, the most important first. Smoothing falls back from the
whole context to its beginnings. The score is the mean of -log2 p(token).

Published with the data: interleaved n-grams of orders 1, 2, 3 and 5 need 2.11, 1.55, 1.41 and 1.33 bits per
token, and n-grams of five tokens of each voice by itself 1.16. Here, on the test chorales: 2.12, 1.56, 1.42,
1.33 and 1.17. Trained on train and valid together, which is probably what was published: 2.12, 1.56, 1.41,
1.32 and 1.16.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Float64

from seqlab.errors import UsageError
from seqlab.tasks.chorales.chorale import VOCABULARY, VOICES
from seqlab.tasks.chorales.dataset import Chorales, SplitName
from seqlab.tasks.chorales.features import (
    UNKNOWN,
    Feature,
    beat_position,
    for_all_voices,
    frames_held,
    note_before_last,
    onsets_above,
    pitch_above,
    previous_bass,
    previous_pitch,
    previous_token,
    token_above,
)
from seqlab.tasks.chorales.witten_bell import context_numbers, probabilities

Bits = Float64[np.ndarray, "T 4"]
Context = tuple[Feature, ...]
Splits = tuple[SplitName, ...]
MAX_FEATURES = 7  # with the voice and the token they are packed into one 64-bit number, 7 bits each

# Four contexts, chosen greedily among sixteen by the validation score of their mean: 0.99, 0.88, 0.86 and
# 0.85 bits. A fifth and a sixth gained 0.01 more, a seventh nothing.
ALL_VOICES: tuple[Context, ...] = (
    (*(partial(token_above, voices=voices) for voices in (1, 2, 3)), previous_pitch, beat_position),
    (beat_position, onsets_above, previous_pitch, previous_bass, pitch_above),
    (
        beat_position, frames_held, onsets_above, previous_pitch,
        partial(token_above, voices=1), note_before_last,
    ),
    (
        frames_held, previous_pitch,
        partial(token_above, voices=1), partial(token_above, voices=2), previous_bass,
    ),
)  # fmt: skip


def interleaved_bits(
    chorales: Chorales, split: SplitName = "test", *, order: int, trained_on: Splits = ("train",)
) -> Bits:
    """Bits of each token by an n-gram of the interleaved tokens: the `order` - 1 before, of all voices."""
    if order < 1:
        raise UsageError(f"expected an order of 1 or more, found {order}. Raise it.")
    context = tuple(partial(previous_token, tokens=tokens) for tokens in range(1, order))
    return _bits(chorales, split, contexts=(context,), trained_on=trained_on, per_voice=False)


def single_voice_bits(
    chorales: Chorales, split: SplitName = "test", *, tokens: int, trained_on: Splits = ("train",)
) -> Bits:
    """Bits of each token by an n-gram of each voice by itself: its own `tokens` tokens before."""
    context = tuple(partial(previous_token, tokens=len(VOICES) * frames) for frames in range(1, tokens + 1))
    return _bits(chorales, split, contexts=(context,), trained_on=trained_on)


def all_voices_bits(
    chorales: Chorales, split: SplitName = "test", *, trained_on: Splits = ("train",)
) -> Bits:
    """Bits of each token by n-grams of each voice that see the others: the mean over `ALL_VOICES`."""
    return _bits(chorales, split, contexts=ALL_VOICES, trained_on=trained_on)


def _bits(
    chorales: Chorales,
    split: SplitName,
    *,
    contexts: Sequence[Context],
    trained_on: Splits,
    per_voice: bool = True,
) -> Bits:
    """-log2 of the mean probability that n-grams with these contexts give each token of the split.

    With `per_voice` each voice has counts of its own.
    """
    training = [chorale for name in trained_on for chorale in chorales.split(name)]
    everything = [*training, *chorales.split(split)]
    tokens = np.concatenate([chorale.tokens() for chorale in everything]).astype(np.int64).ravel()
    frames = len(tokens) // len(VOICES)
    voices = for_all_voices(np.zeros(frames, np.int64)) + (np.arange(len(VOICES)) if per_voice else 0)
    first = sum(chorale.frames for chorale in training) * len(VOICES)
    mean = np.zeros(len(tokens) - first)
    for context in contexts:
        if len(context) > MAX_FEATURES:
            raise UsageError(f"expected at most {MAX_FEATURES} features in a context, found {len(context)}.")
        features = [np.concatenate([of(chorale) for chorale in everything]).ravel() for of in context]
        numbers = np.stack([*context_numbers([voices.ravel(), *features], base=UNKNOWN + 1)])
        mean += probabilities(
            numbers[:, :first], tokens[:first],
            contexts=numbers[:, first:], tokens=tokens[first:], vocabulary=VOCABULARY,
        ) / len(contexts)  # fmt: skip
    return -np.log2(mean.reshape(-1, len(VOICES)))
