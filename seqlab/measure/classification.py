"""Which fraction of its inputs does a classifier label correctly?"""

import mlx.core as mx
import numpy as np
from jaxtyping import Integer
from mlx import nn


def accuracy(
    model: nn.Module, inputs: np.ndarray, labels: Integer[np.ndarray, "N"], *, batch: int = 250
) -> float:
    """The fraction of inputs whose largest logit is that of their label, evaluated `batch` at a time."""
    correct = 0
    for i in range(0, len(labels), batch):
        predicted = mx.argmax(model(mx.array(inputs[i : i + batch])), axis=-1)
        correct += int(mx.sum(predicted == mx.array(labels[i : i + batch])))
    return correct / len(labels)
