"""What can an n-gram of a chorale condition on: which numbers are known before each token?

A feature maps a chorale to one number for each token. It depends on earlier tokens only, in the order
soprano to bass within a frame.
"""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Int64

from seqlab.tasks.chorales.chorale import FRAMES_PER_BEAT, VOICES, Chorale

Feature = Callable[[Chorale], Int64[np.ndarray, "T 4"]]
UNKNOWN = 127  # no pitch and no token: the feature does not exist there
MAX_HELD = 8  # sixteenths: a half note or more


def previous_token(chorale: Chorale, *, tokens: int) -> Int64[np.ndarray, "T 4"]:
    """The token so many tokens earlier, of whatever voice."""
    sequence = chorale.tokens().ravel().astype(np.int64)
    return np.concatenate([np.full(tokens, UNKNOWN), sequence])[: len(sequence)].reshape(-1, len(VOICES))


def beat_position(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """Which sixteenth of the beat it is."""
    return for_all_voices(np.arange(chorale.frames) % FRAMES_PER_BEAT)


def previous_pitch(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """The voice's own pitch one frame earlier."""
    nothing = np.full((1, len(VOICES)), UNKNOWN)
    return np.concatenate([nothing, chorale.pitch[:-1].astype(np.int64)])


def note_before_last(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """The voice's note before the one that sounds."""
    found = np.full(chorale.pitch.shape, UNKNOWN)
    for voice, (frames, started) in enumerate(_onsets(chorale)):
        notes = chorale.pitch[frames, voice]
        found[:, voice] = np.where(started > 1, notes[started - 2], UNKNOWN)
    return found


def frames_held(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """For how many frames the voice's note has sounded."""
    found = np.zeros(chorale.pitch.shape, np.int64)
    for voice, (frames, started) in enumerate(_onsets(chorale)):
        held = np.arange(chorale.frames) - np.where(started > 0, frames[started - 1], 0)
        found[:, voice] = np.minimum(held, MAX_HELD)
    return found


def previous_bass(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """The bass's pitch one frame earlier."""
    return for_all_voices(previous_pitch(chorale)[:, -1])


def token_above(chorale: Chorale, *, voices: int) -> Int64[np.ndarray, "T 4"]:
    """The token, in this frame, of the voice so many above."""
    return _from_above(chorale.tokens(), voices)


def pitch_above(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """The pitch, in this frame, of the next voice above."""
    return _from_above(chorale.pitch, 1)


def onsets_above(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """Which of the voices above start a note in this frame, one bit each."""
    bits = chorale.onset << np.arange(len(VOICES))
    above: np.ndarray = np.cumsum(bits, axis=1) - bits
    return above


def for_all_voices(values: Int64[np.ndarray, "T"]) -> Int64[np.ndarray, "T 4"]:
    """The same number for every voice of a frame."""
    return np.repeat(values[:, None], len(VOICES), axis=1)


def _onsets(chorale: Chorale) -> Iterator[tuple[Int64[np.ndarray, "notes"], Int64[np.ndarray, "T"]]]:
    """Of each voice the frames in which its notes start, and how many have started before each frame."""
    for onset in chorale.onset.T:
        yield np.flatnonzero(onset), np.cumsum(onset) - onset


def _from_above(values: np.ndarray, voices: int) -> Int64[np.ndarray, "T 4"]:
    """The values of the voice so many above; the highest voices have none above them."""
    nothing = np.full((len(values), voices), UNKNOWN)
    return np.concatenate([nothing, values[:, : len(VOICES) - voices].astype(np.int64)], axis=1)
