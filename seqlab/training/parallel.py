"""How is one model trained by several processes at once, each on its own part of every batch?

By data parallelism: every process holds the same weights and computes the gradient of its own rows. The mean
of these gradients over all processes, which is the gradient of the whole batch, goes to the optimiser of
each, so that all take the same step and keep the same weights. `fit` itself trains as ever: the mean is taken
within the gradient, by a function that returns its inputs and averages what flows back through them.

A ring sends all gradients as one message. Each process sends 2 (P - 1) / P times their bytes a step
(@patarasuk2009bandwidth), however many processes P there are.

All processes must begin alike: the same seed, the same batches. Random numbers that a model draws while it
trains, as dropout does, are the same in all of them. MLX starts the processes: `training.launched`.
"""

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten

from seqlab.errors import UsageError
from seqlab.notebook.metrics import Measurement
from seqlab.training.checkpoints import Checkpoints
from seqlab.training.loop import fit
from seqlab.training.step import Batch, Loss


def fit_parallel(
    model: nn.Module,
    loss: Loss,
    *,
    batches: Iterator[Batch],
    group: mx.distributed.Group,
    checkpoints: Checkpoints | None = None,
    **settings: Any,
) -> Iterator[Measurement]:
    """Train as `fit` does, with the same results up to rounding, on all processes of the group.

    `batches` are the whole ones, alike in all processes; `loss` is a mean over rows. The first process writes
    the checkpoints and all continue from them, so each must see that folder. A validation is done by every
    process. Raises as `fit` does, and `UsageError` for unlike weights or rows that cannot be shared out.
    """
    _refuse_unlike(model, group)
    own = _own_copy(checkpoints, group) if checkpoints else None
    try:
        yield from fit(
            model,
            averaged(loss, group),
            batches=rows(batches, group.rank(), group.size()),
            checkpoints=own,
            **settings,
        )
    finally:
        if own is not None and own is not checkpoints:
            shutil.rmtree(own.folder, ignore_errors=True)


def rows(batches: Iterator[Batch], rank: int, size: int) -> Iterator[Batch]:
    """The part of every batch of one process among `size`: as many rows as each has, none of them shared."""
    for batch in batches:
        count = batch[0].shape[0]
        if count % size:
            raise UsageError(
                f"expected batches that {size} processes can share out evenly, found {count} rows. "
                "Choose a multiple."
            )
        part = count // size
        own = slice(rank * part, (rank + 1) * part)
        yield tuple(array[own] for array in batch)


def averaged(loss: Loss, group: mx.distributed.Group) -> Loss:
    """A loss whose value and gradient are the means over the processes of the group."""
    if group.size() == 1:
        return loss

    @mx.custom_function
    def same(*arrays: mx.array) -> tuple[mx.array, ...]:
        return arrays

    @same.vjp
    def _mean(primals: tuple[mx.array, ...], cotangents: tuple[mx.array, ...], _: object) -> Any:
        gradients = mx.concatenate([one.reshape(-1) for one in cotangents])  # one message, not one an array
        mean = mx.distributed.all_sum(gradients, group=group) / group.size()
        ends = [sum(one.size for one in primals[:place]) for place in range(1, len(primals))]
        parts: Any = mx.split(mean, ends)
        return tuple(part.reshape(one.shape) for part, one in zip(parts, primals, strict=True))

    def shared(model: nn.Module, *batch: mx.array) -> mx.array:
        kept: Any = model.trainable_parameters()
        flat: Any = tree_flatten(kept)
        through: Any = same(*(array for _, array in flat))
        named = [(name, array) for (name, _), array in zip(flat, through, strict=True)]
        model.update(tree_unflatten(named))
        value = loss(model, *batch)
        model.update(kept)
        mean = mx.distributed.all_sum(value, group=group) / group.size()
        return value + mx.stop_gradient(mean - value)

    return shared


def bytes_sent(model: nn.Module, processes: int) -> float:
    """The bytes of gradients that each process of a ring sends a step, by the formula above."""
    weights: Any = tree_flatten(model.trainable_parameters())
    size: int = sum(array.nbytes for _, array in weights)
    return 2 * (processes - 1) / processes * size


def _refuse_unlike(model: nn.Module, group: mx.distributed.Group) -> None:
    """Raise `UsageError` unless all processes begin with the same weights."""
    weights: Any = tree_flatten(model.parameters())
    found = mx.stack([mx.sum(mx.abs(array)) for _, array in weights])
    most = mx.distributed.all_max(found, group=group)
    least = mx.distributed.all_min(found, group=group)
    if not mx.array_equal(most, least):
        raise UsageError(
            f"expected the same first weights in all {group.size()} processes, found different ones. "
            "Give all of them the same seed."
        )


def _own_copy(checkpoints: Checkpoints, group: mx.distributed.Group) -> Checkpoints:
    """The first process's checkpoints; for another one a copy of them, to continue from and never to write.

    The first writes only after a step, which it cannot take before all have read what there was.
    """
    own = checkpoints
    if group.rank():
        folder = checkpoints.folder / f"process-{group.rank()}"
        folder.mkdir(parents=True, exist_ok=True)
        for file in checkpoints.folder.glob("*.safetensors"):
            if not file.name.endswith(".part.safetensors"):
                shutil.copy(file, folder)
        own = replace(checkpoints, folder=folder, every_seconds=math.inf)
    mx.eval(mx.distributed.all_sum(mx.array(0.0), group=group))
    return own
