"""Does attention complete code better than recurrence, convolution and n-grams?

The text is the standard library of the Python that runs this, as tokens: names, keywords, operators and line
ends, with strings and numbers masked. Every model predicts each token of unseen files from the tokens before
it. Whole files are kept apart, so that no network has seen the functions of the test files. A published
Transformer that also reads the syntax tree completed code better than a recurrent network: it was more
accurate by 18.3 % [@kim2020code]. Here no network reads the tree, and all have equal parameters, tokens and
tuning, and the same limit of training steps. The score is accuracy: the share of tokens that the most
probable completion gets right.

Code repeats itself, most of all within a file [@hindle2012naturalness; @tu2014localness]. The baseline of
this field is therefore an n-gram model with a cache, which counts the current file so far together with the
training files. It is a strong baseline: it has counted every training token, it distinguishes all names of
the training files, and its cache reaches back to the beginning of the file, where a network reads a window.
Most names of a file are used nowhere else. The networks have a numbered slot for each of them, so that they
can refer to a name used before. No model can predict the first use of such a name, and it counts as wrong for
all.

Attention is not the only way to train in parallel; a minGRU and a convolutional network (TCN) allow it too.
If they complete code as well, parallel training does not depend on attention.

A network trains until a quarter of its training has brought less than a quarter of a percentage point on the
validation files, or to the limit of steps that all share. It reads windows of the training files in random
order; the n-gram models have counted all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import mlx.core as mx
import numpy as np
from jaxtyping import Bool
from mlx import nn

from seqlab.measure.completion import complete, score_windows
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, build
from seqlab.models.parts.losses import token_loss
from seqlab.notebook import (
    Artifact,
    Budget,
    Claim,
    Difference,
    Experiment,
    Matched,
    Measurement,
    Point,
    Trial,
    Tuning,
    grid,
)
from seqlab.notebook.figures import Curve, Interval, Table, TextSamples, Tradeoff
from seqlab.tasks import ngrams
from seqlab.tasks.source_code import library
from seqlab.tasks.source_code.coding import NEW, Coding
from seqlab.tasks.source_code.examples import LONGEST, contexts, describe_completions, example_lines
from seqlab.tasks.source_code.library import SplitName
from seqlab.tasks.source_code.scoring import encoded, kinds_of_test_tokens, scored_windows
from seqlab.tasks.source_code.windows import Windows
from seqlab.training import Batch, TriedRates, train

RATES = TriedRates.beside(__file__)
MIN_GAIN = 0.0025  # a quarter of the advantage that the claims ask for
NETWORKS = (TRANSFORMER, "LSTM", "minGRU", "TCN")
PARALLEL = ("minGRU", "TCN")  # trained in parallel, without attention
NGRAMS = {"1-gram": 1, "2-gram": 2, "4-gram": 4, "6-gram": 6}
CACHED = "8-gram + cache"
# The best on the validation files, of 30, 100, 300 and 1,000 and of orders 5, 6 and 8; order 10 completed one
# token more in a thousand.
CACHED_ORDER, CACHE_WEIGHT = 8, 300.0
EXAMPLES, GIVEN = 4, 2  # completions shown, and how many tokens of their lines are given


@dataclass(frozen=True)
class Recipe:
    """Which network learns to complete code, and how."""

    model: str
    width: int
    depth: int
    vocabulary: int
    slots: int
    context: int  # tokens
    batch: int
    steps: int
    scored: int  # tokens of the validation files that choose the weights

    @property
    def coding(self) -> Coding:
        """What the ids of the network stand for."""
        return Coding(self.vocabulary, self.slots)

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A network of the common size, and windows from the training files."""
        size = Size(self.width, self.depth, length=self.context)
        model = build(self.model, size, TokenHead(self.vocabulary), seed=seed)
        drawn = self.coding.batches(
            encoded(self.coding, "train"), np.random.default_rng(seed), batch=self.batch, length=self.context
        )
        return model, ((mx.array(inputs), mx.array(targets)) for inputs, targets in drawn)

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of the next token, in nats."""
        return token_loss(model, *batch)

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """Accuracy on the validation files, by which the claims judge, and bits per token."""
        where = scored_windows("valid", self.context, self.scored)
        right, bits = evaluate(model, self.coding, "valid", where)
        yield Measurement("accuracy", float(right[where.scored].mean()), "valid")
        yield Measurement("bits_per_token", bits, "valid")


def evaluate(
    model: nn.Module, coding: Coding, split: SplitName, where: Windows
) -> tuple[Bool[np.ndarray, "K L"], float]:
    """Whether the most probable completion is right at each place, and mean bits of the scored targets.

    The bits are those of the network's choice among its ids: the spelling of a new name is not part of it.
    That a name is new completes nothing.
    """
    text = encoded(coding, split)
    return score_windows(model, text.inputs[where.at], text.targets[where.at], where.scored, first=NEW + 1)


def scores(right: Bool[np.ndarray, "K L"], where: Windows) -> Iterator[Measurement]:
    """Accuracy on the test tokens: on all, and on those of a kind."""
    yield Measurement("accuracy", float(right[where.scored].mean()), "test")
    for name, of in kinds_of_test_tokens(where).items():
        if (of & where.scored).any():  # a small budget may score no token of a kind
            yield Measurement(f"accuracy_{name}", float(right[where.scored & of].mean()), "test")


@cache  # counted once for all orders and both splits
def ngram_counts() -> ngrams.Ngrams:
    """The n-grams of the training files, to predict the tokens of the others."""
    files = library.load()
    return ngrams.Ngrams(files.train, files.held_out, order=CACHED_ORDER)


def score_ngram(trial: Trial) -> Iterator[Measurement | Artifact]:
    """Accuracy of an n-gram model, on the same tokens that the networks are scored on."""
    valid, test = (scored_windows(split, trial["context"], trial["scored"]) for split in ("valid", "test"))
    counts, first = ngram_counts(), len(library.load().valid.tokens)  # the test files begin there
    at = np.zeros(len(counts.asked.tokens), bool)
    at[valid.at[valid.scored]] = at[first + test.at[test.scored]] = True
    if trial["model"] == CACHED:
        predicted = counts.with_cache(at, weight=CACHE_WEIGHT)
    else:
        predicted = counts.backed_off(order=NGRAMS[trial["model"]])
    right = predicted == counts.asked.tokens
    yield Measurement("accuracy", float(right[valid.at][valid.scored].mean()), "valid")
    yield from scores(right[first + test.at], test)
    if trial["model"] == CACHED:
        coding = Coding(trial["vocabulary"], trial["slots"])
        coverage = coding.coverage(encoded(coding, "test").targets[test.at][test.scored])
        yield Artifact.text("library", f"{library.load().describe()}\n{coverage}")


def complete_lines(model: nn.Module, recipe: Recipe) -> str:
    """Lines of the test files: the tokens given, how the file goes on, and what the network writes."""
    context = recipe.context // 2
    places = example_lines(library.load(), EXAMPLES, given=GIVEN, context=context)
    read = contexts(encoded(recipe.coding, "test"), places, context=context)
    written = complete(model, read, length=LONGEST, first=NEW + 1)
    completed = list(zip(places, written, strict=True))
    return describe_completions(library.load(), recipe.coding, completed, given=GIVEN, model=recipe.model)


def run(trial: Trial) -> Iterator[Measurement | Artifact]:
    """Train on the training files, choose the weights on the validation files, complete the test files."""
    yield Measurement("train_examples", len(library.load().train.tokens))
    if trial["model"] not in NETWORKS:
        yield from score_ngram(trial)
        return
    recipe = trial.fill(Recipe)
    model = yield from train(trial, recipe, RATES, min_gain=MIN_GAIN)
    where = scored_windows("test", recipe.context, recipe.scored)
    right, bits = evaluate(model, recipe.coding, "test", where)
    yield from scores(right, where)
    yield Measurement("bits_per_token", bits, "test")
    yield Artifact.text("completions", complete_lines(model, recipe))


def points(seeds: int) -> tuple[Point, ...]:
    """The networks, and the n-gram models, which need no seed."""
    return grid(model=NETWORKS, seeds=seeds) + grid(model=(*NGRAMS, CACHED))


def more_accurate(than: tuple[str, ...], matched: tuple[Matched, ...]) -> Difference:
    """The Transformer's accuracy against that of the best of some models."""
    return Difference(
        metric="accuracy", split="test", left={"model": TRANSFORMER},
        right=tuple({"model": name} for name in than), above=0.01, matched=matched,
    )  # fmt: skip


OTHERS = tuple(name for name in (*NETWORKS, *NGRAMS, CACHED) if name != TRANSFORMER)
ONLY_NETWORKS = {"model": NETWORKS}

experiment = Experiment(
    chapter=18,
    parallel_over=("model",),
    run=run,
    protocol={
        "width": 48, "depth": 2, "vocabulary": 512, "slots": 48, "context": 64, "batch": 8, "steps": 6_000,
        "scored": 8_000, "evaluations": 30, "rate": 0.0,
    },
    tuning=Tuning(grid(model=NETWORKS), by=("model",), settings={"steps": 400, "evaluations": 8}),
    budgets=(
        Budget(
            "smoke", points(seeds=2),
            {
                "width": 16, "depth": 1, "vocabulary": 256, "slots": 32, "context": 32, "batch": 4,
                "steps": 10, "scored": 800, "evaluations": 1, "rate": 0.01,
            },
            timeout=120,
        ),
        Budget(
            "quick", points(seeds=5), timeout=1_200
        ),
        Budget("full", points(seeds=10), timeout=3_600),
    ),
    claims=(
        Claim(
            "C42",
            more_accurate(OTHERS, ("examples",)),  # n-grams have no parameters; the networks' are equal
            "Trained on the same files, the Transformer's accuracy is at least one percentage point above "
            "that of the best other model, n-gram models with and without a cache included.",
        ),
        Claim(
            "C44",
            more_accurate(PARALLEL, ("parameters", "steps", "examples", "tuning")),
            "At equal parameters, tokens, tuning and limit of steps, the Transformer's accuracy is at least "
            "one percentage point above that of the best parallel network without attention (minGRU, TCN).",
        ),
    ),
    figures=(
        Interval(
            x="accuracy", y="model", split="test",
            caption="Accuracy on the tokens of unseen files, first uses of names included. The 1-gram always "
            "predicts the most frequent token.",
        ),
        Curve(
            x="step", y="bits_per_token", hue="model", split="valid",
            caption="Bits per token of the validation files during training.",
        ),
        Table(
            rows=("model",), split="test",
            metrics=(
                "accuracy", "accuracy_identifiers", "accuracy_copies", "accuracy_keywords", "bits_per_token",
                "parameters", "training_time",
            ),
            caption="Accuracy on all tokens, on identifiers, on identifiers that came before in the window, "
            "and on keywords. The n-gram models have counted all training tokens, the networks have read a "
            "part of them. The bits are those of a network's choice among its ids.",
        ),
        Tradeoff(
            x="training_time", y="accuracy", hue="model", split="test", x_scale="log10", where=ONLY_NETWORKS,
            caption="Accuracy on unseen files against training time.",
        ),
        TextSamples(
            artifact="completions", by=("model",), where=ONLY_NETWORKS,
            caption="Lines of unseen files: the tokens given, how the file goes on, and what the network "
            "writes, the most probable token at a time. Strings and numbers are masked.",
        ),
        TextSamples(
            artifact="library", where={"model": CACHED},
            caption="What was read, and which share of it the networks can complete.",
        ),
    ),
)  # fmt: skip
