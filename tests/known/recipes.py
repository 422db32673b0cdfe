"""How does a model take a course of recipes, and how is it examined?

A course is a list of tasks, easy ones first, each for an equal share of the steps. Both sides of a
comparison take the same course: as many steps, on the same batches.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.training.loop import fit

BATCH = 32
EXAMINATION = 10**6  # a seed that no training uses


def trained_model_of(
    make: Callable[[], nn.Module],
    loss: Callable[..., mx.array],
    course: Sequence[Any],
    *,
    steps: int,
    learning_rate: float,
    seed: int,
    batch: int = BATCH,
) -> nn.Module:
    """A new model after its course. The seed sets its first weights and its batches."""

    def batches() -> Iterator[tuple[mx.array, ...]]:
        rng = np.random.default_rng(seed)
        for step in range(steps):
            yield tuple(map(mx.array, course[step * len(course) // steps].batch(rng, batch)))

    mx.random.seed(seed)
    model = make()
    # Uncompiled: lengths differ, and each would be compiled anew.
    for _ in fit(model, loss, batches=batches(), steps=steps, learning_rate=learning_rate, compiled=False):
        pass
    return model


def labelling_loss(model: nn.Module, inputs: mx.array, targets: mx.array, scored: mx.array) -> mx.array:
    """The mean cross-entropy of the scored positions."""
    entropy = nn.losses.cross_entropy(model(inputs), targets)
    return mx.sum(entropy * scored) / mx.sum(scored)


def accuracy(model: nn.Module, task: Any, *, beyond: int = 0, sequences: int = 256) -> float:
    """The share of right answers, at scored positions from `beyond` on, in fresh sequences."""
    inputs, targets, scored = task.batch(np.random.default_rng(EXAMINATION), sequences)
    scored[:, :beyond] = False
    answers = np.array(mx.argmax(model(mx.array(inputs)), axis=-1))
    return float((answers == targets)[scored].mean())
