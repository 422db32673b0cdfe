"""What does a chorale look like? A piano roll: pitch against time, a colour for each voice."""

import numpy as np
from jaxtyping import Float32

from seqlab.notebook.artifacts import Panel
from seqlab.tasks.chorales.chorale import HIGHEST, LOWEST, SILENCE, VOICES, Chorale

C4 = 60  # MIDI's number of middle C


def piano_roll(chorale: Chorale, title: str) -> Panel:
    """Pitches from the highest down, sixteenths from the left; where voices meet, the lower voice shows."""
    matrix: Float32[np.ndarray, "P T"] = np.full((HIGHEST - LOWEST + 1, chorale.frames), -1, np.float32)
    for voice, pitch in enumerate(chorale.pitch.T):
        at = np.flatnonzero(pitch != SILENCE)
        matrix[HIGHEST - pitch[at].astype(int), at] = voice
    pitches = range(HIGHEST, LOWEST - 1, -1)
    return Panel(
        title,
        tuple(map(tuple, matrix.tolist())),
        categories=VOICES,
        rows=tuple(f"C{4 + (pitch - C4) // 12}" if pitch % 12 == 0 else "" for pitch in pitches),
        x="sixteenths",
    )
