"""Does a Transformer recall a symbol, and does another machine find the same?

Two small networks learn delayed recall in some dozen steps, so that a machine that computes something else
can be made up: one whose attention reads nothing, or one that trains on shuffled answers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from unittest.mock import patch

import mlx.core as mx
import numpy as np

from seqlab.models import lstm, transformer
from seqlab.models.heads import LanguageModel
from seqlab.models.parts.attention import Attention
from seqlab.notebook import Budget, Claim, Difference, Experiment, Measurement, Trial, grid
from seqlab.tasks.synthetic import delayed_recall
from seqlab.tasks.synthetic.labelling import Labelled, labelling_loss
from tests.known.recipes import accuracy, trained_model_of

BACKBONES = {
    "Transformer": lambda: transformer.Model(transformer.Config(width=16, depth=1, heads=2)),
    "LSTM": lambda: lstm.Model(lstm.Config(width=16)),
}
TASK = delayed_recall.Task(delay=6)
STEPS = {"Transformer": 40, "LSTM": 25}  # the first is right in every sequence, the second scatters
AS_WRITTEN, READS_NOTHING, SHUFFLED = "as written", "attention reads nothing", "shuffled answers"


@dataclass(frozen=True)
class Shuffled:
    """The task with the answers of other sequences."""

    task: delayed_recall.Task

    def batch(self, rng: np.random.Generator, size: int) -> Labelled:
        inputs, targets, scored = self.task.batch(rng, size)
        return inputs, rng.permutation(targets), scored


def run(trial: Trial) -> Iterator[Measurement]:
    """Train one network on the machine that the trial names, and test it there."""
    machine = trial.get("machine", AS_WRITTEN)
    task = Shuffled(TASK) if machine == SHUFFLED else TASK
    nothing = patch.object(Attention, "__call__", lambda self, x, mask: mx.zeros_like(x))
    if machine == READS_NOTHING:
        nothing.start()
    try:
        model = trained_model_of(
            lambda: LanguageModel(BACKBONES[trial["model"]](), vocabulary=TASK.vocabulary),
            labelling_loss,
            [task],
            steps=STEPS[trial["model"]],
            learning_rate=1e-2,
            seed=trial.seed,
        )
        yield Measurement("accuracy", accuracy(model, TASK), "test")
    finally:
        if machine == READS_NOTHING:
            nothing.stop()


experiment = Experiment(
    run=run,
    budgets=(Budget("quick", grid(model=tuple(BACKBONES), seeds=5)),),
    claims=(
        Claim(
            "C26",
            Difference(
                metric="accuracy", split="test", left={"model": "Transformer"}, right={"model": "LSTM"},
                above=0.05, matched=(),
            ),
            "The Transformer recalls more often.",
        ),
    ),
)  # fmt: skip
