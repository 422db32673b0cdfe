"""Is every feature what its docstring says, and does none see the token that it predicts?"""

import numpy as np
import pytest

from seqlab.tasks.chorales import features
from seqlab.tasks.chorales.chorale import Chorale
from seqlab.tasks.chorales.features import UNKNOWN
from seqlab.tasks.chorales.ngrams import ALL_VOICES


@pytest.mark.parametrize("context", ALL_VOICES)
def test_no_feature_sees_the_token_or_what_comes_after(music, context):
    """Change the chorale from one token on: no feature of that token or of one before it changes."""
    chorale = music.valid[0]
    for at in (7, 62, 93, 118):
        changed_pitch, changed_onset = chorale.pitch.ravel().copy(), chorale.onset.ravel().copy()
        changed_pitch[at:] = 60 + np.arange(len(changed_pitch) - at) % 7
        changed_onset[at:] = ~changed_onset[at:]
        other = Chorale("other", changed_pitch.reshape(-1, 4), changed_onset.reshape(-1, 4))
        for feature in context:
            before, after = feature(chorale).ravel(), feature(other).ravel()
            np.testing.assert_array_equal(before[: at + 1], after[: at + 1])


def test_features_are_what_they_say(bar):
    assert features.previous_pitch(bar)[:, 0].tolist() == [UNKNOWN, 72, 72, 74]
    assert features.note_before_last(bar)[:, 0].tolist() == [UNKNOWN, UNKNOWN, UNKNOWN, 72]
    assert features.frames_held(bar)[:, 0].tolist() == [0, 1, 2, 1]
    assert features.onsets_above(bar).tolist() == [[0, 1, 3, 7], [0, 0, 0, 0], [0, 1, 1, 5], [0, 0, 2, 2]]
    assert features.pitch_above(bar)[2].tolist() == [UNKNOWN, 74, 67, 55]
    assert features.token_above(bar, voices=2)[0].tolist() == [UNKNOWN, UNKNOWN, 72 - 34, 67 - 34]
    assert features.previous_bass(bar)[1].tolist() == [48] * 4
    assert features.previous_token(bar, tokens=5)[1].tolist() == [UNKNOWN, *bar.tokens()[0, :3].tolist()]
