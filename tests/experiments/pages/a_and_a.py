"""Does a model differ from itself?

The same model is timed under two names, by the harness with which pages time different ones. Nothing tells
the two apart but chance, so that no budget may find a difference. A single interval leaves 1 out by chance
in one of twenty; a verdict needs all of three cells to do so on the same side, each with networks, orders
and repeats of its own, which a sound harness brings about less than once in ten thousand times.

With `clock=tiring` the clock is made up, and each step of a block takes longer than the one before. An order
that is drawn in each block bears that; with `order=fixed` the first name is always the faster one.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import cache
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure import blocks
from seqlab.measure.blocks import Arm, Times, time_blocks
from seqlab.models.sizing import parameters
from seqlab.notebook import Budget, Claim, Experiment, Measurement, Ratio, Trial, grid
from seqlab.training.optimizer import adamw
from seqlab.training.step import training_step

NAMES = ("A", "A again")
WIDTHS = (16, 32, 64)
TIRES = 0.02  # of a step's time, from each step of a block to the next
NOISE = 0.005


class AsGiven:
    """Stands for the random generator of a harness that draws no order."""

    def permutation(self, names: list[str]) -> np.ndarray:
        return np.array(names)


class Tiring:
    """A clock by which each step takes longer than the one before; the sentinel is a rest."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng, self._since = rng, 0

    def seconds(self, step: Callable[[], Any]) -> float:
        mx.eval(step())
        self._since += 1
        return 1e-3 * (1 + TIRES * self._since) * float(np.exp(self._rng.normal(0, NOISE)))

    def sentinel(self) -> Callable[[], float]:
        def rest() -> float:
            self._since = 0
            return 1.0

        return rest


def network(width: int, seed: int) -> nn.Module:
    mx.random.seed(seed)
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))


def arm(width: int, seed: int) -> Arm:
    """A training step, as pages time it."""
    model, optimizer = network(width, seed), adamw(1e-3)
    step = training_step(model, lambda model, x: mx.mean(model(x) ** 2), optimizer, compiled=False)
    x = mx.ones((32, width))
    return Arm(lambda: step(x), state=[model.state, optimizer.state])


@cache
def timed(width: int, seed: int, repeats: int, order: str, clock: str) -> Mapping[str, Times]:
    """Both names. Which of the two is made first is drawn too: memory is not the same twice."""
    rng = np.random.default_rng([seed, width])
    made = {name: arm(width, seed) for name in rng.permutation(NAMES).tolist()}
    tiring = Tiring(np.random.default_rng([1, seed, width]))
    made_up = patch.multiple(blocks, seconds=tiring.seconds, _sentinel=tiring.sentinel)
    drawn: Any = rng if order == "drawn" else AsGiven()
    with made_up if clock == "tiring" else nullcontext():
        while True:  # on a busy machine all blocks may be dropped, and the tests run on such machines too
            found = time_blocks({name: made[name] for name in NAMES}, blocks=repeats, rng=drawn)
            if found["A"].kept:
                return found


def run(trial: Trial) -> Iterator[Measurement]:
    width, seed = trial["width"], trial.seed
    times = timed(width, seed, trial["repeats"], trial["order"], trial["clock"])
    yield from times[trial["model"]].measurements()
    yield Measurement("parameters", parameters(network(width, seed)))


experiment = Experiment(
    run=run,
    protocol={"order": "drawn", "clock": "real", "repeats": 6},
    budgets=(
        Budget("quick", grid(model=NAMES, width=WIDTHS, seeds=5)),
        Budget("full", grid(model=NAMES, width=WIDTHS, seeds=10)),
    ),
    claims=(
        Claim(
            "C17",
            Ratio(
                metric="step_time", per=("width",), left={"model": "A"}, right={"model": "A again"},
                above=1.0, matched=("parameters",),
            ),
            "A is slower than A.",
        ),
    ),
)  # fmt: skip
