"""Is every note of a chorale at its pitch and in its voice's colour?"""

import numpy as np

from seqlab.tasks.chorales.piano_roll import piano_roll


def test_a_roll_shows_each_voice_at_its_pitch(music):
    chorale = music.test[0].opening(52)
    panel = piano_roll(chorale, "Bach")
    shown = np.array(panel.matrix)
    assert shown.shape == (46, 52)
    names = [number for number, row in enumerate(panel.rows) if row]
    assert [panel.rows[number] for number in names] == ["C5", "C4", "C3", "C2"]
    assert [81 - number for number in names] == [72, 60, 48, 36]
    for frame in (0, 17, 51):
        for voice, pitch in enumerate(chorale.pitch[frame]):
            here = shown[81 - int(pitch), frame]
            assert here == voice or chorale.pitch[frame, int(here)] == pitch  # two may meet on a pitch
    assert (shown >= 0).any(axis=0).all()
