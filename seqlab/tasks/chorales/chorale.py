"""How does a chorale on a grid of sixteenths become tokens, and how do tokens become a chorale?

    soprano  74  .  .  .  72  .  74  .        a number starts a note (MIDI: 60 is middle C),
    alto     67  .  .  .  67  .  .  .         a dot holds the one before
    tenor    58  .  57 .  58  .  .  .
    bass     55  .  .  .  51  .  .  .

There is one token for each voice in each frame, frame by frame, each from the soprano down to the bass:
74 67 58 55 . . . . . . 57 . . . . . A token is "hold", "rest" or the pitch of a new note.

A model reads more of an earlier token than the token itself: the pitch that sounds there, and whether the
note starts there. All tokens so far contain that too, but a model then need not look back to the start of a
note to know which pitch it holds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, UInt8

VOICES = ("soprano", "alto", "tenor", "bass")
FRAMES_PER_BEAT = 4  # sixteenths in a quarter
LOWEST, HIGHEST = 36, 81  # the range of the 359 chorales: from the bass's C2 to the soprano's A5
SILENCE = 0  # the pitch of a rest

HOLD, REST = 0, 1
VOCABULARY = 2 + HIGHEST - LOWEST + 1  # tokens to predict
START = 0  # the input before the first token
INPUT_VOCABULARY = 1 + 2 * (VOCABULARY - 1)  # the start, and each pitch or rest, held or new
MELODY_STEPS = 20


@dataclass(frozen=True)
class Chorale:
    """What sounds in each frame, 0 for a rest, and whether it starts there. A tied note starts again."""

    name: str
    pitch: UInt8[np.ndarray, "T 4"]
    onset: Bool[np.ndarray, "T 4"]

    @property
    def frames(self) -> int:
        """Its length, in sixteenths."""
        return len(self.pitch)

    @property
    def melody(self) -> tuple[int, ...]:
        """The first steps of the soprano, in semitones: the same in every key and rhythm."""
        notes = self.pitch[self.onset[:, 0], 0].astype(int)
        return tuple(np.diff(notes[notes != SILENCE])[:MELODY_STEPS].tolist())

    def tokens(self) -> Int32[np.ndarray, "T 4"]:
        """The tokens to predict."""
        pitched = self.pitch.astype(np.int32) - LOWEST + REST + 1
        tokens: np.ndarray = np.where(self.onset, np.where(self.pitch == SILENCE, REST, pitched), HOLD)
        return tokens.astype(np.int32)

    def inputs(self) -> Int32[np.ndarray, "T 4"]:
        """The ids that a model reads of these tokens, once they are earlier ones."""
        sounding = np.where(self.pitch == SILENCE, 0, self.pitch.astype(np.int32) - LOWEST + 1)
        ids: np.ndarray = START + 1 + 2 * sounding + self.onset
        return ids.astype(np.int32)

    def transposed(self, semitones: int) -> "Chorale":
        """The chorale in another key."""
        pitch = np.where(self.pitch == SILENCE, SILENCE, self.pitch.astype(int) + semitones)
        return Chorale(self.name, pitch.astype(np.uint8), self.onset)

    def opening(self, frames: int) -> "Chorale":
        """Its first frames."""
        return Chorale(self.name, self.pitch[:frames], self.onset[:frames])


def from_tokens(tokens: Int32[np.ndarray, "N"], name: str) -> Chorale:
    """The chorale of whole frames of tokens. A hold before a voice's first note is a rest."""
    grid = tokens.reshape(-1, len(VOICES))
    pitch = np.zeros(grid.shape, np.uint8)
    sounding = np.zeros(len(VOICES), np.uint8)
    for frame, row in enumerate(grid):
        started = np.where(row > REST, row + LOWEST - REST - 1, SILENCE)
        sounding = pitch[frame] = np.where(row == HOLD, sounding, started)
    return Chorale(name, pitch, grid != HOLD)


def input_id(token: int, previous: int) -> int:
    """The id that a model reads of a token; `previous` is the same voice's id one frame earlier."""
    if token == HOLD:  # the same pitch, now held; a rest where no note has started
        return START + 1 if previous == START else previous - (previous - START - 1) % 2
    return START + 2 * token  # REST is 1, the lowest pitch 2: as in `Chorale.inputs`
