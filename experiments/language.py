"""Does a Transformer predict text better than the networks it replaced?

Parallel training matters because a network can then learn from more text in the same time. In this chapter
five networks with equal numbers of parameters learn to predict the next character of Shakespeare: a
Transformer; a vanilla RNN and an LSTM, which process a sequence step by step; and a minGRU and a
convolutional network (TCN), which are trained in parallel and have no attention. If the minGRU or the TCN
does as well as the Transformer, parallel training may explain the Transformer's success, but attention does
not.

The text is split by play, so that no network has seen the persons or the scenes of the test play. Each
network has its own learning rate, the best of an equal number tried, and is scored with the weights that did
best on the validation play. The score is bits per character, the mean of -log2 of the probability that the
network gave to the next character; lower is better.

What is an equal amount of training? A network trains until a quarter of its training has brought next to
nothing on the validation play, or to a limit of steps that all share. How soon each gets somewhere is
measured apart, in short trainings that have the machine to themselves: the training time to a target, which
is the validation score of a short n-gram model.

The baseline is a 7-gram model with modified Kneser-Ney smoothing; that order did best on the validation play.
It has counted all seventeen training plays, and is scored on the same characters, before each of which a
network has read half a window or more.

How much of its context does a network use? @khandelwal2018sharp found that LSTM language models use about 200
words, and the order of the nearest 50 only. Here the loss at each position of the window shows how much
context still helps. A Transformer and an LSTM that are trained on long windows are tested more directly: the
same characters are predicted with the whole window, with nothing further back than about a hundred
characters, and with everything further back in random order.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from jaxtyping import Float64
from mlx import nn

from seqlab.decoding.generate import Sampling
from seqlab.decoding.text import continued
from seqlab.measure.bits import bits_by_position, token_bits
from seqlab.measure.context import context_gains
from seqlab.measure.time_to_target import time_to_target
from seqlab.models.backbones import TRANSFORMER, Size, build
from seqlab.models.dropout import DropoutHead
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
    Ratio,
    Trial,
    Tuning,
    grid,
)
from seqlab.notebook.figures import Curve, Interval, Table, TextSamples, Tradeoff
from seqlab.tasks import characters
from seqlab.tasks.characters import Pair, SplitName
from seqlab.tasks.kneser_ney import ngram
from seqlab.training import Batch, Recorded, TriedRates, train
from seqlab.training.equal_cost import step_work

WRITING, TIMED, FAR_BACK = "writing", "time to a target", "long windows"
NGRAM, ORDER = "7-gram", 7  # of orders 1 to 10, the best on the validation play
TARGET_ORDER = 2  # of the n-gram model whose score is the target
SEQUENTIAL = ("RNN", "LSTM")  # they process a sequence step by step
PARALLEL = ("minGRU", "TCN")  # trained in parallel, without attention
NETWORKS = (TRANSFORMER, *SEQUENTIAL, *PARALLEL)

RATES = TriedRates.beside(__file__)
MIN_GAIN = 0.005  # bits: a quarter of the smallest difference of interest
DEPTHS = {144: 4, 264: 6}  # other widths have 2 layers, with which these would be flat and wide

PROMPT = "\n\nPROSPERO.\n"  # who is in no other play
SAMPLING = Sampling(temperature=0.8)  # below 1: a weak model's unlikely characters are mostly wrong
EDGES = (1, 2, 4, 8, 16, 32, 64, 100, 128, 256, 512, 1024)  # of intervals of positions, in characters
FAR, LAST = 100, 28  # what lies beyond 100 characters? Asked of the last 28 characters of a window


@dataclass(frozen=True)
class Recipe:
    """Which network learns to predict characters, and how."""

    model: str
    width: int
    batch: int
    context: int  # characters
    steps: int
    scored: int  # characters of a play
    dropout: float = 0.0

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A network as large as the Transformer of this width, and windows of the training plays."""
        text = characters.load()
        size = Size(self.width, DEPTHS.get(self.width, 2), length=self.context)
        model = build(self.model, size, DropoutHead(text.vocabulary, self.dropout), seed=seed)
        drawn = text.batches(np.random.default_rng(seed), batch=self.batch, length=self.context)
        return model, ((mx.array(inputs), mx.array(targets)) for inputs, targets in drawn)

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of the next character, in nats."""
        return token_loss(model, *batch)

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """Bits per character of the validation play."""
        yield self.score(self.bits(model, "valid"), "valid")

    def windows(self, split: SplitName, *, stride: int) -> Pair:
        """The windows that are scored, so many characters apart."""
        return characters.load().windows(split, length=self.context, characters=self.scored, stride=stride)

    def bits(self, model: nn.Module, split: SplitName) -> Float64[np.ndarray, "B L"]:
        """The bits of each character of windows that overlap by half."""
        return token_bits(model, *self.windows(split, stride=self.context // 2))

    def score(self, bits: Float64[np.ndarray, "B L"], split: SplitName) -> Measurement:
        """Bits per character, each character with half a window before it or more."""
        return Measurement("bits_per_character", float(bits[:, self.context // 2 :].mean()), split)


def run(trial: Trial) -> Iterator[Measurement | Artifact]:
    """Train on seventeen plays, choose the weights on another, score on the last."""
    text = characters.load()

    def baseline(split: SplitName, *, order: int) -> float:
        """Bits per character of an n-gram model, on the characters that the networks are scored on."""
        return ngram(text, order).bits(text.ids(split, trial["scored"]), skip=trial["context"] // 2)

    yield Measurement("train_examples", len(text.train))
    if trial["model"] == NGRAM:
        for split in ("valid", "test"):
            yield Measurement("bits_per_character", baseline(split, order=ORDER), split)
        return
    if trial["part"] == TIMED:
        recipe = trial.fill(Recipe, steps=trial["timed_steps"])
        training = Recorded(train(trial, recipe, RATES))
        yield from training
        yield from time_to_target(
            training.measurements, "bits_per_character",
            target=baseline("valid", order=TARGET_ORDER), initial=math.log2(text.vocabulary),
        )  # fmt: skip
        return
    recipe = (
        trial.fill(Recipe, context=trial["far_context"]) if trial["part"] == FAR_BACK else trial.fill(Recipe)
    )
    model = yield from train(trial, recipe, RATES, min_gain=MIN_GAIN)
    bits = recipe.bits(model, "test")
    yield recipe.score(bits, "test")
    yield from bits_by_position(bits, EDGES, split="test")
    yield from context_gains(model, *recipe.windows("test", stride=LAST), far=FAR, last=LAST, split="test")
    yield Measurement("step_flops", step_work(recipe))
    if trial["part"] == FAR_BACK:
        return
    written = continued(
        model, text, PROMPT, tokens=trial["written"], sampling=SAMPLING, key=mx.random.key(trial.seed)
    )
    yield Artifact.text("sample", written.strip())


def points(*, seeds: int, width: int) -> tuple[Point, ...]:
    """Every network; the 7-gram, which runs once; those that are timed, and those of the long windows."""
    return (
        grid(part=WRITING, width=width, model=NETWORKS, seeds=seeds)
        + grid(part=WRITING, width=width, model=NGRAM)
        + grid(part=TIMED, width=width, model=(TRANSFORMER, *SEQUENTIAL), seeds=seeds)
        + grid(part=FAR_BACK, width=width, model=(TRANSFORMER, "LSTM"), seeds=seeds)
    )


MATCHED: tuple[Matched, ...] = ("parameters", "examples", "tuning")
ALL = {"part": WRITING}
WIDTH = 64


def fewer_bits(than: tuple[str, ...]) -> Difference:
    """The Transformer's bits per character against those of the best of some networks."""
    return Difference(
        metric="bits_per_character", split="test", where=ALL, per=("width",),
        left={"model": TRANSFORMER}, right=tuple({"model": name} for name in than), below=-0.02,
        matched=(*MATCHED, "steps"),
    )  # fmt: skip


experiment = Experiment(
    chapter=15,
    run=run,
    parallel_over=("part", "width", "model"),
    exclusive={"part": TIMED},
    protocol={
        "steps": 5_000, "evaluations": 25, "batch": 16, "context": 64, "far_context": 160, "scored": 10_000,
        "timed_steps": 120, "written": 200, "dropout": 0.0, "rate": 0.0,
    },
    tuning=Tuning(
        grid(part=WRITING, width=WIDTH, model=NETWORKS), by=("model",),
        settings={"steps": 300, "evaluations": 8},
    ),
    budgets=(
        Budget(
            "smoke", points(width=32, seeds=2),
            {
                "batch": 4, "context": 32, "steps": 12, "evaluations": 2, "scored": 2_000, "timed_steps": 12,
                "far_context": 160, "written": 20, "rate": 0.01,
            },
            timeout=120,
        ),
        Budget("quick", points(width=WIDTH, seeds=5), timeout=1_800),
        Budget("full", points(width=WIDTH, seeds=10), timeout=3_600),
    ),
    claims=(
        Claim(
            "C28", fewer_bits(than=SEQUENTIAL),
            "With equal parameters, text and tuning, and the same limit of training steps, the Transformer "
            "needs at least 0.02 bits per character less on an unseen play than the better of the two "
            "sequential networks (RNN, LSTM).",
            predicted="not supported",
        ),
        Claim(
            "C44", fewer_bits(than=PARALLEL),
            "Under the same conditions, the Transformer needs at least 0.02 bits per character less than the "
            "better of two networks that are equally parallel and have no attention (minGRU, TCN).",
            predicted="not supported",
        ),
        Claim(
            "C20",
            Ratio(
                metric="time_to_target", where={"part": TIMED}, per=("width",), left={"model": TRANSFORMER},
                right=tuple({"model": name} for name in SEQUENTIAL), below=0.5, matched=(*MATCHED, "steps"),
                finished=False,  # how soon is the question
            ),
            "The Transformer reaches the target on the validation play in less than half the training time "
            "that the faster of RNN and LSTM takes.",
        ),
        Claim(
            "C03",
            Difference(
                metric="context_gain", split="test", where={"part": FAR_BACK}, per=("width",),
                left={"model": TRANSFORMER}, right={"model": "LSTM"}, above=0.02, matched=(*MATCHED, "steps"),
            ),
            "Characters more than a hundred back save the Transformer at least 0.02 bits per character more "
            "than they save the LSTM, where both were trained on windows of 160 characters.",
            predicted="not supported",
        ),
    ),
    figures=(
        Interval(
            x="bits_per_character", y="model", split="test", where=ALL, columns="width",
            caption="Bits per character of the test play, after training until finished.",
        ),
        Curve(
            x="step", y="bits_per_character", hue="model", split="valid", where=ALL, columns="width",
            caption="Bits per character of the validation play during training.",
        ),
        Tradeoff(
            x="training_time", y="bits_per_character", hue="model", split="test", where=ALL,
            x_scale="log10",
            caption="Bits per character of the test play against training time.",
        ),
        Curve(
            x="step", y="bits_at_position", hue="model", split="test", where=ALL, columns="width",
            x_scale="log2",
            caption="Bits per character by the number of characters read before it. Each point is the mean "
            "from the previous point's number to its own.",
        ),
        Table(
            rows=("model", "width"), split="test", where=ALL,
            metrics=(
                "bits_per_character@valid", "bits_per_character@test", "parameters", "train_steps",
                "step_flops", "training_time",
            ),
            caption="Next-character prediction on the validation and test plays, and its cost. The 7-gram "
            "has counted all training plays; the networks were trained on windows drawn from them.",
        ),
        Table(
            rows=("model", "width"), split="test", where={"part": FAR_BACK},
            metrics=("bits_per_character", "context_gain", "order_gain"),
            caption="How many more bits a character takes where characters more than a hundred back are left "
            "out, or shuffled: networks trained on windows of 160 characters.",
        ),
        Table(
            rows=("model", "width"), where={"part": TIMED},
            metrics=("time_to_target", "training_time"),
            caption="Training time to the validation score of a 2-gram model, each network alone on the "
            "machine.",
        ),
        TextSamples(
            artifact="sample", by=("model", "width"), where=ALL,
            caption="Text that each network generates as the speech of a person of the test play, sampled at "
            "a temperature of 0.8.",
        ),
    ),
)  # fmt: skip
