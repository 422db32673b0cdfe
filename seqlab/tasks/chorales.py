"""Bach's four-part chorales on a grid of sixteenths: what does each voice do next?

    soprano  74  .  .  .  72  .  74  .        a number strikes a note (MIDI: 60 is middle C),
    alto     67  .  .  .  67  .  .  .         a dot holds the one before
    tenor    58  .  57 .  58  .  .  .
    bass     55  .  .  .  51  .  .  .

One token a voice a frame, frame by frame, each from the soprano down: 74 67 58 55 . . . . . . 57 . . . . .
A token is "hold", "rest" or a pitch, struck. The score is bits per token: the mean of -log2 p(token).

What a model reads of an earlier token is what sounds there, and whether it was struck. That says no more
than all tokens so far do, but a model need not look back to where a note began to know which one it holds.

A melody often comes in several settings, so that chorales are split by melody: those whose first twenty
steps of the soprano agree, in whatever key, are never parted. 89 of the 359 share theirs with another. The
melodies are drawn in the order in which the file first has them; a fifth of them is the test.

Classical baselines are n-grams, at the end of this file. Published with the data: interleaved n-grams of
orders 1, 2, 3, 5 need 2.11, 1.55, 1.41, 1.33 bits per token, and n-grams of five tokens of each voice alone
1.16. Here, on the test chorales: 2.12, 1.56, 1.42, 1.33 and 1.17; learnt on train and valid together, which
seems to be what was published, 2.12, 1.56, 1.41, 1.32 and 1.16.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt8

from seqlab.errors import UsageError
from seqlab.tasks import files

SplitName = Literal["train", "valid", "test"]
VOICES = ("soprano", "alto", "tenor", "bass")
FRAMES_A_BEAT = 4  # sixteenths in a quarter
LOWEST, HIGHEST = 36, 81  # what the 359 chorales have: from the bass's C2 to the soprano's A5
SILENCE = 0  # the pitch of a rest

HOLD, REST = 0, 1
VOCABULARY = 2 + HIGHEST - LOWEST + 1  # tokens to be told
START = 0  # what is read before the first token
READ = 1 + 2 * (VOCABULARY - 1)  # ids to be read: the start, and each pitch or rest, held or struck

MELODY_STEPS = 20
TEST_SHARE, VALID_SHARE = 0.2, 0.1  # of the melodies
FARTHEST = 6  # semitones to transpose by: twelve keys, none farther than half an octave

Learnt = tuple[SplitName, ...]
TRAIN: Learnt = ("train",)
Bits = Float64[np.ndarray, "T 4"]
Windows = tuple[Int32[np.ndarray, "N L"], Int32[np.ndarray, "N L"], Bool[np.ndarray, "N L"]]


@dataclass(frozen=True)
class Chorale:
    """What sounds in each frame, 0 for a rest, and whether it begins there. Ties are struck again."""

    name: str
    pitch: UInt8[np.ndarray, "T 4"]
    struck: Bool[np.ndarray, "T 4"]

    @property
    def frames(self) -> int:
        """Its length, in sixteenths."""
        return len(self.pitch)

    @property
    def melody(self) -> tuple[int, ...]:
        """The first steps of the soprano, in semitones: alike in every key and rhythm."""
        notes = self.pitch[self.struck[:, 0], 0].astype(int)
        return tuple(np.diff(notes[notes != SILENCE])[:MELODY_STEPS].tolist())

    def told(self) -> Int32[np.ndarray, "T 4"]:
        """The tokens, to be predicted."""
        pitched = self.pitch.astype(np.int32) - LOWEST + REST + 1
        told: np.ndarray = np.where(self.struck, np.where(self.pitch == SILENCE, REST, pitched), HOLD)
        return told.astype(np.int32)

    def read(self) -> Int32[np.ndarray, "T 4"]:
        """The ids that a model reads of the same tokens."""
        sounding = np.where(self.pitch == SILENCE, 0, self.pitch.astype(np.int32) - LOWEST + 1)
        ids: np.ndarray = START + 1 + 2 * sounding + self.struck
        return ids.astype(np.int32)

    def transposed(self, semitones: int) -> "Chorale":
        """The chorale in another key."""
        moved = np.where(self.pitch == SILENCE, SILENCE, self.pitch.astype(int) + semitones)
        return Chorale(self.name, moved.astype(np.uint8), self.struck)

    def opening(self, frames: int) -> "Chorale":
        """The first frames of it."""
        return Chorale(self.name, self.pitch[:frames], self.struck[:frames])


def written(tokens: Int32[np.ndarray, "N"], name: str) -> Chorale:
    """The chorale that tokens tell, whole frames of it. A note held before any was struck is a rest."""
    told = tokens.reshape(-1, len(VOICES))
    struck = told != HOLD
    pitch = np.zeros(told.shape, np.uint8)
    sounding = np.zeros(len(VOICES), np.uint8)
    for frame, row in enumerate(told):
        named = np.where(row > REST, row + LOWEST - REST - 1, SILENCE)
        sounding = pitch[frame] = np.where(row == HOLD, sounding, named)
    return Chorale(name, pitch, struck)


def reads_as(token: int, before: int) -> int:
    """The id to read of a token; `before` is the id read of the same voice a frame earlier."""
    if token == HOLD:  # what sounded, now held; a rest where nothing had begun
        return START + 1 if before == START else before - (before - START - 1) % 2
    return START + 2 * token  # REST is 1, the lowest pitch 2: as in `Chorale.read`


@dataclass(frozen=True)
class Chorales:
    """The task: chorales whose melodies are in one split each."""

    train: tuple[Chorale, ...]
    valid: tuple[Chorale, ...]
    test: tuple[Chorale, ...]

    def split(self, name: SplitName) -> tuple[Chorale, ...]:
        """The chorales of a split."""
        return {"train": self.train, "valid": self.valid, "test": self.test}[name]

    def batches(
        self, rng: np.random.Generator, *, batch: int, frames: int
    ) -> Iterator[tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"]]]:
        """Training batches without end: what is read before each token, and the tokens, of `frames` frames.

        Each window begins on a beat of a chorale, all of them equally likely, in a random key that leaves
        every voice within what it sings in some training chorale.
        """
        check_frames(frames)
        starts = [
            (number, start)
            for number, chorale in enumerate(self.train)
            for start in range(0, chorale.frames - frames + 1, FRAMES_A_BEAT)
        ]
        if not starts:
            longest = max(chorale.frames for chorale in self.train)
            raise UsageError(f"expected at most {longest} frames, found {frames}. Set fewer.")
        keys = self._keys()
        while True:
            pairs = []
            for number, start in (starts[i] for i in rng.integers(len(starts), size=batch)):
                moved = self.train[number].transposed(int(rng.choice(keys[number])))
                pairs.append(_window(moved, start, frames))
            yield np.stack([read for read, _ in pairs]), np.stack([told for _, told in pairs])

    def windows(self, name: SplitName, *, frames: int, chorales: int | None = None) -> Windows:
        """What is read before each token, the tokens, and which of them count, of the split's first chorales.

        Windows of `frames` frames overlap by half, and a token counts in the window that reads more before
        it: every token counts once, and all but the first half window of a chorale after half a window.
        """
        check_frames(frames, parts=2)
        half, rows = frames // 2, []
        for chorale in self.split(name)[:chorales]:
            for start in range(0, max(chorale.frames - half, 1), half):
                read, told = _window(chorale, start, frames)
                counted = np.zeros((frames, len(VOICES)), bool)
                counted[half if start else 0 : chorale.frames - start] = True
                pad = frames * len(VOICES) - len(told)  # causal models do not see it
                rows.append((np.pad(read, (0, pad)), np.pad(told, (0, pad)), counted.ravel()))
        read, told, counted = (np.stack(column) for column in zip(*rows, strict=True))
        return read, told, counted

    def _keys(self) -> list[list[int]]:
        """The transpositions of each training chorale, in semitones, that suit every voice."""
        ranges = [_range(chorale) for chorale in self.train]
        least = np.min([low for low, _ in ranges], axis=0)
        most = np.max([high for _, high in ranges], axis=0)
        return [
            list(
                range(
                    max(int((least - low).max()), 1 - FARTHEST), min(int((most - high).min()), FARTHEST) + 1
                )
            )
            for low, high in ranges
        ]


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
    """Melodies drawn at random: a fifth to the test, a tenth to validation, chorales with their melody."""
    melodies = list(dict.fromkeys(chorale.melody for chorale in chorales))
    order = np.random.default_rng(seed).permutation(len(melodies))
    test, valid = round(TEST_SHARE * len(melodies)), round(VALID_SHARE * len(melodies))
    parts = np.split(order, [len(order) - test - valid, len(order) - test])
    train, valid_, test_ = (
        tuple(chorale for chorale in chorales if chorale.melody in {melodies[i] for i in part})
        for part in parts
    )
    return Chorales(train, valid_, test_)


def check_frames(frames: int, *, parts: int = 1) -> None:
    """Windows, and halves of them, begin on a beat. Raises `UsageError` where these would not."""
    whole = parts * FRAMES_A_BEAT
    if frames < whole or frames % whole:
        raise UsageError(f"expected a multiple of {whole} frames, found {frames}. Set another.")


def _window(
    chorale: Chorale, start: int, frames: int
) -> tuple[Int32[np.ndarray, "L"], Int32[np.ndarray, "L"]]:
    """What is read before each token of the frames, and the tokens; fewer where the chorale ends."""
    first, last = start * len(VOICES), (start + frames) * len(VOICES)
    read = np.concatenate([np.array([START], np.int32), chorale.read().ravel()])
    told = chorale.told().ravel()[first:last]
    return read[first : first + len(told)], told


def _range(chorale: Chorale) -> tuple[Int64[np.ndarray, "4"], Int64[np.ndarray, "4"]]:
    """The lowest and the highest pitch of each voice."""
    pitch = chorale.pitch.astype(int)
    return np.where(pitch == SILENCE, HIGHEST, pitch).min(axis=0), pitch.max(axis=0)


# The classical baselines. A fact is a number known of each token before it is told. A context is several of
# them, from the widest to the narrowest; smoothing falls back on its beginnings.

Fact = Callable[[Chorale], Int64[np.ndarray, "T 4"]]
Context = tuple[Fact, ...]
UNTOLD = 127  # a fact that nothing tells: no pitch and no token
MOST_FACTS = 7  # with the voice and the token they are packed into one 64-bit number, 7 bits each
LONG_HELD = 8  # sixteenths: a half note or more


def bits_interleaved(
    chorales: Chorales, split: SplitName = "test", *, order: int, learnt: Learnt = TRAIN
) -> Bits:
    """Bits of each token by an n-gram of the tokens as they stand: the `order` - 1 before, of all voices."""
    if order < 1:
        raise UsageError(f"expected an order of 1 or more, found {order}. Raise it.")
    context = tuple(partial(token_before, tokens=places) for places in range(1, order))
    return _bits(chorales, split, contexts=(context,), learnt=learnt, apart=False)


def bits_alone(chorales: Chorales, split: SplitName = "test", *, tokens: int, learnt: Learnt = TRAIN) -> Bits:
    """Bits of each token by n-grams of each voice alone: the `tokens` of its own before."""
    context = tuple(partial(token_before, tokens=len(VOICES) * frames) for frames in range(1, tokens + 1))
    return _bits(chorales, split, contexts=(context,), learnt=learnt)


def bits_together(chorales: Chorales, split: SplitName = "test", *, learnt: Learnt = TRAIN) -> Bits:
    """Bits of each token by n-grams of each voice that see the others: the mean probability of `TOGETHER`."""
    return _bits(chorales, split, contexts=TOGETHER, learnt=learnt)


def token_before(chorale: Chorale, *, tokens: int) -> Int64[np.ndarray, "T 4"]:
    """The token so many places before, in the order in which they are told."""
    told = chorale.told().ravel().astype(np.int64)
    return np.concatenate([np.full(tokens, UNTOLD), told])[: len(told)].reshape(-1, len(VOICES))


def beat(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """Which sixteenth of the beat it is."""
    return _for_all(np.arange(chorale.frames) % FRAMES_A_BEAT)


def sounding(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """The voice's own pitch a frame before."""
    return _a_frame_later(chorale.pitch.astype(np.int64))


def note_before(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """The note before the one that sounds."""
    found = np.full(chorale.pitch.shape, UNTOLD)
    for voice, (frames, begun) in enumerate(_begun(chorale)):
        notes = chorale.pitch[frames, voice]
        found[:, voice] = np.where(begun > 1, notes[begun - 2], UNTOLD)
    return found


def time_held(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """For how many frames it has sounded."""
    found = np.zeros(chorale.pitch.shape, np.int64)
    for voice, (frames, begun) in enumerate(_begun(chorale)):
        held = np.arange(chorale.frames) - np.where(begun > 0, frames[begun - 1], 0)
        found[:, voice] = np.minimum(held, LONG_HELD)
    return found


def bass_before(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """The bass's pitch a frame before."""
    return _for_all(sounding(chorale)[:, -1])


def token_above(chorale: Chorale, *, voices: int) -> Int64[np.ndarray, "T 4"]:
    """The token of the voice so many above, in this frame."""
    return _from_above(chorale.told(), voices)


def pitch_above(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """What the next voice above sounds in this frame."""
    return _from_above(chorale.pitch, 1)


def struck_above(chorale: Chorale) -> Int64[np.ndarray, "T 4"]:
    """Which of the voices above begin a note in this frame, one bit for each."""
    bits = chorale.struck << np.arange(len(VOICES))
    above: np.ndarray = np.cumsum(bits, axis=1) - bits
    return above


# Four contexts, chosen one after another of sixteen by what their mean scores on the validation chorales:
# 0.99, 0.88, 0.86, 0.85 bits; a fifth and a sixth gained 0.01 more, a seventh nothing.
TOGETHER: tuple[Context, ...] = (
    (*(partial(token_above, voices=voices) for voices in (1, 2, 3)), sounding, beat),
    (beat, struck_above, sounding, bass_before, pitch_above),
    (beat, time_held, struck_above, sounding, partial(token_above, voices=1), note_before),
    (time_held, sounding, partial(token_above, voices=1), partial(token_above, voices=2), bass_before),
)


def _bits(
    chorales: Chorales, split: SplitName, *, contexts: Sequence[Context], learnt: Learnt, apart: bool = True
) -> Bits:
    """-log2 of the mean probability that n-grams with these contexts give each token of the split.

    `apart` counts each voice by itself.
    """
    known = [chorale for name in learnt for chorale in chorales.split(name)]
    asked = chorales.split(split)
    every = [*known, *asked]
    told = np.concatenate([chorale.told() for chorale in every]).astype(np.int64)
    first = sum(chorale.frames for chorale in known)
    voices = _for_all(np.zeros(len(told), np.int64)) + (np.arange(len(VOICES)) if apart else 0)
    mean = np.zeros((len(told) - first, len(VOICES)))
    for context in contexts:
        if len(context) > MOST_FACTS:
            raise UsageError(f"expected at most {MOST_FACTS} facts in a context, found {len(context)}.")
        facts = [np.concatenate([fact(chorale) for chorale in every]).ravel() for fact in context]
        contexts_of = np.stack([*_narrowing([voices.ravel(), *facts])])
        cut = first * len(VOICES)
        probability = witten_bell(
            contexts_of[:, :cut], told.ravel()[:cut], asked=contexts_of[:, cut:], tokens=told.ravel()[cut:]
        )
        mean += probability.reshape(mean.shape) / len(contexts)
    return -np.log2(mean)


def witten_bell(
    contexts: Int64[np.ndarray, "K N"],
    tokens_seen: Int64[np.ndarray, "N"],
    *,
    asked: Int64[np.ndarray, "K M"],
    tokens: Int64[np.ndarray, "M"],
) -> Float64[np.ndarray, "M"]:
    """Probability of each asked token after its context, by interpolated Witten-Bell smoothing.

    The rows of `contexts` number wider and wider ones. With h' the context h without its last fact and n(h)
    the number of different tokens seen after h (Chen and Goodman, 1998, section 2):

        p(t | h) = (count(h t) + n(h) p(t | h')) / (count(h) + n(h))

    down to a uniform distribution. After a context never seen the shorter one's answer stands.
    """
    probability = np.full(len(tokens), 1 / VOCABULARY)
    for seen, now in zip(contexts, asked, strict=True):
        grams, counts = np.unique(seen * VOCABULARY + tokens_seen, return_counts=True)
        first = np.flatnonzero(np.diff(grams // VOCABULARY, prepend=-1))  # they are sorted
        known = grams[first] // VOCABULARY
        total = _look_up(now, known, np.add.reduceat(counts, first))
        kinds = _look_up(now, known, np.diff([*first, len(grams)]))
        count = _look_up(now * VOCABULARY + tokens, grams, counts)
        refined = (count + kinds * probability) / np.maximum(total + kinds, 1)
        probability = np.where(total > 0, refined, probability)
    return probability


def _narrowing(facts: Sequence[Int64[np.ndarray, "N"]]) -> Iterator[Int64[np.ndarray, "N"]]:
    """A number for each different beginning of the facts: of the first alone, of two, of three and so on."""
    context = np.zeros(len(facts[0]), np.int64)
    for fact in facts:
        context = context * (UNTOLD + 1) + fact
        yield context


def _begun(chorale: Chorale) -> Iterator[tuple[Int64[np.ndarray, "notes"], Int64[np.ndarray, "T"]]]:
    """Of each voice the frames in which its notes begin, and how many have begun before each frame."""
    for struck in chorale.struck.T:
        yield np.flatnonzero(struck), np.cumsum(struck) - struck


def _look_up(
    asked: Int64[np.ndarray, "N"], keys: Int64[np.ndarray, "K"], values: Int64[np.ndarray, "K"]
) -> Int64[np.ndarray, "N"]:
    """The value of each asked key; 0 where it is not among the sorted keys."""
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[at] == asked, values[at], 0)


def _for_all(fact: Int64[np.ndarray, "T"]) -> Int64[np.ndarray, "T 4"]:
    return np.repeat(fact[:, None], len(VOICES), axis=1)


def _a_frame_later(fact: Int64[np.ndarray, "T 4"]) -> Int64[np.ndarray, "T 4"]:
    return np.concatenate([np.full((1, len(VOICES)), UNTOLD), fact[:-1]])


def _from_above(fact: np.ndarray, voices: int) -> Int64[np.ndarray, "T 4"]:
    """What voices so many above have; the highest ones have none above them."""
    untold = np.full((len(fact), voices), UNTOLD)
    return np.concatenate([untold, fact[:, : len(VOICES) - voices].astype(np.int64)], axis=1)
