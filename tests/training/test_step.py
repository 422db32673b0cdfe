"""Does one step clip, compute in the precision asked for, and compile where it pays?"""

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn, optimizers
from mlx.utils import tree_flatten

from seqlab.errors import UsageError
from seqlab.machine.settings import Settings
from seqlab.measure.timing import pending_operations, seconds
from seqlab.models import lstm, mingru, transformer
from seqlab.models.heads import LanguageModel
from seqlab.training.loop import fit
from seqlab.training.step import compile_pays, training_step
from tests.training.test_loop import X, Y, network, squared_error


def test_clipping_bounds_the_gradient() -> None:
    """Plain descent of rate 1 moves the weights by exactly the clipped norm."""
    model = network()
    before = model.layers[0].weight, model.layers[0].bias, model.layers[3].weight, model.layers[3].bias
    step = training_step(model, squared_error, optimizers.SGD(1.0), max_norm=1e-3, compiled=False)
    mx.eval(step(X, 1e3 * Y))
    after = model.layers[0].weight, model.layers[0].bias, model.layers[3].weight, model.layers[3].bias
    moved = sum(float(mx.sum((a - b) ** 2)) for a, b in zip(after, before, strict=True)) ** 0.5
    assert moved == pytest.approx(1e-3, rel=1e-2)


def test_a_step_returns_all_that_it_changes() -> None:
    model = network()
    optimizer = optimizers.AdamW(0.01)
    step = training_step(model, squared_error, optimizer, compiled=False)
    seconds(lambda: step(X, Y))
    assert pending_operations([model.state, optimizer.state]) == 0


def test_the_norm_is_the_one_before_clipping() -> None:
    gradients = nn.value_and_grad(model := network(), squared_error)(model, X, Y)[1]
    expected = sum(float(mx.sum(array**2)) for _, array in tree_flatten(gradients)) ** 0.5
    step = training_step(model, squared_error, optimizers.SGD(1.0), max_norm=1e-3, compiled=False)
    assert float(step(X, Y)[1]) == pytest.approx(expected, rel=1e-5)


def language_model() -> LanguageModel:
    mx.random.seed(0)
    return LanguageModel(transformer.Model(transformer.Config(width=16, depth=1, heads=2)), vocabulary=8)


TOKENS = mx.array(np.random.default_rng(0).integers(0, 8, (4, 12)))


def test_mixed_precision_computes_in_bfloat16_and_keeps_float32() -> None:
    """The model is looked at from inside the loss, gradients as the optimiser gets them."""
    inside: list[mx.Dtype] = []

    class Spied(optimizers.AdamW):
        def apply_gradients(self, gradients: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
            inside.extend(array.dtype for _, array in tree_flatten(gradients))
            return super().apply_gradients(gradients, parameters)

    def loss(model: Any, x: mx.array, y: mx.array) -> mx.array:
        assert model.layers[0].weight.dtype == mx.bfloat16  # attributes are the model's own
        assert x.dtype == y.dtype == mx.float32
        predicted = model(x)
        assert predicted.dtype == mx.float32
        assert mx.array_equal(predicted, predicted.astype(mx.bfloat16).astype(mx.float32))
        return squared_error(model, x, y)

    model, exact = network(), network()
    optimizer = Spied(0.01)
    options = {"max_norm": 1e9, "compiled": False}
    step = training_step(model, loss, optimizer, precision="bfloat16", **options)
    reference = training_step(exact, squared_error, optimizers.AdamW(0.01), precision="float32", **options)
    (value, norm, state), (value32, norm32, _) = step(X, Y), reference(X, Y)
    mx.eval(value, norm, state)
    assert set(inside) == {mx.float32}
    assert value.dtype == norm.dtype == mx.float32
    assert {array.dtype for _, array in tree_flatten(model.parameters())} == {mx.float32}
    assert {array.dtype for path, array in tree_flatten(optimizer.state) if path[-2:] in (".m", ".v")} == {
        mx.float32
    }
    assert float(value) == pytest.approx(float(value32), rel=0.02)
    assert float(norm) == pytest.approx(float(norm32), rel=0.05)


def test_small_updates_are_not_lost_in_mixed_precision() -> None:
    """A step of 1e-5 is below bfloat16's resolution at 1: the float32 copy must take it."""
    model = nn.Linear(1, 1, bias=False)
    model.weight = mx.ones((1, 1))
    step = training_step(
        model, lambda model, x: mx.mean(model(x)), optimizers.SGD(1e-5), precision="bfloat16", compiled=False
    )
    for _ in range(10):
        mx.eval(step(mx.ones((1, 1))))
    assert model.weight.item() == pytest.approx(1 - 1e-4, abs=1e-6)


def test_a_model_trains_in_mixed_precision() -> None:
    def loss(model: Any, tokens: mx.array) -> mx.array:
        return nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:], reduction="mean")

    def losses(precision: str) -> list[float]:
        batches = iter([(TOKENS,)] * 20)
        options = {"steps": 20, "learning_rate": 0.02, "precision": precision, "compiled": False}
        found = fit(language_model(), loss, batches=batches, **options)
        return [one.value for one in found if one.metric == "loss"]

    low, full = losses("bfloat16"), losses("float32")
    assert low[-1] < 0.7 * low[0]
    assert low == pytest.approx(full, rel=0.1)
    assert low != full


def test_an_unknown_precision_is_refused_before_any_step() -> None:
    batches = (pytest.fail("a batch was drawn") for _ in range(1))
    with pytest.raises(UsageError, match=r"unknown precision 'bfloat6'.*Did you mean 'bfloat16'"):
        next(fit(network(), squared_error, batches=batches, steps=1, learning_rate=1.0, precision="bfloat6"))


@pytest.mark.parametrize(("after", "compiles"), [(None, False), (11, False), (10, True), (1, True)])
def test_a_run_is_compiled_from_the_length_where_it_pays(
    after: int | None, compiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Callable[..., Any]] = []

    def compile_nothing(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
        asked.append(function)
        return function

    other = Settings(compile_after=after, compile_unrolled_after=None if compiles else 10)
    monkeypatch.setattr("seqlab.machine.device.settings", lambda: other)
    monkeypatch.setattr(mx, "compile", compile_nothing)
    batches = iter([(X, Y)] * 10)
    list(fit(network(), squared_error, batches=batches, steps=10, learning_rate=0.01))
    assert bool(asked) is compiles is compile_pays(network(), 10)
    assert compile_pays(lstm.Model(lstm.Config(4)), 10) is not compiles
    asked.clear()
    training_step(network(), squared_error, optimizers.SGD(0.1), steps=10)
    assert bool(asked) is compiles


def test_a_recurrence_too_long_to_compile_runs_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling would crash the process; the training is the same."""
    calls: list[int] = []

    def counted(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
        return lambda *batch: (calls.append(batch[0].shape[1]), function(*batch))[1]

    monkeypatch.setattr(mx, "compile", counted)
    monkeypatch.setattr("seqlab.training.step.LONGEST_COMPILED", 5)

    def squares(model: nn.Module, x: mx.array) -> mx.array:
        return mx.mean(mx.square(model(x)))

    for model, compiled in ((lstm.Model(lstm.Config(4)), [5]), (mingru.Model(mingru.Config(4)), [5, 6])):
        step = training_step(model, squares, optimizers.SGD(0.1), compiled=True)
        for length in (5, 6):
            mx.eval(step(mx.ones((1, length, 4))))
        assert calls == compiled
        calls.clear()
