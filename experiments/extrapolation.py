"""Do networks trained on short sequences also solve longer ones?

A network that has found the rule of a task, rather than a rule for the training lengths, stays accurate on
sequences several times as long [@deletang2022neural]. Here all networks train on short sequences and are
tested at two, four and eight times the longest training length. Only answers beyond the training lengths are
scored: positions that training never reached or, in the counter language, words longer than any in training.

Three tasks require tracking a state that every input may change: *parity*, *counting modulo five* and, at the
full budget, following the ball under *three* or *five cups* that are swapped. The swaps of five cups generate
a group whose words no Transformer of fixed depth can compose at every length, unless two complexity classes
coincide [@merrill2024illusion]. The *counter language* aⁿbⁿ requires counting. *Copying* a string requires
looking up distant inputs, at which Transformers are better than networks with a state of fixed size
[@jelassi2024repeat].

How a Transformer encodes positions decides how it handles new ones, so it comes with several encodings: none,
since the causal mask alone reveals order [@kazemnejad2023impact], sinusoids, rotations (RoPE), and a penalty
on distance (ALiBi) [@press2021train]. The rules take the encoding that does best on validation sequences of
the training lengths, as one would have to choose in practice. All networks have equally many parameters and
steps, the same batches, and a learning rate chosen from equally many, at the same lengths. A low score may
mean that a network did not learn the task at all. The accuracy at the training lengths is therefore given
beside it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, build
from seqlab.models.parts.positions import Positions
from seqlab.notebook import Budget, Claim, Difference, Experiment, Matched, Measurement, Trial, Tuning, grid
from seqlab.notebook.figures import Curve, Table
from seqlab.tasks.synthetic import counter_language, counting, parity, permutations, string_copy
from seqlab.tasks.synthetic.labelling import labelling_loss, scored_from
from seqlab.training import Batch, EvaluationSet, TriedRates, train

RATES = TriedRates.beside(__file__)
VOCABULARY = 27  # of every task, so that a network's size does not depend on it: the bar and 26 letters
SHORTEST = 4
HEADS = 1  # of the Transformer: one head attends to a position in full; it learned copying better than two
TASKS: Mapping[str, Callable[[int], Any]] = {
    "parity": parity.Task,
    "counting mod 5": counting.Task,
    "three cups": partial(permutations.Task, cups=3),
    "five cups": partial(permutations.Task, cups=5),
    "counter language": counter_language.Task,
    "copying": string_copy.Task,
}
CHANCE_LEVELS = {name: task(SHORTEST).chance_level for name, task in TASKS.items()}
# Tasks scored at all positions of a longer sequence: their whole words are longer than in training.
WHOLE = ("counter language", "copying")
ENCODINGS: Mapping[str, Positions] = {
    f"{TRANSFORMER}, no positions": "none",
    f"{TRANSFORMER}, sinusoids": "sinusoidal",
    f"{TRANSFORMER}, RoPE": "rope",
    f"{TRANSFORMER}, ALiBi": "alibi",
}
OTHERS = ("LSTM", "minGRU")
NETWORKS = (*OTHERS, *ENCODINGS)
# Seeds of sequences that no training uses. Each trial adds its own to TEST, so that the luck of the test
# sequences is part of what differs between seeds.
VALIDATION, TEST = 10**6, 2 * 10**6


@dataclass(frozen=True)
class Recipe:
    """Which network trains on which task, for how long; `trained` is the longest training length."""

    task: str
    model: str
    trained: int
    width: int
    depth: int
    batch: int
    steps: int

    def start(self, seed: int) -> tuple[nn.Module, Iterator[Batch]]:
        """A new network and its batches."""
        backbone = TRANSFORMER if self.model in ENCODINGS else self.model
        size = Size(
            self.width, self.depth, heads=HEADS, length=8 * self.trained,
            positions=ENCODINGS.get(self.model, "rope"),
        )  # fmt: skip
        model = build(backbone, size, TokenHead(VOCABULARY), seed=seed)
        return model, self.batches(np.random.default_rng(seed))

    @property
    def lengths(self) -> range:
        """The training lengths: even ones, which every task has."""
        return range(SHORTEST, self.trained + 1, 4)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Batches of one length each, which cycle through all training lengths without end."""
        for length in cycle(self.lengths):
            yield tuple(map(mx.array, TASKS[self.task](length).batch(rng, self.batch)))

    def loss(self, model: nn.Module, *batch: mx.array) -> mx.array:
        """The mean cross-entropy of the scored positions, in nats."""
        return labelling_loss(model, *batch)

    def accuracy(self, model: nn.Module, length: int, seed: int, sequences: int, *, beyond: int = 0) -> float:
        """The accuracy at scored positions from `beyond` on."""
        draw = scored_from(TASKS[self.task](length).batch, beyond)
        return EvaluationSet(draw, sequences, seed).accuracy(model)

    def validate(self, model: nn.Module) -> Iterable[Measurement]:
        """The mean accuracy over the training lengths."""
        found = [self.accuracy(model, length, VALIDATION, 64) for length in self.lengths]
        return [Measurement("accuracy", float(np.mean(found)), "valid")]


def run(trial: Trial) -> Iterator[Measurement]:
    """Train one network on one task with short sequences, then test it on longer ones."""
    recipe = trial.fill(Recipe)
    model = yield from train(trial, recipe, RATES)
    beyond = 0 if recipe.task in WHOLE else recipe.trained
    found, tested = [], TEST + trial.seed
    for length in (2 * recipe.trained, 4 * recipe.trained, 8 * recipe.trained):
        found.append(recipe.accuracy(model, length, tested, trial["sequences"], beyond=beyond))
        yield Measurement("accuracy_by_length", found[-1], "test", step=length)
    yield Measurement("accuracy", float(np.mean(found)), "test")


FAIR: tuple[Matched, ...] = ("parameters", "steps", "tuning")
SMALL = ("parity", "copying")  # one task that tracks a state, one that looks back
ENCODED = tuple({"model": name} for name in ENCODINGS)


def on_par(name: str) -> Claim:
    """C43 against one recurrent network."""
    rule = Difference(
        metric="accuracy", split="test", per=("task",), along="task", left={"model": name},
        right=ENCODED, below=0.01, matched=FAIR,
    )  # fmt: skip
    return Claim(
        "C43",
        rule,
        f"On longer sequences of every task, the accuracy of the {name} is less than one percentage point "
        "above that of the Transformer with the positional encoding that does best at the training lengths.",
        predicted="with conditions",
    )


experiment = Experiment(
    chapter=13,
    parallel_over=("task", "model"),
    run=run,
    protocol={
        "trained": 16, "width": 32, "depth": 2, "batch": 16, "steps": 2_000, "evaluations": 20,
        "sequences": 256, "together": 5, "rate": 0.0,
    },
    tuning=Tuning(
        grid(task=TASKS, model=NETWORKS), by=("task", "model"), settings={"steps": 500, "together": 1}
    ),
    budgets=(
        Budget(
            "smoke", grid(task=SMALL, model=("LSTM", f"{TRANSFORMER}, RoPE"), seeds=2),
            {"trained": 8, "steps": 10, "sequences": 64, "together": 2, "rate": 0.01}, timeout=60,
        ),
        Budget("quick", grid(task=SMALL, model=NETWORKS, seeds=5), timeout=1_800),
        Budget("full", grid(task=TASKS, model=NETWORKS, seeds=10), timeout=1_800),
    ),
    claims=(
        # The validation split chooses the encoding among the right-hand sides. The Transformer is therefore
        # on the right, and its lead is a negative difference.
        Claim(
            "C26",
            Difference(
                metric="accuracy", split="test", left={"model": "LSTM"}, right=ENCODED, below=-0.05,
                matched=FAIR,
            ),
            "On sequences longer than in training, averaged over all tasks, the LSTM's accuracy is more than "
            "five percentage points below that of the Transformer with the positional encoding that does "
            "best at the training lengths.",
            predicted="not supported",
        ),
        Claim(
            "C26",
            Difference(
                metric="accuracy", split="test", per=("task",), along="task", left={"model": "LSTM"},
                right=ENCODED, below=-0.05, matched=FAIR,
            ),
            "On longer sequences of every task, the LSTM's accuracy is more than five percentage points "
            "below that of the Transformer with the positional encoding that does best at the task's "
            "training lengths.",
            predicted="with conditions",
        ),
        *map(on_par, OTHERS),
    ),
    figures=(
        *(
            Curve(
                x="step", y="accuracy_by_length", hue="model", x_scale="log2", split="test",
                where={"task": task}, guides={"chance level": chance},
                caption=f"{task.capitalize()}: accuracy beyond the training lengths, against the length of "
                "the sequence.",
            )
            for task, chance in CHANCE_LEVELS.items()
        ),
        Table(
            rows=("task", "model"), split="test",
            metrics=("accuracy@valid", "accuracy", "parameters", "training_time"),
            caption="Accuracy at the training lengths (valid) and beyond (test), and cost. Chance levels: "
            + ", ".join(f"{task} {chance:.2g}" for task, chance in CHANCE_LEVELS.items())
            + ". The seeds of a network train side by side: a training time is an equal share of theirs.",
        ),
    ),
)  # fmt: skip
