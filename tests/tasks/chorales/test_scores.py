"""Do the scores of frames and voices follow from those of tokens?"""

import math

import numpy as np
import pytest

from seqlab.tasks.chorales.scores import scores


def test_scores_of_a_frame_and_of_each_voice_add_up():
    bits = np.array([[1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 1.0, 0.0]])
    found = {(one.metric, one.step): one.value for one in scores(bits, "test")}
    assert found["bits_per_token", None] == 2.0
    assert found["nats_per_frame", None] == pytest.approx(8 * math.log(2))
    assert [found["voice_bits", voice] for voice in (1, 2, 3, 4)] == [2.0, 2.0, 2.0, 2.0]
