"""Do tokens and inputs say what a chorale does, and can a chorale be made of any tokens?"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqlab.tasks.chorales.chorale import (
    HOLD,
    INPUT_VOCABULARY,
    REST,
    START,
    VOCABULARY,
    from_tokens,
    input_id,
)


def test_tokens_say_what_a_bar_does(bar):
    c5, g4, c3, d5, g3, f4 = (pitch - 34 for pitch in (72, 67, 48, 74, 55, 65))  # C2, 36, is token 2
    assert bar.tokens().tolist() == [
        [c5, g4, REST, c3],
        [HOLD] * 4,
        [d5, HOLD, g3, HOLD],
        [HOLD, f4, HOLD, c3],
    ]


def test_tokens_keep_the_whole_chorale(music, bar):
    for chorale in (bar, music.test[0], music.train[5]):
        again = from_tokens(chorale.tokens().ravel(), chorale.name)
        np.testing.assert_array_equal(again.pitch, chorale.pitch)
        np.testing.assert_array_equal(again.onset, chorale.onset)


def test_inputs_follow_from_tokens(music):
    """Token by token, from the same voice's input before."""
    for chorale in (music.test[1], music.valid[2]):
        previous = [START] * 4
        for tokens, inputs in zip(chorale.tokens().tolist(), chorale.inputs().tolist(), strict=True):
            previous = [input_id(token, last) for token, last in zip(tokens, previous, strict=True)]
            assert previous == inputs


def test_all_ids_are_in_their_vocabularies(music):
    for split in ("train", "valid", "test"):
        tokens = np.concatenate([chorale.tokens() for chorale in music.split(split)])
        inputs = np.concatenate([chorale.inputs() for chorale in music.split(split)])
        assert 0 <= tokens.min() <= tokens.max() < VOCABULARY == 48
        assert START < inputs.min() <= inputs.max() < INPUT_VOCABULARY == 95


@given(st.lists(st.integers(0, VOCABULARY - 1), min_size=4, max_size=40))
def test_any_tokens_make_a_chorale(tokens):
    """A model may hold a note that never started; that is a rest, and still a chorale."""
    whole = np.array(tokens[: len(tokens) // 4 * 4], np.int32)
    chorale = from_tokens(whole, "any")
    np.testing.assert_array_equal(chorale.tokens().ravel(), whole)
    assert chorale.inputs().max() < INPUT_VOCABULARY
