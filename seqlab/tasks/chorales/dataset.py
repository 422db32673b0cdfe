"""How are the chorales split without leaks, and cut into windows to train and to test on?

A melody often comes in several settings, so the chorales are split by melody: those whose sopranos agree in
their first twenty steps, in whatever key, stay together. 89 of the 359 share their melody with another. The
melodies are drawn at random, from the order in which the file first has them; a fifth of them is the test.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int32, Int64

from seqlab.errors import UsageError
from seqlab.tasks import files
from seqlab.tasks.chorales.chorale import FRAMES_PER_BEAT, HIGHEST, SILENCE, START, VOICES, Chorale

SplitName = Literal["train", "valid", "test"]
TEST_SHARE, VALID_SHARE = 0.2, 0.1  # of the melodies
MAX_TRANSPOSITION = 6  # semitones: twelve keys, none more than half an octave away


class Windows(NamedTuple):
    """What a model reads before each token, the tokens, and which of them are scored."""

    inputs: Int32[np.ndarray, "N L"]
    targets: Int32[np.ndarray, "N L"]
    scored: Bool[np.ndarray, "N L"]


@dataclass(frozen=True)
class Chorales:
    """The task: chorales split so that each melody is in one split."""

    train: tuple[Chorale, ...]
    valid: tuple[Chorale, ...]
    test: tuple[Chorale, ...]

    def split(self, name: SplitName) -> tuple[Chorale, ...]:
        """The chorales of a split."""
        return {"train": self.train, "valid": self.valid, "test": self.test}[name]

    def batches(
        self, rng: np.random.Generator, *, batch: int, frames: int
    ) -> Iterator[tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"]]]:
        """Training batches without end, of `frames` frames: the inputs before each token, and the tokens.

        Each window starts on a beat of a chorale, all of them equally likely, in a random key that keeps
        every voice within the range that it has in the training chorales.
        """
        check_frames(frames)
        starts = [
            (number, start)
            for number, chorale in enumerate(self.train)
            for start in range(0, chorale.frames - frames + 1, FRAMES_PER_BEAT)
        ]
        if not starts:
            longest = max(chorale.frames for chorale in self.train)
            raise UsageError(f"expected at most {longest} frames, found {frames}. Set fewer.")
        keys = self._keys()
        while True:
            windows = []
            for number, start in (starts[i] for i in rng.integers(len(starts), size=batch)):
                transposed = self.train[number].transposed(int(rng.choice(keys[number])))
                windows.append(_window(transposed, start, frames))
            inputs, targets = zip(*windows, strict=True)
            yield np.stack(inputs), np.stack(targets)

    def windows(self, name: SplitName, *, frames: int, chorales: int | None = None) -> Windows:
        """The split's first chorales, in windows of `frames` frames that overlap by half.

        A token is scored in the window that has more before it. So every token is scored once, and has at
        least half a window before it, or all of the chorale up to it.
        """
        check_frames(frames, parts=2)
        half, rows = frames // 2, []
        for chorale in self.split(name)[:chorales]:
            for start in range(0, max(chorale.frames - half, 1), half):
                inputs, targets = _window(chorale, start, frames)
                scored = np.zeros((frames, len(VOICES)), bool)
                scored[half if start else 0 : chorale.frames - start] = True
                pad = frames * len(VOICES) - len(targets)  # after the end: a causal model ignores it
                rows.append((np.pad(inputs, (0, pad)), np.pad(targets, (0, pad)), scored.ravel()))
        return Windows(*map(np.stack, zip(*rows, strict=True)))

    def _keys(self) -> list[list[int]]:
        """The transpositions of each training chorale, in semitones, that suit every voice."""
        ranges = [_range(chorale) for chorale in self.train]
        lowest = np.min([low for low, _ in ranges], axis=0)
        highest = np.max([high for _, high in ranges], axis=0)
        keys = []
        for low, high in ranges:
            down = max(int((lowest - low).max()), 1 - MAX_TRANSPOSITION)
            up = min(int((highest - high).min()), MAX_TRANSPOSITION)
            keys.append(list(range(down, up + 1)))
        return keys


@cache
def load() -> Chorales:
    """Read and split, once a process. Raises `DataError` where the file is missing or altered."""
    stored = files.arrays("bach_chorales_16th.npz")
    ends = np.cumsum(stored["length"])
    everything = [
        Chorale(str(name), stored["pitch"][end - length : end], stored["onset"][end - length : end])
        for name, length, end in zip(stored["name"], stored["length"], ends, strict=True)
    ]
    return split_by_melody(everything, seed=0)


def split_by_melody(chorales: Sequence[Chorale], *, seed: int) -> Chorales:
    """A fifth of the melodies to the test, a tenth to validation, at random, each with all its chorales."""
    melodies = list(dict.fromkeys(chorale.melody for chorale in chorales))
    order = np.random.default_rng(seed).permutation(len(melodies))
    test, valid = round(TEST_SHARE * len(melodies)), round(VALID_SHARE * len(melodies))
    parts = np.split(order, [len(order) - test - valid, len(order) - test])
    return Chorales(
        *(
            tuple(chorale for chorale in chorales if chorale.melody in {melodies[i] for i in part})
            for part in parts
        )
    )


def check_frames(frames: int, *, parts: int = 1) -> None:
    """Windows, and halves of them, must start on a beat. Raises `UsageError` where they would not."""
    whole = parts * FRAMES_PER_BEAT
    if frames < whole or frames % whole:
        raise UsageError(f"expected a multiple of {whole} frames, found {frames}. Set another.")


def _window(
    chorale: Chorale, start: int, frames: int
) -> tuple[Int32[np.ndarray, "L"], Int32[np.ndarray, "L"]]:
    """The inputs before each token of the frames, and the tokens; fewer where the chorale ends."""
    first, last = start * len(VOICES), (start + frames) * len(VOICES)
    inputs = np.concatenate([np.array([START], np.int32), chorale.inputs().ravel()])
    targets = chorale.tokens().ravel()[first:last]
    return inputs[first : first + len(targets)], targets


def _range(chorale: Chorale) -> tuple[Int64[np.ndarray, "4"], Int64[np.ndarray, "4"]]:
    """The lowest and the highest pitch of each voice."""
    pitch = chorale.pitch.astype(int)
    return np.where(pitch == SILENCE, HIGHEST, pitch).min(axis=0), pitch.max(axis=0)
