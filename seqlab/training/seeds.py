"""How are several seeds of a small model trained side by side, with the results of one after another?

The parameters of S models are stacked, and `mx.vmap` turns the gradient of one model into that of all: S
small products become one batched product, and S calls of any other operation become one. Gradients are
clipped per seed and AdamW updates each number by itself, so that no seed can affect another, even if it
diverges.

This pays where a model is too small to fill the machine. Time of a step of 8 seeds, batches of 32, as a
share of 8 steps in turn, on two x86-64 cores (MLX 0.32, one BLAS thread, the best of 15):

                              eager  compiled
    perceptron, 64 units       0.26      0.35
    LSTM, width 32, T = 16     0.55      1.05
    GRU, the same              0.48      0.68
    minGRU, the same           0.60      0.77
    Transformer, the same      0.50      0.77
    Transformer, 64, T = 64    0.98      1.12
    Transformer, 128, T = 64   1.05      1.12

A compiled LSTM that trains alone uses a custom gradient, which cannot be mapped over seeds.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import mlx.core as mx
import numpy as np
from mlx import nn, optimizers
from mlx.utils import tree_flatten, tree_unflatten

from seqlab.errors import DivergedError, UsageError
from seqlab.notebook.metrics import Measurement
from seqlab.training.checkpoints import Snapshots, Weights, random_seed
from seqlab.training.loop import REPORTS, divergence
from seqlab.training.optimizer import adamw
from seqlab.training.rates import constant_part, default_warmup, rate_at, score
from seqlab.training.step import Batch, Loss, compile_pays


def fit_seeds(
    models: Sequence[nn.Module],
    loss: Loss,
    *,
    batches: Sequence[Iterator[Batch]],
    steps: int,
    learning_rate: float,
    validate: Callable[[nn.Module], Iterable[Measurement]] | None = None,
    evaluate_every: int | None = None,
    keep_best: bool = True,
    warmup_steps: int | None = None,
    weight_decay: float = 0.01,
    max_norm: float = 1.0,
    compiled: bool | None = None,
    snapshots: Sequence[Snapshots] | None = None,
) -> Iterator[tuple[int, Measurement | DivergedError]]:
    """Train models of one architecture in place, each on its own batches, as `fit` would one by one.

    Yields a model's number in `models` and a measurement of it. A model that diverges yields its error and
    nothing after it; the others continue. `training_time` is each model's share of the whole time.
    `snapshots` has those of each model and takes trainable weights alone.
    Raises `UsageError` for what this cannot do: models or batches of different shapes, a loss that
    draws random numbers in training (dropout), and operations without vmap (MLX 0.32 has none for
    max pooling). There are no checkpoints, and all take every step: use `fit` to end early.
    """
    weights, frozen = _stacked(models, batches)
    optimizer = adamw(learning_rate, weight_decay=weight_decay, stacked=True)
    optimizer.init(weights)
    step = _step(models[0], loss, optimizer, weights, frozen, max_norm=max_norm)
    if compile_pays(models[0], steps) if compiled is None else compiled:
        state = [weights, optimizer.state]
        # Not under `kernels.compiling`: the gradient that recurrences then use cannot be mapped over seeds.
        step = mx.compile(step, inputs=state, outputs=state)
    warmup = warmup_steps if warmup_steps is not None else default_warmup(steps)
    constant = constant_part(steps)
    report_every = max(1, steps // REPORTS)
    alive = dict.fromkeys(range(len(models)))
    best: dict[int, tuple[float, Weights]] = {}
    sums, losses, seconds = np.zeros(len(models)), 0, 0.0
    _take_snapshots(snapshots, 0, weights)
    for index in range(1, steps + 1):
        begin = time.perf_counter()
        batch = _batch(batches, index, steps)
        if index == 1:
            _refuse_random(models[0], loss, batch)
        optimizer.learning_rate = rate_at(
            index, peak=learning_rate, warmup_steps=warmup, constant_steps=constant, steps=steps
        )
        values, norms = step(*batch)
        mx.eval(values, norms, weights, optimizer.state)
        seconds += time.perf_counter() - begin
        _take_snapshots(snapshots, index, weights)
        sums, losses = sums + np.array(values, dtype=np.float64), losses + 1
        for seed in tuple(alive):
            if diverged := divergence(float(values[seed]), float(norms[seed]), index):
                del alive[seed]
                yield seed, diverged
        if index % report_every == 0 or index == steps:
            for seed in alive:
                yield seed, Measurement("loss", float(sums[seed]) / losses, split="train", step=index)
            sums, losses = np.zeros(len(models)), 0
        if validate and (index == steps or (evaluate_every and index % evaluate_every == 0)):
            for seed in tuple(alive):
                own = _fill(models[seed], weights, seed)
                try:
                    measured = [replace(found, step=index) for found in validate(models[seed])]
                except DivergedError as diverged:  # a value that is not finite
                    del alive[seed]
                    yield seed, diverged
                    continue
                yield from ((seed, found) for found in measured)
                if keep_best and measured and score(measured[0]) < best.get(seed, (math.inf,))[0]:
                    best[seed] = score(measured[0]), own
        if not alive:
            break
    for seed in alive:
        own = _fill(models[seed], weights, seed)
        models[seed].update(tree_unflatten(list(best[seed][1].items() if seed in best else own.items())))
        yield seed, Measurement("training_time", seconds / len(models))
        yield seed, Measurement("train_steps", steps)
        yield seed, Measurement("constant_steps", constant)
        yield seed, Measurement("step_limit", steps)


def _step(
    model: nn.Module,
    loss: Loss,
    optimizer: optimizers.Optimizer,
    weights: Weights,
    frozen: Weights,
    *,
    max_norm: float,
) -> Callable[..., tuple[mx.array, mx.array]]:
    """One step of all models: their losses and the norms of their gradients before clipping.

    `model` is any one of them; the loss is computed with it, after it is given the weights of each.
    """

    def one(own: Weights, fixed: Weights, *batch: mx.array) -> tuple[mx.array, Weights, mx.array]:
        def value_of(parameters: Weights, *batch: mx.array) -> mx.array:
            model.update(tree_unflatten([*fixed.items(), *parameters.items()]))
            return loss(model, *batch)

        value, gradients = mx.value_and_grad(value_of)(own, *batch)
        clipped, norm = optimizers.clip_grad_norm(gradients, max_norm)
        return value, clipped, norm

    def step(*batch: mx.array) -> tuple[mx.array, mx.array]:
        kept = model.parameters()
        model.train()
        try:
            values, gradients, norms = mx.vmap(one)(weights, frozen, *batch)
        except ValueError as error:
            if "Primitive::vmap" not in str(error):
                raise
            raise UsageError(
                f"MLX cannot train this model side by side: {error} Use fit, one by one."
            ) from error
        finally:
            model.update(kept)  # what it held stood for all models at once
        weights.update(optimizer.apply_gradients(gradients, weights))
        return values, norms

    return step


def _take_snapshots(snapshots: Sequence[Snapshots] | None, index: int, weights: Weights) -> None:
    """Keep the weights of this step for every model whose snapshots ask for it."""
    for seed, own in enumerate(snapshots or ()):
        if index in own:
            own[index] = _own(weights, seed)


def _stacked(models: Sequence[nn.Module], batches: Sequence[Iterator[Batch]]) -> tuple[Weights, Weights]:
    """The stacked parameters that are trained, and those that are frozen; `UsageError` for unlike models."""
    if not models or len(models) != len(batches):
        raise UsageError(
            "expected one model or more and an iterator of batches for each, "
            f"found {len(models)} models and {len(batches)} iterators."
        )
    each = [dict(tree_flatten(model.parameters())) for model in models]
    shapes = [{path: array.shape for path, array in one.items()} for one in each]
    if any(other != shapes[0] for other in shapes):
        raise UsageError("models trained side by side need parameters of equal shapes; these differ.")
    trained = dict(tree_flatten(models[0].trainable_parameters()))
    stacked = {path: mx.stack([one[path] for one in each]) for path in each[0]}
    return (
        {path: array for path, array in stacked.items() if path in trained},
        {path: array for path, array in stacked.items() if path not in trained},
    )


def _batch(batches: Sequence[Iterator[Batch]], index: int, steps: int) -> Batch:
    """The next batch of every model, stacked."""
    drawn = [next(own, None) for own in batches]
    found = [one for one in drawn if one is not None]
    if len(found) < len(drawn):
        raise UsageError(f"training needs {steps} batches a model, found {index - 1}. Repeat the iterators.")
    shapes = {tuple(tuple(part.shape) for part in one) for one in found}
    if len(shapes) > 1:
        raise UsageError(f"models trained side by side need batches of equal shapes, found {sorted(shapes)}.")
    return tuple(mx.stack(list(parts)) for parts in zip(*found, strict=True))


def _refuse_random(model: nn.Module, loss: Loss, batch: Batch) -> None:
    """Refuse a loss that draws random numbers, before the first step: nothing here is evaluated."""
    before = random_seed()
    model.train()
    loss(model, *(part[0] for part in batch))
    if random_seed() != before:
        raise UsageError(
            "the loss draws random numbers, as dropout does; side by side, all models would draw the "
            "same ones. Train such models one by one, with fit."
        )


def _fill(model: nn.Module, weights: Weights, seed: int) -> Weights:
    """Give a model its slice of the stacked weights and return them; it is left in evaluation mode."""
    own = _own(weights, seed)
    model.update(tree_unflatten(list(own.items())))
    model.eval()
    return own


def _own(weights: Weights, seed: int) -> Weights:
    """One model's slice of the stacked weights."""
    own = {path: array[seed] for path, array in weights.items()}
    mx.eval(own)
    return own
