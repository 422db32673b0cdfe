"""Do recurrent networks gain less than Transformers from more parameters?

If step-by-step processing limited how recurrent networks scale, a larger one would gain less than a larger
Transformer does. Here both predict the next character of Shakespeare, split by play, at several sizes and
from several amounts of text. Each character of a training text is used once, in one pass. At each width the
two networks have equal numbers of parameters within 2 %, and each width has its own learning rate, chosen
from equally many.

The fall of the loss with size is described by a power law, loss ∝ parameters^-α: a straight line on
logarithmic axes, whose slope gives the exponent α, fitted at the largest amount of text. Where a budget has
enough sizes and amounts, the form of @hoffmann2022training is fitted too, which adds a floor that no network
can pass. Neither fit is extrapolated. The work of a training counts all operations of attention; the common
estimate of six times parameters times tokens leaves out the products of queries and keys.

Equal text is the question here, so no network trains until it is finished: each reads its text once.
Historically the limit on recurrent networks was the time of training on many machines, which the chapters on
speed measure; this chapter asks what equal data buys.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure.bits import bits_per_token
from seqlab.measure.scaling import exponent, together
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, build
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import parameters
from seqlab.notebook import (
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
from seqlab.notebook.figures import Curve, Interval, Table, Tradeoff
from seqlab.tasks import characters
from seqlab.tasks.characters import SplitName
from seqlab.training import Batch, Recorded, TriedRates, train_once
from seqlab.training.token_step import step_flops

RATES = TriedRates.beside(__file__)
RIVALS = (TRANSFORMER, "LSTM")
EVALUATIONS = 4  # on the validation play during training; the best weights are kept


@dataclass(frozen=True)
class Recipe:
    """Which network is trained on how much text, and how."""

    model: str
    width: int
    characters: int  # to train on, each used once
    batch: int
    context: int  # characters
    scored: int  # characters of a play

    @property
    def steps(self) -> int:
        """Training steps that the text lasts for."""
        return self.characters // (self.batch * self.context)

    def network(self, seed: int) -> nn.Module:
        """A network as large as the Transformer of this width."""
        head = TokenHead(characters.load().vocabulary)
        return build(self.model, Size(self.width, length=self.context), head, seed=seed)

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A network, and windows of the training plays in random order, none of them twice."""
        drawn = characters.load().batches_once(
            np.random.default_rng(seed), batch=self.batch, length=self.context, characters=self.characters
        )
        return self.network(seed), ((mx.array(inputs), mx.array(targets)) for inputs, targets in drawn)

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """Cross entropy of the next character, in nats."""
        return token_loss(model, *batch)

    def validate(self, model: nn.Module) -> Iterator[Measurement]:
        """Bits per character of the validation play."""
        yield self.bits(model, "valid")

    def bits(self, model: nn.Module, split: SplitName) -> Measurement:
        """Bits per character of the split's play."""
        inputs, targets = characters.load().windows(split, length=self.context, characters=self.scored)
        return Measurement("bits_per_character", bits_per_token(model, token_loss, inputs, targets), split)


@dataclass(frozen=True)
class Trained:
    """What a training measured, and the two numbers that the fits use."""

    measurements: tuple[Measurement, ...]
    parameters: int
    bits: float  # per character of the test play


@cache  # the same for every seed
def step_work(recipe: Recipe) -> int:
    """FLOP of a training step, those of attention included."""
    network, sequential = recipe.network(0), recipe.model != TRANSFORMER
    return step_flops(network, batch=recipe.batch, length=recipe.context, sequential=sequential)


def train_cell(trial: Trial, width: int, amount: int) -> Generator[Measurement, None, Trained]:
    """One training of the grid, in one pass through the text, and its score on the test play.

    It yields how its learning rate was chosen, which is at the largest amount of text.
    """
    shared = {name: trial[name] for name in ("model", "batch", "context", "scored")}
    largest = Recipe(**shared, width=width, characters=trial["steps"] * trial["batch"] * trial["context"])
    recipe = replace(largest, characters=amount)
    of_width = replace(trial, factors={**trial.factors, "width": width})
    trained = yield from train_once(of_width, recipe, RATES, evaluations=EVALUATIONS, searched=largest)
    trained.check()
    bits, size = recipe.bits(trained.model, "test"), parameters(trained.model)
    work = recipe.steps * step_work(recipe)
    cost = (Measurement("parameters", size), Measurement("training_operations", work))
    return Trained((*trained.measurements, bits, *cost), size, bits.value)


def run(trial: Trial) -> Iterator[Measurement]:
    """One training, or one network's exponents over all of them."""
    if trial["part"] == "loss":
        yield Measurement("train_examples", trial["characters"])
        trained = yield from train_cell(trial, trial["width"], trial["characters"])
        yield from trained.measurements
        return
    found: dict[tuple[int, int], Trained] = {}
    grid_of_budget = SMOKE if trial.budget == "smoke" else WHOLE
    for width, amount in product(*grid_of_budget):
        training = Recorded(train_cell(trial, width, amount))
        found[width, amount] = training.finish()
    most, largest = max(amount for _, amount in found), max(width for width, _ in found)
    yield Measurement("train_examples", most)
    yield from training.measurements  # of the last: as many rates were tried for every width
    by_size = {each.parameters: each.bits for (_, amount), each in found.items() if amount == most}
    by_amount = {amount: each.bits for (width, amount), each in found.items() if width == largest}
    yield Measurement("size_exponent", exponent(by_size))
    yield Measurement("data_exponent", exponent(by_amount))
    if len(found) >= ENOUGH:
        fitted = together(
            [(float(each.parameters), float(amount), each.bits) for (_, amount), each in found.items()]
        )
        yield Measurement("fitted_size_exponent", fitted.size_exponent)
        yield Measurement("fitted_data_exponent", fitted.data_exponent)
        yield Measurement("fitted_floor", fitted.floor)


# Widths, and characters to train on. Each is used once, so the length of the plays is the limit.
Grid = tuple[tuple[int, ...], tuple[int, ...]]
SMOKE: Grid = ((8, 16, 32), (256, 512, 1_024))
# The widest has 110 times the parameters of the narrowest: two decades, without which an exponent is vague.
WHOLE: Grid = ((16, 32, 64, 112, 192), (65_536, 131_072, 262_144, 524_288))
CELLS = 2  # seeds of each cell on its own, for the tables; the exponents have all seeds
ENOUGH = 12  # points to fit five numbers to, with as many again to contradict them


def points(widths_and_amounts: Grid, *, networks: tuple[str, ...], seeds: int) -> tuple[Point, ...]:
    """Every width with every amount of text, and the exponents over them."""
    widths, amounts = widths_and_amounts
    return grid(part="powers", model=networks, seeds=seeds) + grid(
        part="loss", model=networks, width=widths, characters=amounts, seeds=min(seeds, CELLS)
    )


LOSS, POWERS = {"part": "loss"}, {"part": "powers"}
MOST_TEXT = LOSS | {"characters": tuple(max(amounts) for _, amounts in (SMOKE, WHOLE))}
LARGEST = LOSS | {"width": tuple(max(widths) for widths, _ in (SMOKE, WHOLE))}


def bits_against(cost: str, caption: str) -> Tradeoff:
    """The score of each width against one of its costs."""
    return Tradeoff(
        x=cost, y="bits_per_character", hue="model", along="width", split="test", x_scale="log10",
        y_scale="log10", where=MOST_TEXT, caption=caption,
    )  # fmt: skip


experiment = Experiment(
    chapter=23,
    parallel_over=("model",),
    run=run,
    # `steps` are those that the largest amount of text lasts for.
    protocol={"batch": 16, "context": 64, "steps": 512, "scored": 10_000, "rate": 0.0},
    tuning=Tuning(
        grid(part="loss", model=RIVALS, width=WHOLE[0], characters=max(WHOLE[1])), by=("model", "width")
    ),
    budgets=(
        Budget(
            "smoke", points(SMOKE, networks=RIVALS, seeds=2),
            {"batch": 8, "context": 16, "steps": 8, "scored": 1_000, "rate": 0.01}, timeout=120,
        ),
        Budget("quick", points(WHOLE, networks=RIVALS, seeds=5), timeout=1_800),
        Budget("full", points(WHOLE, networks=RIVALS, seeds=10), timeout=1_800),
    ),
    claims=(
        Claim(
            "C05",
            Difference(
                metric="size_exponent", where=POWERS, left={"model": TRANSFORMER},
                right={"model": "LSTM"}, above=0.0, matched=("examples", "tuning"), finished=False,
            ),
            "If recurrent networks scaled less well, the loss of a larger Transformer would fall with a "
            "higher power of its parameters than that of an LSTM, from equal text and at equal sizes.",
            predicted="not supported",
        ),
    ),
    figures=(
        bits_against(
            "parameters",
            "Bits per character of the test play against parameters, at the largest amount of text. A "
            "straight line is a power law, and its slope is the exponent.",
        ),
        Curve(
            x="characters", y="bits_per_character", hue="model", split="test", x_scale="log2",
            y_scale="log10", where=LARGEST,
            caption="Bits per character of the test play against the characters that the largest networks "
            "were trained on, each used once.",
        ),
        bits_against(
            "training_operations",
            "Bits per character of the test play against all operations of the training, those of attention "
            "included.",
        ),
        Interval(
            x="size_exponent", y="model", where=POWERS,
            caption="The exponent with which the loss falls with parameters, at the largest amount of text.",
        ),
        Table(
            rows=("model",), where=POWERS,
            metrics=(
                "size_exponent", "data_exponent", "fitted_size_exponent", "fitted_data_exponent",
                "fitted_floor",
            ),
            caption="Exponents of the straight lines, and those of the fit with a floor where there are "
            "enough points. The lines have no floor, and therefore smaller exponents.",
        ),
        Table(
            rows=("model", "width"), columns="characters", where=LOSS, split="test",
            metrics=("bits_per_character",),
            caption="Bits per character of the test play, by width and by characters trained on.",
        ),
        Table(
            rows=("model", "width"), where=MOST_TEXT,
            metrics=("parameters", "training_operations", "training_time"),
            caption="The cost of these trainings, at the largest amount of text.",
        ),
    ),
)  # fmt: skip
