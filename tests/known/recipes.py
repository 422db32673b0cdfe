"""How is a model trained on a curriculum of tasks, and how is it tested?

A curriculum is a list of tasks, easy ones first, each for an equal share of the steps. Both sides of a
comparison have the same curriculum: as many steps, on the same batches.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.tasks.synthetic.labelling import scored_from
from seqlab.training import EvaluationSet, fit

BATCH = 32
TEST = 10**6  # a seed that no training uses


def trained_model_of(
    make: Callable[[], nn.Module],
    loss: Callable[..., mx.array],
    curriculum: Sequence[Any],
    *,
    steps: int,
    learning_rate: float,
    seed: int,
    batch: int = BATCH,
) -> nn.Module:
    """A new model after its curriculum. The seed sets its initial weights and its batches."""

    def batches() -> Iterator[tuple[mx.array, ...]]:
        rng = np.random.default_rng(seed)
        for step in range(steps):
            yield tuple(map(mx.array, curriculum[step * len(curriculum) // steps].batch(rng, batch)))

    mx.random.seed(seed)
    model = make()
    # Uncompiled: lengths differ, and each would be compiled anew.
    for _ in fit(model, loss, batches=batches(), steps=steps, learning_rate=learning_rate, compiled=False):
        pass
    return model


def accuracy(model: nn.Module, task: Any, *, beyond: int = 0, sequences: int = 256) -> float:
    """The accuracy at scored positions from `beyond` on, in fresh sequences."""
    return EvaluationSet(scored_from(task.batch, beyond), sequences, TEST).accuracy(model)
