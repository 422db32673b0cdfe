"""Do word vectors place words of similar use close together?

Characters carry no meaning, but words do. The skip-gram model [@mikolov2013distributed] gives every word a
vector and trains it to distinguish the word's contexts, the words at most four places away in the text, from
negative samples, words drawn at random. Words that are used alike have similar contexts, so their vectors
should come to point in similar directions.

The vectors are trained on seventeen plays by Shakespeare, with the words that occur there twenty times or
more. The vocabulary is so small that the loss is computed exactly, as an expectation over all contexts and
negative samples, where word2vec draws a few of them.

Two kinds of evidence are shown. On a play that was not used in training, a true context of a word should
score above a context of another word. Contexts of other words are on average equally frequent, so the chance
level is one half. The nearest neighbours of some words, by the angle between vectors, show what the vectors
have learned. Seventeen plays are a small corpus, so expect rough neighbourhoods, and no claim rests on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.models import skip_gram
from seqlab.notebook import Artifact, Budget, Experiment, Measurement, Table, TextSamples, Trial, Tuning, grid
from seqlab.tasks import characters
from seqlab.tasks.characters import SplitName
from seqlab.tasks.word_contexts import Vocabulary
from seqlab.training import Batch, TriedRates, train

MIN_COUNT = 20  # rarer words have too few contexts to learn from
WINDOW = 4  # words on each side
NEGATIVES = 5  # negative samples for each context, as in word2vec
WORDS = ("king", "father", "night", "love", "thou", "shall", "sir", "good")  # whose neighbours are shown
NEAREST = 6

RATES = TriedRates.beside(__file__)
MIN_GAIN = 0.0025  # of the accuracy


@cache
def text(split: SplitName) -> str:
    """A split's plays as one text."""
    plays = characters.load()
    return plays.decode(plays.ids(split))


@cache
def vocabulary() -> Vocabulary:
    """The frequent words of the training plays."""
    return Vocabulary.of(text("train"), min_count=MIN_COUNT)


@dataclass(frozen=True)
class Recipe:
    """How vectors are trained to distinguish a word's contexts from negative samples."""

    width: int
    batch: int  # words
    steps: int

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """The vectors, and batches of words with the distributions of their contexts."""
        mx.random.seed(seed)
        size = len(vocabulary())
        model = skip_gram.Model(skip_gram.Config(size, self.width))
        contexts = vocabulary().context_distributions(text("train"), window=WINDOW)
        rng = np.random.default_rng(seed)
        drawn = (rng.integers(size, size=self.batch) for _ in count())
        return model, ((mx.array(words), mx.array(contexts[words])) for words in drawn)

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """The expected loss of skip-gram with negative sampling, in nats."""
        words, contexts = batch
        noise = mx.array(vocabulary().noise_distribution())
        return skip_gram.expected_loss(model(words), contexts, noise, others=NEGATIVES)

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """Accuracy on the validation play."""
        yield self.accuracy(model, "valid")

    def accuracy(self, model: nn.Module, split: SplitName) -> Measurement:
        """How often a context scores above a context of another word, drawn alike for every seed."""
        pairs = vocabulary().context_pairs(text(split), window=WINDOW)
        negatives = np.random.default_rng(0).permutation(pairs[:, 1])
        scores = np.array(model(mx.arange(len(vocabulary()))))
        true, false = scores[pairs[:, 0], pairs[:, 1]], scores[pairs[:, 0], negatives]
        right = np.where(true == false, 0.5, true > false)[pairs[:, 1] != negatives]
        return Measurement("accuracy", float(right.mean()), split)


def run(trial: Trial) -> Iterator[Measurement | Artifact]:
    """Train vectors; show the nearest neighbours of some words."""
    recipe = Recipe(trial["width"], trial["batch"], trial["steps"])
    model = yield from train(trial, recipe, RATES, min_gain=MIN_GAIN)
    yield recipe.accuracy(model, "test")
    words = vocabulary().words
    lines = (
        f"{word}: {', '.join(words[i] for i in model.nearest(words.index(word), count=NEAREST))}"
        for word in WORDS
    )
    yield Artifact.text("neighbours", "\n".join(lines))


experiment = Experiment(
    chapter=17,
    parallel_over=("width",),
    run=run,
    protocol={"batch": 128, "steps": 3_000, "evaluations": 30, "rate": 0.0},
    tuning=Tuning(grid(width=64), by=("width",), settings={"steps": 600, "evaluations": 8}),
    budgets=(
        Budget("smoke", grid(width=32, seeds=1), {"batch": 64, "steps": 20, "rate": 0.03}, timeout=120),
        Budget("quick", grid(width=64, seeds=1), timeout=600),
        Budget("full", grid(width=64, seeds=5), timeout=600),
    ),
    figures=(
        Table(
            rows=("width",), split="test", metrics=("accuracy@valid", "accuracy@test"),
            caption="How often a context of a word scores above that of another word, on the validation and "
            "test plays. The chance level is one half.",
        ),
        TextSamples(
            artifact="neighbours",
            caption="The nearest neighbours of some words, by the angle between vectors.",
        ),
    ),
)  # fmt: skip
