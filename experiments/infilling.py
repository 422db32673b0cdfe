"""How well do an encoder and an encoder-decoder fill in masked characters?

Predicting the next character is one objective that text offers; GPT is trained by it. An encoder, which reads
a text in both directions, is trained to predict characters that are masked in its input, as BERT is
[@devlin2018bert]. An encoder with a decoder is trained to write the text of masked spans, as T5 is
[@raffel2020exploring]. This chapter trains both on Shakespeare, split by play as in the chapter on language,
and compares them with n-gram models on masked characters of the test play.

Both objectives mask 15 % of the characters: single ones for the encoder, spans of three on average for the
encoder-decoder. The scores are bits per masked character, the mean of -log2 of the probability given to the
true character, and accuracy. Every network and every seed is scored on the same masked characters.

The baselines are n-gram models with modified Kneser-Ney smoothing. For single characters, a 5-gram model
reads four characters on each side; for spans, it reads the four characters before each masked one. The
simplest baseline is the frequency of each character alone. N-gram models read the true neighbours, also those
that are masked for the networks, which is in their favour.

Bits per masked character cannot be compared with the bits per character of a language model: more is known of
a masked character, since the text continues after it. No claim rests on this chapter. It illustrates the two
objectives, at the size and training length of its budgets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from jaxtyping import Int32
from mlx import nn

from seqlab.decoding.generate import generate
from seqlab.measure.bits import target_bits
from seqlab.models import encoder_decoder
from seqlab.models.backbones import ENCODER, Size, TokenHead, build
from seqlab.models.parts.losses import cross_entropy
from seqlab.notebook import (
    Artifact,
    Budget,
    Experiment,
    Measurement,
    Point,
    Table,
    TextSamples,
    Trial,
    Tuning,
    grid,
)
from seqlab.tasks import characters
from seqlab.tasks.characters import SplitName
from seqlab.tasks.kneser_ney import ngram
from seqlab.tasks.masking import Masking
from seqlab.training import Batch, TriedRates, train

SINGLE, SPANS = "single characters", "spans"  # what is masked: the levels of `gaps`
ENCODER_DECODER = "encoder-decoder"
BOTH_SIDES, LEFT_SIDE, FREQUENCIES = "5-gram, both sides", "5-gram", "frequencies"
NETWORKS = {SINGLE: ENCODER, SPANS: ENCODER_DECODER}
# The order of each n-gram model, and how many characters after the masked one it reads.
NGRAMS: Mapping[str, Mapping[str, int]] = {
    BOTH_SIDES: {"order": 5, "after": 4},
    LEFT_SIDE: {"order": 5, "after": 0},
    FREQUENCIES: {"order": 1, "after": 0},
}
RATES = TriedRates.beside(__file__)
MIN_GAIN = 0.005  # bits
DEPTHS = {144: 4}  # of an encoder; other widths have 2 layers
AT_ONCE = 64  # windows of one evaluation


@dataclass(frozen=True)
class Recipe:
    """Which network learns to fill in masked characters: an encoder single ones, an encoder-decoder spans."""

    model: str
    width: int
    batch: int
    context: int  # characters
    steps: int
    scored: int  # characters of a play

    @property
    def masking(self) -> Masking:
        """How characters are masked."""
        return Masking(self.context, characters.load().vocabulary)

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A network, and masked windows of the training plays."""
        rng, vocabulary = np.random.default_rng(seed), characters.load().vocabulary
        drawn = characters.load().batches(rng, batch=self.batch, length=self.context)
        batches = (tuple(map(mx.array, self.masked(rng, text)[:3])) for text, _ in drawn)
        depth = DEPTHS.get(self.width, 2)
        if self.model == ENCODER:
            head = TokenHead(vocabulary + 1, vocabulary)  # the mask is read and never predicted
            return build(ENCODER, Size(self.width, depth, length=self.context), head, seed=seed), batches
        mx.random.seed(seed)
        # Half of the layers in either stack, so that it is about as large as an encoder alone.
        config = encoder_decoder.Config(self.masking.span_vocabulary, self.width, max(1, depth // 2))
        return encoder_decoder.Model(config), batches

    def masked(self, rng: np.random.Generator, text: Int32[np.ndarray, "B L"]) -> tuple[np.ndarray, ...]:
        """Masked texts; positions or decoder inputs; targets; which targets are scored; their positions.

        An encoder predicts at the positions of the masks, a decoder after each token of its inputs.
        """
        if self.model == ENCODER:
            inputs, positions = self.masking.single(rng, text)
            targets = np.take_along_axis(text, positions, axis=1)
            return inputs, positions, targets, np.ones(targets.shape, bool), positions
        source, targets, scored, positions = self.masking.corrupt(rng, text)
        return source, self.masking.decoder_inputs(targets), targets, scored, positions

    def logits(self, model: nn.Module, masked: mx.array, given: mx.array) -> mx.array:
        """The network's predictions; `given` are positions or decoder inputs."""
        if self.model == ENCODER:
            return mx.take_along_axis(model(masked), given[..., None], axis=1)
        predicted: mx.array = model(masked, given)
        return predicted

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of the targets, in nats; those of a decoder include sentinels and the end."""
        return cross_entropy(self.logits(model, *batch[:2]), batch[2])

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """Scores on the validation play."""
        return self.scores(model, "valid")

    def scores(self, model: nn.Module, split: SplitName) -> Iterator[Measurement]:
        """Bits per masked character, and accuracy; on the same characters for every seed."""
        text, _ = characters.load().windows(split, length=self.context, characters=self.scored)
        masked, given, targets, scored, _ = self.masked(np.random.default_rng(0), text)
        bits, right = [], []
        for i in range(0, len(text), AT_ONCE):
            some = slice(i, i + AT_ONCE)
            logits = self.logits(model, mx.array(masked[some]), mx.array(given[some]))
            bits.append(target_bits(logits, mx.array(targets[some]))[scored[some]])
            right.append((np.array(mx.argmax(logits, axis=-1)) == targets[some])[scored[some]])
        yield from measured(np.concatenate(bits), np.concatenate(right), split)

    def example(self, model: nn.Module) -> str:
        """A masked passage of the test play, the network's predictions, and the true characters."""
        text, _ = characters.load().windows("test", length=self.context)
        masked = self.masked(np.random.default_rng(0), text[len(text) // 2 :][:1])
        source, given, targets = map(mx.array, masked[:3])
        if self.model == ENCODER:
            predicted = mx.argmax(self.logits(model, source, given), axis=-1)
        else:
            tokens = generate(
                model, given[:, :1], tokens=targets.shape[1],
                start=lambda room: model.initial_state(source, room), stop=self.masking.end,
            )  # fmt: skip
            predicted = mx.stack(list(tokens), axis=1)
        lines = {"given": source, "put": predicted, "true": targets}
        return "\n".join(f"{name}: {self.decode(np.array(ids[0]))}" for name, ids in lines.items())

    def decode(self, ids: np.ndarray) -> str:
        """Characters, with a slash for the end of a line; masks as low lines, sentinels numbered."""
        masking, alphabet = self.masking, characters.load().alphabet.replace("\n", "/")
        mask = "_" if self.model == ENCODER else ""  # an encoder-decoder's has the same id as the end
        sentinels = [f"<{k + 1}>" for k in range(masking.spans)]
        symbols = [*alphabet, mask, *sentinels]
        return "".join(symbols[i] for i in ids.tolist())


def measured(bits: np.ndarray, right: np.ndarray, split: str) -> Iterator[Measurement]:
    """The means over masked characters."""
    yield Measurement("hidden_bits", float(bits.mean()), split)
    yield Measurement("accuracy", float(right.mean()), split)


def ngram_scores(recipe: Recipe, *, order: int, after: int) -> Iterator[Measurement]:
    """Scores of an n-gram model on the same masked characters; it reads all of their true neighbours."""
    play = characters.load()
    text, _ = play.windows("test", length=recipe.context, characters=recipe.scored)
    in_window = recipe.masked(np.random.default_rng(0), text)[-1]
    positions = (in_window + recipe.context * np.arange(len(text))[:, None]).ravel()
    # A few characters at either end of the play have too few neighbours.
    positions = positions[(positions >= order - 1) & (positions < text.size - after)]
    ids = text.ravel()
    probabilities, targets = ngram(play, order).infill(ids, positions, after=after), ids[positions]
    bits = -np.log2(probabilities[np.arange(len(targets)), targets])
    yield from measured(bits, probabilities.argmax(axis=1) == targets, "test")


def run(trial: Trial) -> Iterator[Measurement | Artifact]:
    """Train one network, or score one n-gram model."""
    settings = {name: trial[name] for name in ("width", "batch", "context", "steps", "scored")}
    recipe = Recipe(NETWORKS[trial["gaps"]], **settings)
    if trial["reader"] in NGRAMS:
        yield from ngram_scores(recipe, **NGRAMS[trial["reader"]])
        return
    model = yield from train(trial, recipe, RATES, min_gain=MIN_GAIN)
    yield from recipe.scores(model, "test")
    yield Artifact.text("gaps", recipe.example(model))


def points(width: int, *, seeds: int) -> tuple[Point, ...]:
    """Each network with `seeds` seeds; n-gram models run once."""
    return (
        grid(gaps=SINGLE, width=width, reader=ENCODER, seeds=seeds)
        + grid(gaps=SINGLE, width=width, reader=(BOTH_SIDES, FREQUENCIES))
        + grid(gaps=SPANS, width=width, reader=ENCODER_DECODER, seeds=seeds)
        + grid(gaps=SPANS, width=width, reader=(LEFT_SIDE, FREQUENCIES))
    )


experiment = Experiment(
    chapter=16,
    parallel_over=("gaps", "reader"),
    run=run,
    protocol={"batch": 8, "context": 64, "steps": 2_000, "evaluations": 20, "scored": 5_000, "rate": 0.0},
    tuning=Tuning(
        grid(gaps=SINGLE, width=64, reader=ENCODER) + grid(gaps=SPANS, width=64, reader=ENCODER_DECODER),
        by=("reader",), settings={"steps": 400, "evaluations": 8},
    ),
    budgets=(
        Budget(
            "smoke", points(32, seeds=1),
            {"batch": 4, "context": 32, "steps": 12, "scored": 2_000, "rate": 0.01}, timeout=120,
        ),
        Budget("quick", points(64, seeds=2), timeout=1_200),
        Budget("full", points(64, seeds=5), timeout=3_600),
    ),
    figures=(
        Table(
            rows=("gaps", "reader"), split="test",
            metrics=("hidden_bits@test", "accuracy@test", "parameters"),
            caption="Masked characters of the test play: bits per masked character, and accuracy. The n-gram "
            "models read the true neighbours, including those that are masked for the networks. Bits per "
            "masked character cannot be compared with bits per character of a language model.",
        ),
        TextSamples(
            artifact="gaps", by=("reader",),
            caption="A masked passage of the test play, the characters that the network puts there, and the "
            "true ones. A slash is the end of a line.",
        ),
    ),
)  # fmt: skip
