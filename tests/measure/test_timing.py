"""Timing: everything is computed inside the timer. Nothing here asserts how long anything takes."""

import mlx.core as mx
import pytest
from mlx import nn, optimizers

from seqlab.errors import UsageError
from seqlab.measure.timing import pending_operations, time_repeats


def test_one_measurement_a_repeat_after_the_first_call() -> None:
    calls = []

    def step() -> mx.array:
        calls.append(mx.exp(mx.ones((8,))))
        return calls[-1]

    found = list(time_repeats(step, repeats=3, warmup_steps=2))
    assert [m.metric for m in found] == ["compile_time", "step_time", "step_time", "step_time"]
    assert [m.step for m in found] == [None, 0, 1, 2]
    assert all(m.value > 0 for m in found)
    assert len(calls) == 6


def test_what_a_step_returns_is_evaluated_for_it() -> None:
    made: list[dict[str, list[mx.array]]] = []

    def lazy_step() -> dict[str, list[mx.array]]:
        made.append({"deep": [mx.exp(mx.ones((8,)))]})
        assert pending_operations(made[-1]) > 0
        return made[-1]

    list(time_repeats(lazy_step, repeats=2, warmup_steps=0))
    assert pending_operations(made) == 0


def test_work_left_in_the_state_is_found() -> None:
    model = nn.Linear(4, 4)
    optimizer = optimizers.SGD(0.1)
    gradient = nn.value_and_grad(model, lambda model, x: model(x).sum())

    def loss_alone() -> mx.array:
        value, gradients = gradient(model, mx.ones((2, 4)))
        optimizer.update(model, gradients)
        return value

    def everything() -> tuple[mx.array, object]:
        return loss_alone(), model.state

    assert len(list(time_repeats(everything, repeats=1, warmup_steps=0, state=model.state))) == 2
    with pytest.raises(UsageError, match="left to do"):
        list(time_repeats(loss_alone, repeats=1, warmup_steps=0, state=model.state))


def test_pending_operations_counts_primitives() -> None:
    x = mx.ones((4,))
    mx.eval(x)
    assert pending_operations(x) == 0
    assert pending_operations([mx.exp(mx.sin(x))]) == 2
    assert pending_operations(()) == 0
