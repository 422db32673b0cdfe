"""Does the file have every note of the grid, each started and ended?"""

import io

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seqlab.errors import UsageError
from seqlab.tasks import midi
from seqlab.tasks.chorales import dataset

VOICES = ("soprano", "alto", "tenor", "bass")


def opened(data):
    return mido.MidiFile(file=io.BytesIO(data))


def encoded(pitch, onset, **changed):
    asked = {"voices": VOICES, "frames_per_beat": 4, "beats_per_minute": 60.0, **changed}
    return midi.encode(np.asarray(pitch, np.uint8), np.asarray(onset, bool), **asked)


def sounded(track, ticks):
    """(pitch, first frame, last frame + 1) of each note, and the frame of the track's end; none may stick."""
    now, on, found = 0, {}, []
    for message in track:
        now += message.time
        if message.type == "note_on" and message.velocity:
            assert message.note not in on  # never begun twice
            on[message.note] = now
        elif message.type in ("note_on", "note_off"):
            found.append((message.note, on.pop(message.note) / ticks, now / ticks))
    assert not on  # every note ends
    return found, now / ticks


def plain(pitch, onset):
    """The notes of a voice, by a walk over its frames."""
    found = []
    for frame, (sounding, new) in enumerate(zip(pitch.tolist(), onset.tolist(), strict=True)):
        if not sounding:
            continue
        if frame and not new and pitch[frame - 1] == sounding:
            found[-1][2] = frame + 1
        else:
            found.append([sounding, frame, frame + 1])
    return [tuple(note) for note in found]


@pytest.mark.parametrize("number", [0, 10, 40])
def test_a_chorale_is_read_back_note_by_note(number):
    chorale = dataset.load().test[number]
    song = opened(encoded(chorale.pitch, chorale.onset))
    assert song.type == 1
    assert [track.name for track in song.tracks] == list(VOICES)
    for voice, track in enumerate(song.tracks):
        found, end = sounded(track, song.ticks_per_beat / 4)
        assert found == plain(chorale.pitch[:, voice], chorale.onset[:, voice])
        assert len(found) == (chorale.onset[:, voice] & (chorale.pitch[:, voice] > 0)).sum()
        assert end == chorale.frames
    assert song.length == pytest.approx(chorale.frames / 4)  # a beat a second


@given(
    arrays.arrays(np.uint8, (12, 4), elements=st.sampled_from([0, 60, 62])),
    arrays.arrays(np.bool_, (12, 4)),
)
def test_any_grid_is_read_back(pitch, onset):
    song = opened(encoded(pitch, onset))
    for voice, track in enumerate(song.tracks):
        assert sounded(track, 120) == (plain(pitch[:, voice], onset[:, voice]), 12)


def test_the_file_has_the_tempo_and_a_channel_for_each_voice():
    song = opened(encoded([[60, 55, 0, 40]], [[1, 1, 1, 1]], beats_per_minute=90.0))
    tempos = [message.tempo for track in song.tracks for message in track if message.type == "set_tempo"]
    assert tempos == [mido.bpm2tempo(90)]
    channels = [{m.channel for m in track if not m.is_meta} for track in song.tracks]
    assert channels == [{0}, {1}, {2}, {3}]


def test_voices_without_a_name_and_frames_off_the_ticks_are_refused():
    with pytest.raises(UsageError, match="a name for each of 4 voices"):
        encoded([[60] * 4], [[1] * 4], voices=VOICES[:3])
    with pytest.raises(UsageError, match="expected frames per beat that divide"):
        encoded([[60] * 4], [[1] * 4], frames_per_beat=7)
