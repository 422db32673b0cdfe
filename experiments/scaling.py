"""Do recurrent networks gain less from being made larger?

If their chain of steps limited how recurrent networks scale, a larger one would gain less than a larger
Transformer does. So both learn to write, characters of Shakespeare split by play, at several sizes and from
several amounts of text, every character of which they see once. Sizes are matched: at each width the two have
as many parameters, within two hundredths. Each width has a learning rate of its own, chosen from as many.

How a loss falls with size is told by a power: the slope on logarithmic axes at the largest amount of text.
Where a budget has enough sizes and amounts, the form of @hoffmann2022training is fitted too, with a floor
that no network reaches. Neither is carried on beyond what was measured. Work counts attention with all of its
scores and is not six times parameters times tokens, which leaves them out.

In the smaller budgets the networks see a few pages of text, and how fast they begin to learn outweighs how
much they could learn: read their powers as those of the beginning. What limited recurrent networks in history
was the time of training on many machines, which the chapters on speed measure; here is what equal data buys.
"""

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.errors import UsageError
from seqlab.measure.flops import training_step_flops
from seqlab.measure.scaling import exponent, together
from seqlab.models import backbones
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import parameters
from seqlab.notebook import (
    Budget,
    Claim,
    Curve,
    Difference,
    Experiment,
    Interval,
    Measurement,
    Point,
    Table,
    Tradeoff,
    Trial,
    grid,
)
from seqlab.notebook.experiment import BudgetName
from seqlab.tasks import characters
from seqlab.training import TRIED_RATES, Batch, TunedRate
from seqlab.training.rates import trial_rate
from seqlab.training.recipes import search_rate, train_together

# Of TRIED_RATES, at the quick budget's largest amount of text with seed 1000: the least validation loss. To
# try again: nox -s scaling -- --seed 1000 --set rate=0.003 --set part=loss --set characters=32768
RATES: Mapping[str, Mapping[int, float]] = {
    "Transformer": {16: 1e-1, 32: 3e-2, 64: 1e-2},
    "LSTM": {16: 1e-1, 32: 1e-1, 64: 3e-2},
}
RIVALS = tuple(RATES)
OTHER_RATE = 1e-2  # of widths that were not tried
TUNED_STEPS = 64
EVALUATIONS = 3  # of the validation play while a network learns; the best weights are kept
COUNTED = (4, 8)  # lengths at which a recurrence's work is counted; from there it is a straight line


@dataclass(frozen=True)
class Recipe:
    """Who learns from how much text: all that the best learning rate may depend on."""

    model: str
    width: int
    characters: int  # to learn from, each seen once
    batch: int
    context: int  # characters
    scored: int  # characters of a play

    @property
    def steps(self) -> int:
        """Training steps that the text lasts for."""
        return self.characters // (self.batch * self.context)

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A network, and windows of the training plays in an order of the seed's, none of them twice."""
        inputs, targets = text().windows("train", length=self.context)
        needed = self.steps * self.batch
        if not 1 <= needed <= len(inputs):
            raise UsageError(
                f"expected {self.batch * self.context} to {len(inputs) * self.context} characters to learn "
                f"from, found {self.characters}. Set another amount."
            )
        order = np.random.default_rng(seed).permutation(len(inputs))[:needed]
        batches = (
            (mx.array(inputs[rows]), mx.array(targets[rows]))
            for rows in order.reshape(self.steps, self.batch)
        )
        return build(self.model, self.width, self.context, seed), batches

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of a character, in nats."""
        return token_loss(model, *batch)

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """Bits per character of the validation play."""
        yield bits(self, model, "valid")


@dataclass(frozen=True)
class Learnt:
    """A training: what it measured, and the two numbers that the fits take."""

    measured: tuple[Measurement, ...]
    parameters: int
    bits: float  # a character of the test play


@cache
def text() -> characters.Characters:
    """The plays, read once a process."""
    return characters.load()


def build(name: str, width: int, context: int, seed: int) -> nn.Module:
    """A network of the size that the Transformer of this width has."""
    return backbones.build(
        name, backbones.Size(width, length=context), backbones.TokenHead(text().vocabulary), seed=seed
    )


def bits(recipe: Recipe, model: nn.Module, split: characters.SplitName) -> Measurement:
    """Bits per character of the split's play."""
    inputs, targets = text().windows(split, length=recipe.context, characters=recipe.scored)
    total = 0.0
    for i in range(0, len(inputs), 64):
        some = mx.array(inputs[i : i + 64]), mx.array(targets[i : i + 64])
        total += float(token_loss(model, *some)) * len(some[0])
    return Measurement("bits_per_character", total / len(inputs) / math.log(2), split)


@cache  # the same for every seed
def step_work(name: str, width: int, batch: int, context: int) -> int:
    """FLOP of a training step, attention's included."""

    def counted(length: int) -> int:
        tokens = mx.zeros((batch, length), dtype=mx.int32)
        return training_step_flops(build(name, width, context, 0), token_loss, tokens, tokens)

    if name == backbones.TRANSFORMER:
        return counted(context)
    short, long = COUNTED
    return counted(short) + (counted(long) - counted(short)) * (context - short) // (long - short)


@cache  # one training for its own trial and for the fits
def learnt(recipe: Recipe, rate: float, seed: int, together: int) -> Learnt:
    """Train once, beside so many seeds, one pass through the text; score the test play once."""
    first = seed - seed % together
    trained_model = train_together(recipe, rate, tuple(range(first, first + together)), EVALUATIONS)[
        seed - first
    ]
    if trained_model.diverged:
        raise trained_model.diverged[0]
    found = bits(recipe, trained_model.model, "test")
    size = parameters(trained_model.model)
    work = recipe.steps * step_work(recipe.model, recipe.width, recipe.batch, recipe.context)
    more = (found, Measurement("parameters", size), Measurement("training_operations", work))
    return Learnt((*trained_model.measurements, *more), size, found.value)


def course(trial: Trial, width: int, amount: int) -> Generator[Measurement, None, Learnt]:
    """One training of the grid; yields how its rate was chosen, which is at the largest amount of text."""
    shared = {name: trial[name] for name in ("model", "batch", "context", "scored")}
    largest = Recipe(**shared, width=width, characters=trial["steps"] * trial["batch"] * trial["context"])
    tuned = TunedRate(RATES.get(trial["model"], {}).get(width, OTHER_RATE), TRIED_RATES, TUNED_STEPS)
    rate = yield from trial_rate(trial, tuned, lambda trials: search_rate(largest, trials, EVALUATIONS))
    return learnt(replace(largest, characters=amount), rate, trial.seed, trial["together"])


def run(trial: Trial) -> Iterator[Measurement]:
    """One training, or one network's powers over all of them."""
    if trial["part"] == "loss":
        yield Measurement("train_examples", trial["characters"])
        found = yield from course(trial, trial["width"], trial["characters"])
        yield from found.measured
        return
    learners: dict[tuple[int, int], Learnt] = {}
    told: list[Measurement] = []
    for width, amount in cells(trial.budget):
        learners[width, amount], told = kept(course(trial, width, amount))
    most, largest = max(amount for _, amount in learners), max(width for width, _ in learners)
    yield Measurement("train_examples", most)
    yield from told  # of the last: as many rates were tried for every width
    by_size = {each.parameters: each.bits for (_, amount), each in learners.items() if amount == most}
    by_amount = {amount: each.bits for (width, amount), each in learners.items() if width == largest}
    yield Measurement("size_exponent", exponent(by_size))
    yield Measurement("data_exponent", exponent(by_amount))
    if len(learners) >= ENOUGH:
        points = [
            (float(each.parameters), float(amount), each.bits) for (_, amount), each in learners.items()
        ]
        fitted = together(points)
        yield Measurement("fitted_size_exponent", fitted.size_exponent)
        yield Measurement("fitted_data_exponent", fitted.data_exponent)
        yield Measurement("fitted_floor", fitted.floor)


def kept(training: Generator[Measurement, None, Learnt]) -> tuple[Learnt, list[Measurement]]:
    """What a training came to, and what it yielded before."""
    told = []
    while True:
        try:
            told.append(next(training))
        except StopIteration as ended:
            return ended.value, told


# Widths, and characters to learn from. Every character is seen once, so that the plays are the limit.
GRIDS: Mapping[BudgetName, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "smoke": ((8, 16, 32), (256, 512, 1_024)),
    "quick": ((16, 32, 64), (8_192, 16_384, 32_768)),
    "full": ((16, 32, 64, 128, 256), (65_536, 131_072, 262_144, 524_288)),
}
ENOUGH = 12  # points to fit five numbers to, with as many again to contradict them


def cells(budget: BudgetName) -> tuple[tuple[int, int], ...]:
    """Widths and amounts that are tried together: all in full, else one row and one column."""
    widths, amounts = GRIDS[budget]
    return tuple(
        (width, amount)
        for width, amount in product(widths, amounts)
        if budget == "full" or amount == amounts[-1] or width == widths[-1]
    )


def points(budget: BudgetName, *, networks: tuple[str, ...], seeds: int) -> tuple[Point, ...]:
    """Every cell, and the powers over them."""
    found = grid(part="powers", model=networks, seeds=seeds)
    for width, amount in cells(budget):
        found += grid(part="loss", model=networks, width=width, characters=amount, seeds=seeds)
    return found


LOSS, POWERS = {"part": "loss"}, {"part": "powers"}
MOST = tuple(max(amounts) for _, amounts in GRIDS.values())
LARGEST = tuple(max(widths) for widths, _ in GRIDS.values())

experiment = Experiment(
    chapter=19,
    parallel_over=("model",),
    run=run,
    # `steps` are those of the largest amount of text: it lasts for no more.
    budgets=(
        Budget(
            "smoke", points("smoke", networks=RIVALS, seeds=2),
            {"batch": 8, "context": 16, "steps": 8, "scored": 1_000, "rate": 0.0, "together": 1}, timeout=120,
        ),
        Budget(
            "quick", points("quick", networks=RIVALS, seeds=5),
            {"batch": 16, "context": 32, "steps": TUNED_STEPS, "scored": 6_000, "rate": 0.0, "together": 5},
            timeout=300,
        ),
        Budget(
            "full", points("full", networks=(*RIVALS, "minGRU"), seeds=10),
            {"batch": 16, "context": 128, "steps": 256, "scored": 50_000, "rate": 0.0, "tuning": 12,
             "together": 1},
            timeout=13 * 3_600,  # the first trial of each width searches
        ),
    ),
    claims=(
        Claim(
            "C05",
            Difference(
                metric="size_exponent", where=POWERS, left={"model": "Transformer"},
                right={"model": "LSTM"}, above=0.0, matched=("examples", "tuning"),
            ),
            "If recurrent networks scaled less well, the loss of a larger Transformer would fall by a higher "
            "power of its parameters than the loss of an LSTM does, from equal text and at equal sizes.",
        ),
    ),
    figures=(
        Tradeoff(
            x="parameters", y="bits_per_character", hue="model", along="width", split="test",
            x_scale="log10", y_scale="log10", where=LOSS | {"characters": MOST},
            caption="What size buys: bits for each character of the unseen play against parameters, at the "
            "largest amount of text. A straight line is a power, its slope the exponent.",
        ),
        Curve(
            x="characters", y="bits_per_character", hue="model", split="test", x_scale="log2",
            y_scale="log10", where=LOSS | {"width": LARGEST},
            caption="What text buys: the same score against the characters that the largest networks learnt "
            "from, each seen once.",
        ),
        Tradeoff(
            x="training_operations", y="bits_per_character", hue="model", along="width", split="test",
            x_scale="log10", y_scale="log10", where=LOSS | {"characters": MOST},
            caption="What work buys: the same score against all operations of the training, attention's "
            "included.",
        ),
        Interval(
            x="size_exponent", y="model", where=POWERS,
            caption="The power of the parameters with which the loss falls, at the largest amount of text.",
        ),
        Table(
            rows=("model",), where=POWERS,
            metrics=(
                "size_exponent", "data_exponent", "fitted_size_exponent", "fitted_data_exponent",
                "fitted_floor",
            ),
            caption="The powers of straight lines, and those of the fit with a floor where there are enough "
            "points. The lines have none, and so smaller powers.",
        ),
        Table(
            rows=("model", "width"), columns="characters", where=LOSS, split="test",
            metrics=("bits_per_character",),
            caption="Bits for each character of the unseen play, by width and by characters learnt from. A "
            "dash: the budget does without.",
        ),
        Table(
            rows=("model", "width"), where=LOSS | {"characters": MOST},
            metrics=("parameters", "training_operations", "training_time"),
            caption="What that cost, at the largest amount of text.",
        ),
    ),
)  # fmt: skip
