"""Arms are timed side by side, disturbed blocks go by rule, and work left undone is found."""

from collections.abc import Callable
from itertools import count

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn, optimizers

from seqlab.errors import UsageError
from seqlab.measure import blocks
from seqlab.measure.blocks import Arm, time_blocks, undisturbed

RNG = np.random.default_rng(0)


def recorded(name: str, calls: list[str]) -> Arm:
    def step() -> mx.array:
        calls.append(name)
        return mx.exp(mx.ones((8,)))

    return Arm(step)


def steady(monkeypatch: pytest.MonkeyPatch, found: Callable[[], float] = lambda: 1.0) -> None:
    monkeypatch.setattr(blocks, "_sentinel", lambda: found)


def test_each_block_has_each_arm_once_in_an_order_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    steady(monkeypatch)
    calls: list[str] = []
    arms = {name: recorded(name, calls) for name in "abc"}
    found = time_blocks(arms, blocks=20, rng=RNG, warmup_steps=1)
    timed = ["".join(calls[i : i + 3]) for i in range(6, len(calls), 3)]
    assert len(timed) == 20
    assert {"".join(sorted(block)) for block in timed} == {"abc"}
    assert len(set(timed)) > 1
    for times in found.values():
        assert list(times.kept) == list(range(20))
        assert times.dropped == 0
        assert min(times.first, *times.kept.values()) > 0


def test_blocks_in_which_the_sentinel_drifts_are_dropped_counted_and_made_up_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = {3, 4}
    numbers = count()
    steady(monkeypatch, lambda: 1.2 if next(numbers) in slow else 1.0)
    found = time_blocks({"a": recorded("a", []), "b": recorded("b", [])}, blocks=10, rng=RNG)
    for times in found.values():
        assert list(times.kept) == [0, 1, 2, *range(5, 12)]
        assert times.dropped == 2
    yielded = list(found["a"].measurements())
    assert [m.metric for m in yielded] == ["compile_time", *["step_time"] * 10, "blocks_dropped"]
    assert [m.step for m in yielded[1:-1]] == list(found["a"].kept)
    assert yielded[-1].value == 2


def test_a_machine_that_never_settles_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    growing = count(1)
    steady(monkeypatch, lambda: float(next(growing) ** 2))
    (times,) = time_blocks({"a": recorded("a", [])}, blocks=5, rng=RNG).values()
    assert len(times.kept) + times.dropped == 10


def test_the_rule_is_five_percent_of_the_median() -> None:
    assert undisturbed([1.0, 1.049, 0.951, 1.06, 0.94, 1.0]) == [0, 1, 2, 5]


def test_parts_share_the_time_and_reset_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    steady(monkeypatch)
    monkeypatch.setattr(blocks, "seconds", lambda step: (mx.eval(step()), 8.0)[1])
    calls: list[str] = []
    arm = Arm(lambda: mx.array(calls.append("step") or 0), parts=4, reset=lambda: calls.append("reset"))
    (times,) = time_blocks({"a": arm}, blocks=2, rng=RNG, warmup_steps=0).values()
    assert times.first == 8.0
    assert set(times.kept.values()) == {2.0}
    assert calls == ["reset", "step"] * 3


def test_a_planted_missing_evaluation_is_caught() -> None:
    """The canary: a training step that returns its loss alone leaves the update out of the time."""
    model, optimizer = nn.Linear(4, 4), optimizers.SGD(0.1)
    gradient = nn.value_and_grad(model, lambda model, x: model(x).sum())

    def loss_alone() -> mx.array:
        value, gradients = gradient(model, mx.ones((2, 4)))
        optimizer.update(model, gradients)
        return value

    whole = Arm(lambda: (loss_alone(), model.state), state=model.state)
    assert time_blocks({"whole": whole}, blocks=1, rng=RNG)
    with pytest.raises(UsageError, match=r"left to do in the state of 'lazy'"):
        time_blocks({"whole": whole, "lazy": Arm(loss_alone, state=model.state)}, blocks=1, rng=RNG)


@pytest.mark.parametrize("product", [20e-6, 1e-3, 20e-3])
def test_the_sentinel_of_any_device_outlasts_a_call(monkeypatch: pytest.MonkeyPatch, product: float) -> None:
    """A made device that takes so many seconds for a product, and 0.2 ms for any call."""
    real = mx.array.__matmul__
    products = count()
    monkeypatch.setattr(mx.array, "__matmul__", lambda x, y: (next(products), real(x, y))[1])

    def seconds(step: Callable[[], mx.array]) -> float:
        before = next(products)
        step()  # lazy: nothing is computed
        return 0.2e-3 + product * (next(products) - before - 1)

    monkeypatch.setattr(blocks, "seconds", seconds)
    assert 5e-3 <= blocks._sentinel()() <= 10.2e-3 or product > 5e-3


def test_on_a_gpu_the_sentinel_runs_before_each_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    steady(monkeypatch, lambda: (calls.append("sentinel"), 1.0)[1])
    arms = {name: recorded(name, calls) for name in "ab"}
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    time_blocks(arms, blocks=3, rng=RNG, warmup_steps=0)
    assert calls[2:].count("sentinel") == 3 * (1 + 2)  # the first of each block is timed
    for place, name in enumerate(calls[2:], 2):
        assert name == "sentinel" or calls[place - 1] == "sentinel"


def test_nothing_to_time_is_refused() -> None:
    with pytest.raises(UsageError, match="found 0 and 3"):
        time_blocks({}, blocks=3, rng=RNG)
