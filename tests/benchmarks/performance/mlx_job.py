"""How is a model of MLX, ours or one of stock layers, made into a job?"""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx import optimizers
from mlx.utils import tree_flatten

from seqlab.measure.memory import peak_memory
from seqlab.models.parts.losses import cross_entropy
from seqlab.training.step import training_step
from tests.benchmarks.performance.cases import LEARNING_RATE, MAX_NORM, WEIGHT_DECAY, Case, Weights, batch
from tests.benchmarks.performance.job import Job


def named(model: nn.Module) -> Weights:
    """Parameters by name."""
    return {name: np.array(value) for name, value in dict(tree_flatten(model.parameters())).items()}


def load(model: nn.Module, weights: Weights) -> None:
    """Set all parameters; a missing, surplus or misshapen one is an error."""
    model.load_weights([(name, mx.array(value)) for name, value in weights.items()])
    mx.eval(model.parameters())


def loss_of(case: Case, *, stock: bool = False) -> Any:
    """The loss of a model on a batch: ours, or what mlx.nn has."""

    def error(model: nn.Module, inputs: mx.array, targets: mx.array) -> mx.array:
        if case.model == "PatchTST":
            return nn.losses.mse_loss(model(inputs), targets)
        if stock:
            return nn.losses.cross_entropy(model(inputs), targets, reduction="mean")
        return cross_entropy(model(inputs), targets)

    return error


def training(case: Case, model: nn.Module, *, compiled: bool, stock: bool = False) -> Job:
    """One step of AdamW, as `seqlab.training.fit` takes it; it gives the loss before the step."""
    data = tuple(map(mx.array, batch(case)))
    optimizer = optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY, bias_correction=True)
    weights = named(model)
    whole = training_step(
        model,
        loss_of(case, stock=stock),
        optimizer,
        max_norm=MAX_NORM,
        precision="float32",
        compiled=compiled,
    )

    def step() -> np.ndarray:
        loss, *changed = whole(*data)
        mx.eval(loss, changed)
        return np.array(loss)

    return Job(step, lambda: peak_memory(lambda: whole(*data)), weights)
