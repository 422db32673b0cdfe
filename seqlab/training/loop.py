"""How is a model trained? By one plain loop, the same for every architecture.

The optimiser is AdamW (`training.optimizer`). The learning rate warms up, stays constant, and falls to zero
in the last fifth of the steps (Hu et al., 2024; Hägele et al., 2024). So the training may end when it is
finished: the constant part ends once its last quarter brought no more than `min_gain` on the validation
split, at three evaluations in a row, and the rate falls from the best weights so far. What was gained before
that fall tells whether the training was long enough (`notebook.learning_curve`); after the fall, or along a
cosine, every curve is flat.

Gradients are clipped by their global norm. Every model of a comparison may take the same number of steps.
With a validation split, the weights that did best on it are kept; the test split chooses nothing.

`fit` is a generator of measurements: it prints nothing and calls nothing back. The caller gives the batches
and sets the seed (`mx.random.seed`).
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import mlx.core as mx
from mlx import nn

from seqlab.errors import DivergedError, UsageError
from seqlab.notebook.metrics import Measurement
from seqlab.training import checkpoints as kept
from seqlab.training.checkpoints import Checkpoint, Checkpoints, Snapshots, Training
from seqlab.training.optimizer import adamw
from seqlab.training.rates import constant_part, default_warmup, rate_at, score, with_fall
from seqlab.training.step import Batch, Loss, chosen_precision, compile_pays, training_step

REPORTS = 50  # training losses per training: enough to draw a curve


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
    min_gain: float | None = None,
    warmup_steps: int | None = None,
    weight_decay: float = 0.01,
    max_norm: float = 1.0,  # recurrent baselines are weak without it
    precision: str | None = None,
    compiled: bool | None = None,
    checkpoints: Checkpoints | None = None,
    snapshots: Snapshots | None = None,
) -> Iterator[Measurement]:
    """Train `model` in place for `steps` steps at most; yield its losses as they come, then time and steps.

    The training loss (split train) is the mean since the previous one. `validate(model)` measures
    the validation split every `evaluate_every` steps and after the last; its first measurement
    chooses the weights that the model is left with, unless `keep_best` is off. With `min_gain`, in the unit
    of that measurement, the constant part ends as soon as its last quarter brought no more than that. Then
    `train_steps`, the steps taken, is less than `step_limit`, the most allowed; `constant_steps` are those
    before the rate fell. `weight_decay` applies to matrices alone. `training_time` (s) excludes validation
    and the time that the caller takes between two measurements. `precision` None is float32; `compiled` None
    decides by the device. A training with `checkpoints`, its own or those of `checkpoints.use`, continues
    after a kill. Each key of `snapshots` is a step, 0 for before the first; the weights after it become the
    value. Raises `DivergedError` where the loss or the gradient is not finite, `UsageError` where the
    batches end early.
    """
    for name, given, least in (
        ("steps", steps, 1), ("evaluate_every", evaluate_every, 1), ("warmup_steps", warmup_steps, 0)
    ):  # fmt: skip
        if given is not None and given < least:
            raise UsageError(f"{name} must be {least} or more, found {given}.")
    if warmup_steps is not None and warmup_steps >= steps:
        raise UsageError(f"warmup_steps must be below steps, found {warmup_steps} and {steps}.")
    if learning_rate < 0:
        raise UsageError(f"learning_rate must be 0 or more, found {learning_rate:g}.")
    if min_gain is not None and (min_gain < 0 or validate is None or evaluate_every is None or not keep_best):
        raise UsageError(
            "a training ends early by its validation: expected min_gain of 0 or more, with validate=, "
            f"evaluate_every= and keep_best, found min_gain={min_gain}."
        )
    precision = chosen_precision(precision)
    compiled = compile_pays(model, steps) if compiled is None else compiled
    warmup = warmup_steps if warmup_steps is not None else default_warmup(steps)
    optimizer = adamw(learning_rate, weight_decay=weight_decay)
    optimizer.init(model.trainable_parameters())
    kept_at = snapshots if snapshots is not None else {}
    run = Training(model, optimizer, constant=constant_part(steps), last=steps, snapshots=kept_at)
    file = None
    if place := checkpoints or kept.current():
        settings = {
            "steps": steps, "learning_rate": learning_rate, "evaluate_every": evaluate_every,
            "keep_best": keep_best, "min_gain": min_gain, "warmup_steps": warmup,
            "weight_decay": weight_decay, "max_norm": max_norm, "precision": precision, "compiled": compiled,
            "snapshots": sorted(run.snapshots),
        }  # fmt: skip
        file = Checkpoint(place, run, settings)
        seed = file.resume(run)
        yield from list(run.measurements)
        for taken in range(run.step):
            _next(batches, taken, steps)
        if seed is not None:
            mx.random.seed(seed)  # last: the batches may have drawn from it
    step = training_step(model, loss, optimizer, max_norm=max_norm, precision=precision, compiled=compiled)
    report_every = max(1, steps // REPORTS)
    run.take_snapshot()
    model.train()
    while run.step < run.last:
        begin = time.perf_counter()
        batch = _next(batches, run.step, steps)
        # Not an MLX schedule: its ten small operations a step are 7 % of a small model's.
        optimizer.learning_rate = rate_at(
            run.step + 1, peak=learning_rate, warmup_steps=warmup, constant_steps=run.constant, steps=run.last
        )
        value, norm, state = step(*batch)
        mx.eval(value, norm, state)
        run.seconds += time.perf_counter() - begin
        run.step += 1
        if diverged := divergence(float(value), float(norm), run.step):
            raise diverged
        run.take_snapshot()
        run.loss_sum, run.losses = run.loss_sum + float(value), run.losses + 1
        if run.step % report_every == 0 or run.step == run.last:
            yield _mean_loss(run)
        ends_constant = min_gain is not None and run.step == run.constant
        due = run.step == run.last or (evaluate_every and run.step % evaluate_every == 0)
        if validate and (due or ends_constant):
            yield from _evaluate(run, validate, keep_best=keep_best)
            if min_gain is not None and run.step <= run.constant and run.settled(min_gain):
                run.constant, run.last = run.step, with_fall(run.step)
            if min_gain is not None and run.step == run.constant:
                run.back_to_best()
        if file:
            file.save_if_due(run)
    if file:
        file.finish(run)
    if run.best is not None:
        model.update(run.best)
    model.eval()
    yield Measurement("training_time", run.seconds)
    yield Measurement("train_steps", run.step)
    yield Measurement("constant_steps", run.constant)
    yield Measurement("step_limit", steps)


def _evaluate(
    run: Training, validate: Callable[[nn.Module], Iterable[Measurement]], *, keep_best: bool
) -> Iterator[Measurement]:
    """Measure the validation split; keep the weights if they are the best so far."""
    run.model.eval()
    measured = [replace(found, step=run.step) for found in validate(run.model)]
    run.model.train()
    for found in measured:
        yield run.record(found)
    if not measured:
        return
    if measured[0].split != "valid":
        raise UsageError(
            "only the validation split may choose weights: expected a first measurement of split "
            f"'valid', found {measured[0].split!r}."
        )
    if run.better(score(measured[0])) and keep_best:
        run.keep()


def divergence(loss: float, norm: float, step: int) -> DivergedError | None:
    """The error that ends a training at this step, or None. A finite loss may have a gradient that is not."""
    for name, value in (("loss", loss), ("the gradient's norm", norm)):
        if not math.isfinite(value):
            return DivergedError(f"{name} is {value} at training step {step}: the trial diverged.")
    return None


def _next(batches: Iterator[Batch], taken: int, steps: int) -> Batch:
    batch = next(batches, None)
    if batch is None:
        raise UsageError(f"training needs {steps} batches, found {taken}. Repeat the iterator.")
    return batch


def _mean_loss(run: Training) -> Measurement:
    """The mean training loss since the previous one."""
    mean = run.loss_sum / run.losses
    run.loss_sum, run.losses = 0.0, 0
    return run.record(Measurement("loss", mean, split="train", step=run.step))
