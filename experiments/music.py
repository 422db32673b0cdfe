"""Does a Transformer predict Bach chorales better than other models?

The data are Bach's four-part chorales on a grid of sixteenths, read as one sequence: frame by frame, each
from the soprano down to the bass, with one token for each voice. A token starts a pitch, starts a rest or
holds the note before. The score is bits per token of test chorales whose melody no training chorale has in
any key. Hymns were often set several times, and a model that was trained on one setting of a tune would know
much of the next.

All networks read the same: for each earlier token its pitch and whether the note starts there, which voice
comes next, and which sixteenth of the beat it is. They have equally many parameters, chorales, keys and
learning rates tried, and the same limit of training steps. Every token is scored with at least half a window
before it, or all of the chorale up to it. The minGRU and the TCN are as parallel as the Transformer, but have
no attention.

The classical baselines are n-grams with Witten-Bell smoothing: of the interleaved tokens, of each voice by
itself and, the strongest, of each voice with features of the others: the mean of four n-grams whose contexts
were chosen on the validation chorales. N-grams do not transpose; the networks train in every key that suits
the voices, until a quarter of the training has brought next to nothing on the validation chorales, or to the
limit of steps that all share.

Bai et al. report 8.10 nats per frame for a TCN, 8.43 for a GRU, 8.45 for an LSTM and 8.91 for an RNN
[@bai2018empirical, table 1], on another split and another grid, where a frame is a set of pitches. Their
figures cannot be compared with these. This is not the Music Transformer either, which adds relative positions
to attention and was trained on performances too [@huang2018music]. Here the Transformer has rotary positions,
which are relative as well, and reads which voice comes next.

Two networks continue a test chorale after its first bar, token by token. Each token is drawn from the most
probable ones that together make up 95 per cent (top-p sampling).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

import mlx.core as mx
import numpy as np
from jaxtyping import Float64
from mlx import nn

from seqlab.decoding.chorales import continue_chorale
from seqlab.decoding.generate import Sampling
from seqlab.models import backbones
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.losses import token_loss
from seqlab.notebook import (
    Artifact,
    Budget,
    Claim,
    Difference,
    Experiment,
    Measurement,
    Point,
    Trial,
    Tuning,
    grid,
)
from seqlab.notebook.figures import Attachment, Curve, Heatmap, ImageGrid, Interval, Table, Tradeoff
from seqlab.tasks import midi
from seqlab.tasks.chorales import dataset, ngrams
from seqlab.tasks.chorales.chorale import FRAMES_PER_BEAT, INPUT_VOCABULARY, VOCABULARY, VOICES
from seqlab.tasks.chorales.dataset import Chorales, SplitName, Windows
from seqlab.tasks.chorales.piano_roll import piano_roll
from seqlab.tasks.chorales.scores import scores
from seqlab.training import Batch, TriedRates, train

RATES = TriedRates.beside(__file__)
TRAINED = (backbones.TRANSFORMER, "LSTM", "minGRU", "TCN")
PARALLEL = ("minGRU", "TCN")  # without attention
SINGLE_VOICE, ALL_VOICES = "n-gram of each voice", "n-grams of all voices"
NGRAMS: Mapping[str, Callable[[Chorales, SplitName], ngrams.Bits]] = {
    **{f"{order}-gram": partial(ngrams.interleaved_bits, order=order) for order in (1, 2, 3, 5)},
    SINGLE_VOICE: partial(ngrams.single_voice_bits, tokens=5),
    ALL_VOICES: ngrams.all_voices_bits,
}
NETWORKS = {"model": TRAINED}
CONTINUED = {"model": (backbones.TRANSFORMER, "TCN")}  # these networks continue a chorale
MARGIN = 0.02 / math.log(2)  # bits: the smallest difference of interest, 0.02 nats per token
MIN_GAIN = MARGIN / 4

OPENING = 4 * FRAMES_PER_BEAT  # frames by Bach: a bar of common time
SAMPLING = Sampling(top_p=0.95)  # Holtzman et al., 2020
EVALUATION_BATCH = 128  # windows: many take a recurrent network hardly longer than few
BEATS_PER_MINUTE = 72.0  # a choir's pace; the data have no tempo


def head(backbone: Backbone) -> LanguageModel:
    """The whole model: it reads earlier tokens, which voice comes next, and which sixteenth of the beat."""
    return LanguageModel(
        backbone, vocabulary=INPUT_VOCABULARY, outputs=VOCABULARY, period=FRAMES_PER_BEAT * len(VOICES)
    )


@cache  # cut once a process
def windows(split: SplitName, frames: int, pieces: int | None) -> Windows:
    """The windows of the split's first chorales."""
    return dataset.load().windows(split, frames=frames, chorales=pieces)


def network_bits(
    model: nn.Module, split: SplitName, *, frames: int, pieces: int | None = None
) -> Float64[np.ndarray, "T 4"]:
    """-log2 of the probability of each token of the split's first chorales, in windows of so many frames."""
    inputs, targets, scored = windows(split, frames, pieces)
    found = []
    for i in range(0, len(inputs), EVALUATION_BATCH):
        batch = slice(i, i + EVALUATION_BATCH)
        logits = model(mx.array(inputs[batch]))
        nats = nn.losses.cross_entropy(logits, mx.array(targets[batch]), reduction="none")
        found.append(np.array(nats)[scored[batch]])
    return np.concatenate(found).astype(np.float64).reshape(-1, len(VOICES)) / math.log(2)


def ngram_bits(name: str, music: Chorales, split: SplitName, *, pieces: int) -> Float64[np.ndarray, "T 4"]:
    """The same of an n-gram, on the same chorales."""
    frames = sum(chorale.frames for chorale in music.split(split)[:pieces])
    return NGRAMS[name](music, split)[:frames]


@dataclass(frozen=True)
class Recipe:
    """Predict chorales token by token, in windows of `frames` frames, with a network of one size."""

    model: str
    width: int
    depth: int
    steps: int
    batch: int
    frames: int
    valid_pieces: int

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A network of the common size, and its training batches."""
        size = backbones.Size(self.width, self.depth, length=self.frames * len(VOICES))
        model = backbones.build(self.model, size, head, seed=seed)
        drawn = dataset.load().batches(np.random.default_rng(seed), batch=self.batch, frames=self.frames)
        return model, ((mx.array(inputs), mx.array(targets)) for inputs, targets in drawn)

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of a token, in nats."""
        return token_loss(model, *batch)

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """Bits per token of the first validation chorales."""
        bits = network_bits(model, "valid", frames=self.frames, pieces=self.valid_pieces)
        yield Measurement("bits_per_token", float(bits.mean()), "valid")


def artifacts(model: LanguageModel, trial: Trial, music: Chorales) -> Iterator[Artifact]:
    """The beginning of a test chorale by Bach and by the model: piano rolls, and the model's as MIDI."""
    bach = music.test[0].opening(trial["written"])
    composed = continue_chorale(
        model, bach.opening(OPENING), frames=trial["written"], window=trial["frames"],
        sampling=SAMPLING, key=mx.random.key(trial.seed),
    )  # fmt: skip
    yield Artifact.images(
        "roll",
        [
            piano_roll(bach, f"Bach, {bach.name.replace('bwv', 'BWV ')}"),
            piano_roll(composed, f"{trial['model']}, after {OPENING} sixteenths of it"),
        ],
    )
    sound = midi.encode(
        composed.pitch, composed.onset,
        voices=VOICES, frames_per_beat=FRAMES_PER_BEAT, beats_per_minute=BEATS_PER_MINUTE,
    )  # fmt: skip
    yield Artifact.file("chorale", "audio/midi", sound)


def run(trial: Trial) -> Iterator[Measurement | Artifact]:
    """Train and test one network, or fit and test one n-gram; two networks also continue a chorale."""
    music, name = dataset.load(), trial["model"]
    yield Measurement("train_examples", len(music.train))
    if name in NGRAMS:
        valid = ngram_bits(name, music, "valid", pieces=trial["valid_pieces"])
        yield Measurement("bits_per_token", float(valid.mean()), "valid")
        yield from scores(ngram_bits(name, music, "test", pieces=trial["test_pieces"]), "test")
        return
    recipe = trial.fill(Recipe)
    model = yield from train(trial, recipe, RATES, min_gain=MIN_GAIN)
    tested = network_bits(model, "test", frames=trial["frames"], pieces=trial["test_pieces"])
    yield from scores(tested, "test")
    if name in CONTINUED["model"] and isinstance(model, LanguageModel):
        yield from artifacts(model, trial, music)


def points(seeds: int) -> tuple[Point, ...]:
    """Every network; an n-gram is the same for every seed and runs once."""
    return grid(model=TRAINED, seeds=seeds) + grid(model=NGRAMS)


fewer_bits = partial(
    Difference, metric="bits_per_token", split="test", left={"model": backbones.TRANSFORMER}, below=-MARGIN
)

experiment = Experiment(
    chapter=21,
    parallel_over=("model",),
    run=run,
    protocol={
        "steps": 6_000, "batch": 8, "frames": 16, "width": 32, "depth": 2, "valid_pieces": 12,
        "evaluations": 30, "test_pieces": 74, "written": 48, "rate": 0.0,
    },
    tuning=Tuning(grid(model=TRAINED), by=("model",), settings={"steps": 400, "evaluations": 8}),
    budgets=(
        Budget(
            "smoke", grid(model=TRAINED, seeds=1) + grid(model=("5-gram", SINGLE_VOICE)),
            {
                "steps": 5, "batch": 4, "frames": 16, "width": 16, "depth": 2, "valid_pieces": 2,
                "evaluations": 1, "test_pieces": 6, "written": 32, "rate": 0.01,
            },
            timeout=120,
        ),
        Budget(
            "quick", points(5), timeout=1_200
        ),
        Budget("full", points(10), timeout=3_600),
    ),
    claims=(
        Claim(
            "C40",
            fewer_bits(
                right=tuple({"model": name} for name in ("LSTM", *PARALLEL, *NGRAMS)),
                matched=("examples",),  # an n-gram has no training steps and no size to match
            ),
            "For chorales on melodies that are not in the training set, the Transformer needs at least 0.02 "
            "nats per token less than the best other model, network or n-gram.",
        ),
        Claim(
            "C44",
            fewer_bits(
                right=tuple({"model": name} for name in PARALLEL),
                matched=("parameters", "steps", "examples", "tuning"),
            ),
            "At equal parameters, chorales, tuning and limit of training steps, the Transformer needs at "
            "least 0.02 nats per token less than the best of the networks that are equally parallel without "
            "attention.",
        ),
    ),
    figures=(
        Interval(
            x="bits_per_token", y="model", split="test",
            caption="Bits per token of test chorales, whose melodies are not in the training set.",
        ),
        Curve(
            x="step", y="bits_per_token", hue="model", split="valid", where=NETWORKS,
            caption="Bits per token of validation chorales during training.",
        ),
        Heatmap(
            x="step", y="model", value="voice_bits", split="test",
            where={"model": (*TRAINED, SINGLE_VOICE, ALL_VOICES)},
            caption="Bits per token of each voice: which voice is hard to predict.",
        ),
        Tradeoff(
            x="training_time", y="bits_per_token", hue="model", split="test", x_scale="log10",
            where=NETWORKS,
            caption="Test bits per token against training time.",
        ),
        ImageGrid(
            artifact="roll", by=("model",), where=CONTINUED,
            caption="Piano rolls: the beginning of a test chorale, and a network's continuation of its first "
            "bar.",
        ),
        Attachment(
            artifact="chorale", by=("model",), where=CONTINUED,
            caption="The networks' continuations to listen to: standard MIDI files, a track for each voice.",
        ),
        Table(
            rows=("model",), split="test",
            metrics=("bits_per_token", "nats_per_frame", "parameters", "training_time"),
            caption="Chorales: score and cost.",
        ),
    ),
)  # fmt: skip
