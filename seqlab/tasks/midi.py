"""How does music on a grid become a standard MIDI file?

The file is of type 1, with a track and a channel for each voice. A note sounds from the frame in which it
starts until the next one starts; the frames that hold it become part of it.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mido
import numpy as np
from jaxtyping import Bool, UInt8

from seqlab.errors import UsageError

TICKS_PER_BEAT = 480  # as most programs write; divisible into sixteenths
CHOIR = 52  # General MIDI, level 1: choir aahs, counted from 0
VELOCITY = 80  # of 127: between mezzo-forte and forte
DRUMS = 9  # the channel that General MIDI reserves for them: up to nine voices have one below it


@dataclass(frozen=True)
class Note:
    """A pitch (60 is middle C) that sounds from one frame up to another."""

    pitch: int
    first: int
    end: int


def notes(pitch: UInt8[np.ndarray, "T"], onset: Bool[np.ndarray, "T"]) -> Iterator[Note]:
    """The notes of one voice in order; pitch 0 is a rest. A new pitch starts a note even without an onset."""
    begins = onset.copy()
    begins[:1] = True
    begins[1:] |= pitch[1:] != pitch[:-1]
    firsts = np.flatnonzero(begins)
    for first, end in zip(firsts, [*firsts[1:], len(pitch)], strict=True):
        if pitch[first]:
            yield Note(int(pitch[first]), int(first), int(end))


def encode(
    pitch: UInt8[np.ndarray, "T V"],
    onset: Bool[np.ndarray, "T V"],
    *,
    voices: Sequence[str],
    frames_per_beat: int,
    beats_per_minute: float,
) -> bytes:
    """The bytes of a MIDI file with these voices, one per column."""
    if len(voices) != pitch.shape[1] or len(voices) > DRUMS:
        raise UsageError(
            f"expected a name for each of {pitch.shape[1]} voices, {DRUMS} at most, found {len(voices)}."
        )
    if TICKS_PER_BEAT % frames_per_beat:
        raise UsageError(
            f"expected frames per beat that divide {TICKS_PER_BEAT} ticks, found {frames_per_beat}."
        )
    ticks = TICKS_PER_BEAT // frames_per_beat
    song = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    for channel, voice in enumerate(voices):
        track = song.add_track(voice)
        if channel == 0:  # the first track of a type 1 file holds the tempo of all
            track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(beats_per_minute), time=0))
        track.append(mido.Message("program_change", channel=channel, program=CHOIR, time=0))
        now = 0
        for note in notes(pitch[:, channel], onset[:, channel]):
            sound = {"channel": channel, "note": note.pitch, "velocity": VELOCITY}
            track.append(mido.Message("note_on", time=note.first * ticks - now, **sound))
            track.append(mido.Message("note_off", time=(note.end - note.first) * ticks, **sound))
            now = note.end * ticks
        track.append(mido.MetaMessage("end_of_track", time=len(pitch) * ticks - now))
    written = io.BytesIO()
    song.save(file=written)
    return written.getvalue()
