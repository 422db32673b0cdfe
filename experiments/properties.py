"""Parallel training, content-based access or long memory: which carries the Transformer's advantage?

A Transformer differs from a recurrent network in three ways at once. It is trained on all positions in
parallel. It reads its past by content: what a token asks for decides which earlier ones it gets. And it has
the whole window before it, where others see a short stretch. This chapter separates the three. Six networks
of equal size cover every combination of them but two. Each effect is measured between networks that agree in
the other two properties, on three kinds of sequences: Python code, Bach's chorales and Shakespeare's plays.

Without content-based access, the networks are an LSTM, trained step by step; a minGRU, trained in parallel
[@feng2024rnns]; and a convolutional network (TCN) that sees the last thirteen tokens only. With it, they are
an LSTM with one attention head [after @merity2019single], trained step by step; a Transformer; and a
Transformer whose two layers attend to the last seven positions each, so that it sees the same thirteen tokens
as the TCN [@beltagy2020longformer]. The two combinations that are missing are step-by-step networks with a
short memory: nobody uses them.

No property can be changed all by itself. A recurrence that is to be trained in parallel must be linear in its
state, so the step from LSTM to minGRU changes the cell as well; an LSTM with an attention head still has its
own state. The effects are therefore those of the property together with what it forces upon a network. All
windows are 64 tokens long: what a longer memory would bring is not measured here.

The score is bits per token of unseen files, chorales and a play. All networks of a domain have equal numbers
of parameters, the same windows, a learning rate chosen from equally many, and the same limit of steps. A
network trains until a quarter of its training has brought less than half a per cent on the validation split.

Predicted before the first run: training in parallel changes the bits by less than two per cent everywhere;
content-based access saves more than two per cent of code, where names are copied, and less of plays; memory
beyond thirteen tokens saves more than two per cent of code and chorales.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

import mlx.core as mx
import numpy as np
from jaxtyping import Bool, Int32
from mlx import nn

from seqlab.measure.bits import token_bits
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, Wrap, build
from seqlab.models.heads import Backbone, LanguageModel
from seqlab.models.parts.losses import token_loss
from seqlab.notebook import Budget, Claim, Experiment, Measurement, Point, Ratio, Trial, Tuning, grid
from seqlab.notebook.figures import Curve, Interval, Table
from seqlab.tasks import characters
from seqlab.tasks.chorales import dataset as chorales
from seqlab.tasks.chorales.chorale import FRAMES_PER_BEAT, INPUT_VOCABULARY, VOCABULARY, VOICES
from seqlab.tasks.source_code.coding import Coding
from seqlab.tasks.source_code.scoring import encoded, scored_windows
from seqlab.training import Batch, TriedRates, train

RATES = TriedRates.beside(__file__)
CODE, CHORALES, PLAYS = "code", "chorales", "plays"
DOMAINS = (CODE, CHORALES, PLAYS)
MIN_GAIN = {CODE: 0.012, CHORALES: 0.004, PLAYS: 0.012}  # bits: half a per cent of what a token takes
CODING = Coding(512, 48)  # as in the chapter on code
PIECES = 12  # validation chorales

PARALLEL, STEPWISE = "in parallel", "step by step"
CONTENT, FIXED = "by content", "fixed"
LONG, SHORT = "the whole window", "thirteen tokens"
REACH, BLOCKS = 7, 2  # two layers that reach 7 tokens see 13, as two blocks of a TCN do


@dataclass(frozen=True)
class Network:
    """How it is trained, how it reads its past, how much of that it sees, and how it is built."""

    training: str
    access: str
    memory: str
    backbone: str
    reach: int | None = None
    blocks: int | None = None


NETWORKS: Mapping[str, Network] = {
    "LSTM": Network(STEPWISE, FIXED, LONG, "LSTM"),
    "LSTM + attention": Network(STEPWISE, CONTENT, LONG, "LSTM + attention"),
    "minGRU": Network(PARALLEL, FIXED, LONG, "minGRU"),
    "short TCN": Network(PARALLEL, FIXED, SHORT, "TCN", blocks=BLOCKS),
    "sliding-window attention": Network(PARALLEL, CONTENT, SHORT, TRANSFORMER, reach=REACH),
    TRANSFORMER: Network(PARALLEL, CONTENT, LONG, TRANSFORMER),
}

Pair = tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"]]


@dataclass(frozen=True)
class Windows:
    """What a network reads before each token, the tokens, and which of them are scored."""

    inputs: Int32[np.ndarray, "K L"]
    targets: Int32[np.ndarray, "K L"]
    scored: Bool[np.ndarray, "K L"]


def chorale_head(backbone: Backbone) -> LanguageModel:
    """It reads earlier tokens, which voice comes next, and which sixteenth of the beat it is."""
    return LanguageModel(
        backbone, vocabulary=INPUT_VOCABULARY, outputs=VOCABULARY, period=FRAMES_PER_BEAT * len(VOICES)
    )


@cache
def head(domain: str) -> Wrap:
    """What makes a backbone a model of the domain."""
    if domain == CHORALES:
        return chorale_head
    return TokenHead(CODING.size if domain == CODE else characters.load().vocabulary)


def code_batches(rng: np.random.Generator, batch: int, length: int) -> Iterator[Pair]:
    """Windows of the training files."""
    return CODING.batches(encoded(CODING, "train"), rng, batch=batch, length=length)


def chorale_batches(rng: np.random.Generator, batch: int, length: int) -> Iterator[Pair]:
    """Windows of the training chorales, in keys that suit the voices."""
    return chorales.load().batches(rng, batch=batch, frames=length // len(VOICES))


def play_batches(rng: np.random.Generator, batch: int, length: int) -> Iterator[Pair]:
    """Windows of the training plays."""
    return characters.load().batches(rng, batch=batch, length=length)


BATCHES: Mapping[str, Callable[[np.random.Generator, int, int], Iterator[Pair]]] = {
    CODE: code_batches, CHORALES: chorale_batches, PLAYS: play_batches
}  # fmt: skip


@cache  # cut once a process
def windows(domain: str, split: chorales.SplitName, length: int, scored: int) -> Windows:
    """Windows that overlap by half; about `scored` tokens with half a window before them are scored."""
    if domain == CODE:
        where = scored_windows(split, length, scored)
        text = encoded(CODING, split)
        return Windows(text.inputs[where.at], text.targets[where.at], where.scored)
    if domain == CHORALES:
        pieces = PIECES if split == "valid" else None
        found = chorales.load().windows(split, frames=length // len(VOICES), chorales=pieces)
        some = slice(max(1, scored // (length // 2)))
        return Windows(found.inputs[some], found.targets[some], found.scored[some])
    inputs, targets = characters.load().windows(split, length=length, characters=scored, stride=length // 2)
    half = np.broadcast_to(np.arange(length) >= length // 2, inputs.shape)
    return Windows(inputs, targets, half)


@dataclass(frozen=True)
class Recipe:
    """Which network learns which kind of sequence, and how."""

    domain: str
    model: str
    width: int
    depth: int
    context: int  # tokens
    batch: int
    steps: int
    scored: int  # tokens of a split

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A network of the common size, and its training windows."""
        network = NETWORKS[self.model]
        size = Size(self.width, self.depth, length=self.context, blocks=network.blocks, reach=network.reach)
        model = build(network.backbone, size, head(self.domain), seed=seed)
        drawn = BATCHES[self.domain](np.random.default_rng(seed), self.batch, self.context)
        return model, ((mx.array(inputs), mx.array(targets)) for inputs, targets in drawn)

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of the next token, in nats."""
        return token_loss(model, *batch)

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """Bits per token of the validation split."""
        yield self.score(model, "valid")

    def score(self, model: nn.Module, split: chorales.SplitName) -> Measurement:
        """Bits per token of a split."""
        where = windows(self.domain, split, self.context, self.scored)
        bits = token_bits(model, where.inputs, where.targets)
        return Measurement("bits_per_token", float(bits[where.scored].mean()), split)


def run(trial: Trial) -> Iterator[Measurement]:
    """Train one network on one domain, choose its weights on the validation split, score the test split."""
    recipe = trial.fill(Recipe)
    model = yield from train(trial, recipe, RATES, min_gain=MIN_GAIN[recipe.domain])
    yield recipe.score(model, "test")


def points(domains: tuple[str, ...], *, seeds: int | None) -> tuple[Point, ...]:
    """Every network on these domains, with its three properties."""
    return tuple(
        point
        for domain in domains
        for name, network in NETWORKS.items()
        for point in grid(
            domain=domain, model=name, training=network.training, access=network.access,
            memory=network.memory, seeds=seeds,
        )
    )  # fmt: skip


fewer_bits = partial(
    Ratio, metric="bits_per_token", split="test", along="domain",
    matched=("parameters", "steps", "tuning"), differ=("model",),
)  # fmt: skip
WHOLE, AT_ONCE = {"memory": LONG}, {"training": PARALLEL}

experiment = Experiment(
    chapter=26,
    parallel_over=("domain", "model"),
    run=run,
    protocol={
        "width": 40, "depth": 2, "context": 64, "batch": 8, "steps": 3_000, "scored": 8_000,
        "evaluations": 30, "rate": 0.0,
    },
    tuning=Tuning(
        points(DOMAINS, seeds=None), by=("domain", "model"), settings={"steps": 400, "evaluations": 8}
    ),
    budgets=(
        Budget(
            "smoke", points((CODE,), seeds=2),
            {
                "width": 16, "context": 32, "batch": 4, "steps": 10, "scored": 800, "evaluations": 1,
                "rate": 0.01,
            },
            timeout=120,
        ),
        Budget("quick", points(DOMAINS, seeds=5), timeout=1_200),
        Budget("full", points(DOMAINS, seeds=10), timeout=3_600),
    ),
    claims=(
        Claim(
            "C44",
            fewer_bits(
                per=("domain", "access"), where=WHOLE, left=AT_ONCE, right={"training": STEPWISE}, below=0.98,
                margin=0.02,
            ),
            "If parallel training made the difference by itself, a network that is trained in parallel would "
            "need at least two per cent fewer bits per token than one that is trained step by step and reads "
            "its past in the same way.",
            predicted="no relevant difference",
        ),
        Claim(
            "C44",
            fewer_bits(
                per=("domain", "training", "memory"), left={"access": FIXED}, right={"access": CONTENT},
                below=1.02,
            ),
            "If parallel training made the difference and content-based access did not, a network without it "
            "would need at most two per cent more bits per token than one with it that is trained in the "
            "same way and sees as much.",
            predicted="with conditions",
        ),
        Claim(
            "C44",
            fewer_bits(
                per=("domain", "access"), where=AT_ONCE, left={"memory": SHORT}, right=WHOLE, below=1.02,
            ),
            "If parallel training made the difference and memory did not, a network that sees thirteen "
            "tokens would need at most two per cent more bits per token than one that sees the whole window "
            "and reads it in the same way.",
            predicted="with conditions",
        ),
    ),
    figures=(
        Interval(
            x="bits_per_token", y="model", columns="domain", split="test",
            caption="Bits per token of unseen code, chorales and a play.",
        ),
        Table(
            rows=("model", "training", "access", "memory"), columns="domain", split="test",
            metrics=("bits_per_token",),
            caption="Bits per token of each network, and its three properties.",
        ),
        Curve(
            x="step", y="bits_per_token", hue="model", columns="domain", split="valid",
            caption="Bits per token of the validation split during training.",
        ),
        Table(
            rows=("domain", "model"), metrics=("parameters", "train_steps", "training_time"),
            caption="Size and cost of the trainings.",
        ),
    ),
)  # fmt: skip
