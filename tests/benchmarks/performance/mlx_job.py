"""How is a model of MLX, ours or one of stock layers, made into a job?"""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from seqlab.measure.memory import peak_memory
from seqlab.models.parts.losses import cross_entropy
from seqlab.training.optimizer import adamw
from seqlab.training.step import training_step
from tests.benchmarks.performance import sizes as n
from tests.benchmarks.performance.cases import Case, Weights, batch
from tests.benchmarks.performance.job import Job, unclipped


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
    """One step of AdamW, as `seqlab.training.loop` takes it; it gives the loss before the step."""
    data = tuple(map(mx.array, batch(case)))
    optimizer = adamw(n.LEARNING_RATE, weight_decay=n.WEIGHT_DECAY)
    weights = named(model)
    whole = training_step(
        model,
        loss_of(case, stock=stock),
        optimizer,
        max_norm=n.MAX_NORM,
        precision="float32",
        compiled=compiled,
    )

    norm = mx.array(0.0)

    def step() -> np.ndarray:
        nonlocal norm
        loss, norm, changed = whole(*data)
        mx.eval(loss, norm, changed)
        return np.array(loss)

    def gradient() -> float:
        moments = [
            value for name, value in tree_flatten(optimizer.state) if name.endswith(".m") and value.ndim > 1
        ]
        return unclipped(
            mx.linalg.norm(mx.concatenate([each.flatten() for each in moments])).item(), norm.item()
        )

    return Job(step, lambda: peak_memory(lambda: whole(*data)), weights, gradient=gradient)
