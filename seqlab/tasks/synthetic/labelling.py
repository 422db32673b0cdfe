"""What do the synthetic tasks share? Sequence labelling in which some positions are scored.

A batch is inputs, targets (0 where there is none) and a mask of the positions that are scored.
"""

from collections.abc import Callable

import mlx.core as mx
import numpy as np
from jaxtyping import Bool, Float, Int32, Integer
from mlx import nn

from seqlab.errors import UsageError

Labelled = tuple[Int32[np.ndarray, "B L"], Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]
Draw = Callable[[np.random.Generator, int], Labelled]  # a task's `batch`


def require(task: str, **fields: tuple[int, int]) -> None:
    """Raise `UsageError` for the first of the fields, each a value and its minimum, that is too small."""
    for name, (value, least) in fields.items():
        if value < least:
            raise UsageError(f"{task}: {name} must be {least} or more, found {value}.")


def answered_at_end(inputs: Int32[np.ndarray, "B L"], answers: Int32[np.ndarray, "B K"]) -> Labelled:
    """The batch whose last positions are scored against `answers`, and no others."""
    targets, scored = np.zeros_like(inputs), np.zeros(inputs.shape, bool)
    first = inputs.shape[1] - answers.shape[1]
    targets[:, first:], scored[:, first:] = answers, True
    return inputs, targets, scored


def scored_from(draw: Draw, first: int) -> Draw:
    """The same batches with the positions before `first` unscored, to test beyond a training length."""

    def batch(rng: np.random.Generator, size: int) -> Labelled:
        inputs, targets, scored = draw(rng, size)
        return inputs, targets, scored & (np.arange(inputs.shape[1]) >= first)

    return batch


def labelling_loss(
    model: nn.Module, inputs: Integer[mx.array, "B L"], targets: Integer[mx.array, "B L"],
    scored: Bool[mx.array, "B L"],
) -> Float[mx.array, ""]:  # fmt: skip
    """The mean cross-entropy of the scored positions, in nats."""
    entropy = nn.losses.cross_entropy(model(inputs), targets)
    return mx.sum(entropy * scored) / mx.sum(scored)
