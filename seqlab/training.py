"""How is a model trained? One plain loop, the same for every architecture.

AdamW (@loshchilov2019adamw), linear warm-up then a cosine to zero, gradients clipped by their global
norm (@pascanu2013difficulty). Every model of a comparison takes the same number of steps; with a
validation split the weights that did best on it are kept, and the test split chooses nothing.

`fit` is a generator of measurements: it prints nothing and calls nobody back. Batches come from the
caller, who also sets the seed (`mx.random.seed`).
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn, optimizers

from seqlab.errors import DivergedError, UsageError
from seqlab.metrics import METRICS, Measurement

Batch = tuple[mx.array, ...]
Loss = Callable[..., mx.array]  # loss(model, *batch) -> a scalar
Step = Callable[..., tuple[mx.array, Any]]  # step(*batch) -> the loss, and all state that it changed
REPORTS = 50  # training losses a run: enough to draw a curve


def fit(
    model: nn.Module,
    loss: Loss,
    *,
    batches: Iterator[Batch],
    steps: int,
    learning_rate: float,
    validate: Callable[[nn.Module], Iterable[Measurement]] | None = None,
    evaluate_every: int | None = None,
    keep_best: bool = True,
    warmup_steps: int | None = None,
    weight_decay: float = 0.01,
    max_norm: float = 1.0,  # recurrent baselines are weak without it
    compiled: bool | None = None,
) -> Iterator[Measurement]:
    """Train `model` in place for `steps` steps; yield its losses as they come, then what they cost.

    The training loss (split train) is the mean since the previous one. `validate(model)` measures
    the validation split every `evaluate_every` steps and after the last; its first measurement
    chooses the weights that the model is left with, unless `keep_best` is off. `training_time`
    (s) leaves validation and the reader of this generator out. `compiled` None leaves it to the
    device: off on a CPU, where it takes 10 s and more. Raises `DivergedError` for a loss that is not
    finite, `UsageError` where the batches end early.
    """
    warmup = warmup_steps if warmup_steps is not None else min(100, steps // 10)
    optimizer = optimizers.AdamW(learning_rate, weight_decay=weight_decay, bias_correction=True)
    step = training_step(model, loss, optimizer, max_norm=max_norm, compiled=compiled)
    report_every = max(1, steps // REPORTS)
    best_score, best = math.inf, None
    seconds, total, counted = 0.0, mx.array(0.0), 0
    model.train()
    for index in range(1, steps + 1):
        begin = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            raise UsageError(f"training needs {steps} batches, found {index - 1}. Repeat the iterator.")
        # Not an MLX schedule: its ten small operations a step are 7 % of a small model's.
        optimizer.learning_rate = rate_at(index, peak=learning_rate, warmup_steps=warmup, steps=steps)
        value, state = step(*batch)
        total, counted = total + value, counted + 1
        mx.eval(total, state)
        seconds += time.perf_counter() - begin
        if index % report_every == 0 or index == steps:
            yield Measurement("loss", float(total) / counted, split="train", step=index)
            total, counted = mx.array(0.0), 0
        if validate and (index == steps or (evaluate_every and index % evaluate_every == 0)):
            model.eval()
            measured = [replace(found, step=index) for found in validate(model)]
            model.train()
            yield from measured
            if keep_best and measured and _score(measured[0]) < best_score:
                best_score, best = _score(measured[0]), model.parameters()
    if best is not None:
        model.update(best)
    model.eval()
    yield Measurement("training_time", seconds)
    yield Measurement("train_steps", steps)


def training_step(
    model: nn.Module,
    loss: Loss,
    optimizer: optimizers.Optimizer,
    *,
    max_norm: float = 1.0,
    compiled: bool | None = None,
) -> Step:
    """One step of training, for `fit` and for timing alike: evaluate the whole of what it returns."""
    gradient = nn.value_and_grad(model, loss)
    # The random state is part of it: left out, a compiled dropout would repeat one mask for ever.
    state = [model.state, optimizer.state, mx.random.state]

    def step(*batch: mx.array) -> mx.array:
        value: mx.array
        value, gradients = gradient(model, *batch)
        clipped, _ = optimizers.clip_grad_norm(gradients, max_norm)
        optimizer.update(model, clipped)
        return value

    if compiled if compiled is not None else mx.default_device().type != mx.DeviceType.cpu:
        optimizer.init(model.trainable_parameters())  # the state must have its final shape
        step = mx.compile(step, inputs=state, outputs=state)
    return lambda *batch: (step(*batch), state)


def rate_at(step: int, *, peak: float, warmup_steps: int, steps: int) -> float:
    """The learning rate of a step (from 1): up in a line to `peak`, down to zero in half a cosine."""
    if step <= warmup_steps:
        return peak * step / warmup_steps
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / (steps - warmup_steps + 1)))


def choose_learning_rate(
    train: Callable[[float], float],
    *,
    trials: int,
    low: float = 1e-4,
    high: float = 1e-1,
    rng: np.random.Generator,
) -> tuple[float, list[tuple[float, float]]]:
    """The rate whose `train(rate)`, a validation score with lower better, is lowest; and all tried.

    Rates are log-uniform, one in each of `trials` equal parts of the range, so that few trials still
    cover it. A diverged trial counts and scores infinity. Raises `DivergedError` where all diverge.
    """
    positions = (np.arange(trials) + rng.random(trials)) / trials
    rates = np.exp(math.log(low) + positions * math.log(high / low))
    tried: list[tuple[float, float]] = []
    for rate in map(float, rates):
        try:
            tried.append((rate, train(rate)))
        except DivergedError:
            tried.append((rate, math.inf))
    best, score = min(tried, key=lambda trial: trial[1], default=(low, math.inf))
    if not math.isfinite(score):
        raise DivergedError(f"all of {trials} learning rates from {low:g} to {high:g} diverged.")
    return best, tried


def _score(measurement: Measurement) -> float:
    """The value, turned so that lower is better."""
    return -measurement.value if METRICS[measurement.metric].better == "higher" else measurement.value
