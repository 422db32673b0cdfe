"""Do the n-grams need as many bits as was published?"""

import pytest

from seqlab.errors import UsageError
from seqlab.tasks.chorales import ngrams
from seqlab.tasks.chorales.chorale import VOICES


@pytest.mark.parametrize(("order", "published"), [(1, 2.11), (2, 1.55), (3, 1.41), (5, 1.33)])
def test_interleaved_ngrams_come_within_one_per_cent_of_what_was_published(music, order, published):
    assert ngrams.interleaved_bits(music, order=order).mean() == pytest.approx(published, rel=0.01)


def test_ngrams_of_each_voice_come_within_one_per_cent_of_what_was_published(music):
    assert ngrams.single_voice_bits(music, tokens=5).mean() == pytest.approx(1.16, rel=0.01)


def test_ngrams_that_see_all_voices_beat_those_of_a_single_voice(music):
    together = ngrams.all_voices_bits(music, "valid")
    assert together.shape == (sum(chorale.frames for chorale in music.valid), len(VOICES))
    assert together.mean() == pytest.approx(0.854, abs=0.001)  # as the comment says
    assert together.mean() < ngrams.single_voice_bits(music, "valid", tokens=5).mean() - 0.1


def test_contexts_that_cannot_be_packed_are_refused(music):
    with pytest.raises(UsageError, match="at most 7 features"):
        ngrams.single_voice_bits(music, tokens=8)
    with pytest.raises(UsageError, match="an order of 1 or more"):
        ngrams.interleaved_bits(music, order=0)
