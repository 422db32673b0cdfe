"""The training loop: it learns, repeats itself, notices divergence, and keeps the best weights."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.errors import DivergedError, UsageError
from seqlab.notebook.metrics import Measurement
from seqlab.training.loop import fit

X = mx.array(np.random.default_rng(0).standard_normal((16, 3)), dtype=mx.float32)
Y = X @ mx.array([[1.0], [-2.0], [0.5]]) + 0.3


def squared_error(model: nn.Module, x: mx.array, y: mx.array) -> mx.array:
    return mx.mean((model(x) - y) ** 2)


def network(dropout: float = 0.0) -> nn.Module:
    mx.random.seed(0)
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 1))
    mx.eval(model.parameters())
    return model


def same_batch() -> Iterator[tuple[mx.array, mx.array]]:
    return itertools.repeat((X, Y))


def losses(found: Iterable[Measurement], split: str = "train") -> list[float]:
    return [m.value for m in found if m.metric == "loss" and m.split == split]


def test_it_overfits_and_reports() -> None:
    model = network()
    found = list(fit(model, squared_error, batches=same_batch(), steps=200, learning_rate=0.02))
    train = losses(found)
    assert train[-1] < 0.01 * train[0]
    assert [m.step for m in found if m.split == "train"] == list(range(4, 201, 4))
    assert {m.metric: m.value for m in found}["train_steps"] == 200
    assert {m.metric: m.value for m in found}["training_time"] > 0
    assert not model.training


def test_the_reported_loss_is_the_mean_since_the_last_one() -> None:
    """With a learning rate of 0 the model stands still, so the batches alone set the losses."""
    model = network()
    batches = [(X, Y), (X, Y + 1)] * 50
    parts = [float(squared_error(model, *batch)) for batch in batches[:2]]
    found = list(fit(model, squared_error, batches=iter(batches), steps=100, learning_rate=0.0))
    assert losses(found) == pytest.approx([sum(parts) / 2] * 50, rel=1e-5)


def test_the_same_seed_gives_the_same_losses() -> None:
    def run(seed: int) -> list[float]:
        model = network(dropout=0.5)
        mx.random.seed(seed)
        return losses(fit(model, squared_error, batches=same_batch(), steps=20, learning_rate=0.01))

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_divergence_is_an_error() -> None:
    with pytest.raises(DivergedError, match="loss"):
        list(fit(network(), squared_error, batches=same_batch(), steps=100, learning_rate=1e30))


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_the_best_weights_on_validation_are_kept(metric: str) -> None:
    """Scores are made up, best in the middle; the model must end as it was then."""
    seen: list[list[float]] = []
    scores = iter([3.0, 1.0, 2.0] if metric == "loss" else [0.1, 0.9, 0.5])

    def validate(model: nn.Module) -> Iterator[Measurement]:
        assert not model.training
        seen.append(model.layers[0].weight.tolist())
        yield Measurement(metric, next(scores), split="valid")

    model = network()
    found = list(
        fit(
            model,
            squared_error,
            batches=same_batch(),
            steps=30,
            learning_rate=0.05,
            validate=validate,
            evaluate_every=10,
        )
    )
    assert [m.step for m in found if m.split == "valid"] == [10, 20, 30]
    assert model.layers[0].weight.tolist() == seen[1]
    assert seen[1] != seen[2]


def test_the_last_weights_stay_if_asked() -> None:
    seen: list[list[float]] = []
    scores = itertools.count()

    def validate(model: nn.Module) -> list[Measurement]:
        seen.append(model.layers[0].weight.tolist())
        return [Measurement("loss", next(scores), split="valid")]

    model = network()
    options = {"validate": validate, "evaluate_every": 5, "keep_best": False}
    list(fit(model, squared_error, batches=same_batch(), steps=10, learning_rate=0.05, **options))
    assert len(seen) == 2
    assert model.layers[0].weight.tolist() == seen[1] != seen[0]


def test_snapshots_are_the_weights_after_the_steps_asked_for() -> None:
    model = network()
    start = model.layers[0].weight.tolist()
    seen: list[list[float]] = []

    def validate(model: nn.Module) -> list[Measurement]:
        seen.append(model.layers[0].weight.tolist())
        return [Measurement("loss", 1.0, split="valid")]

    taken: dict[int, dict[str, mx.array]] = {0: {}, 5: {}, 11: {}}
    options = {"validate": validate, "evaluate_every": 5, "steps": 10, "snapshots": taken}
    list(fit(model, squared_error, batches=same_batch(), learning_rate=0.05, **options))
    assert taken[0]["layers.0.weight"].tolist() == start
    assert taken[5]["layers.0.weight"].tolist() == seen[0] != seen[1]
    assert taken[11] == {}


def test_batches_that_end_early_are_an_error() -> None:
    with pytest.raises(UsageError, match="needs 10 batches, found 3"):
        list(fit(network(), squared_error, batches=iter([(X, Y)] * 3), steps=10, learning_rate=0.01))


@pytest.mark.slow  # compiling takes seconds on a CPU
def test_a_compiled_run_equals_an_eager_one() -> None:
    def run(compiled: bool) -> tuple[list[float], list[float]]:
        model = network(dropout=0.5)
        mx.random.seed(3)
        scores = iter([2.0, 1.0, 3.0])
        found = fit(
            model,
            squared_error,
            batches=same_batch(),
            steps=15,
            learning_rate=0.01,
            validate=lambda model: [Measurement("loss", next(scores), split="valid")],
            evaluate_every=5,
            compiled=compiled,
        )
        return losses(found), model.layers[0].weight.tolist()

    eager, compiled = run(False), run(True)
    np.testing.assert_allclose(compiled[0], eager[0], rtol=1e-4)
    np.testing.assert_allclose(compiled[1], eager[1], rtol=1e-3, atol=1e-5)


def scripted(*scores: float) -> Callable[[nn.Module], list[Measurement]]:
    """A validation whose scores are made up, one after another."""
    left = iter(scores)
    return lambda model: [Measurement("loss", next(left), split="valid")]


def test_a_training_ends_once_it_is_finished() -> None:
    """The sixth evaluation is the best: the last quarters of the eighth to the tenth bring nothing any more.

    Then the rate falls for a quarter of the steps so far, from the best weights.
    """
    model, seen = network(), []
    made_up = scripted(9.0, 8.0, 7.0, 6.0, 5.0, 1.0, 2.0, 1.0, 1.5, 1.0, 0.7, 0.5, 0.7)

    def validate(model: nn.Module) -> list[Measurement]:
        seen.append(model.layers[0].weight.tolist())
        return made_up(model)

    options = {"validate": validate, "evaluate_every": 10, "min_gain": 0.0, "steps": 1_000}
    found = list(fit(model, squared_error, batches=same_batch(), learning_rate=0.05, **options))
    values = {m.metric: m.value for m in found}
    assert (values["constant_steps"], values["train_steps"], values["step_limit"]) == (100, 125, 1_000)
    assert [m.step for m in found if m.split == "valid"] == [*range(10, 121, 10), 125]
    assert [m.step for m in found if m.split == "train"] == [*range(20, 121, 20), 125]
    assert model.layers[0].weight.tolist() == seen[11] != seen[12]  # the best of all
    assert not model.training


def test_the_rate_falls_from_the_best_weights() -> None:
    """Training makes up its own batches: after step 100 it goes on where it was at step 60."""
    starts: list[tuple[int, list[float]]] = []
    model = network()

    def loss(model: nn.Module, x: mx.array, y: mx.array) -> mx.array:
        return squared_error(model, x, y)

    def batches() -> Iterator[tuple[mx.array, mx.array]]:
        for number in itertools.count():
            starts.append((number, model.layers[0].weight.tolist()))
            yield X, Y

    scores = scripted(9.0, 8.0, 7.0, 6.0, 5.0, 1.0, 2.0, 1.0, *[3.0] * 5)
    options = {"validate": scores, "evaluate_every": 10, "min_gain": 0.0, "steps": 1_000, "compiled": False}
    list(fit(model, loss, batches=batches(), learning_rate=0.05, **options))
    weights = dict(starts)
    assert weights[100] == weights[60] != weights[99]
    assert model.layers[0].weight.tolist() == weights[60]


def test_one_lucky_evaluation_does_not_end_a_training() -> None:
    """At the eighth evaluation alone the last quarter brought nothing."""
    scores = scripted(9.0, 8.0, 7.0, 6.0, 5.0, 1.0, 2.0, 1.0, *[1 / number for number in range(2, 20)])
    options = {"validate": scores, "evaluate_every": 10, "min_gain": 0.0, "steps": 150}
    found = list(fit(network(), squared_error, batches=same_batch(), learning_rate=0.05, **options))
    assert {m.metric: m.value for m in found}["train_steps"] == 150


def test_what_still_improves_goes_on_to_the_last_step() -> None:
    options = {"evaluate_every": 10, "min_gain": 0.0, "steps": 100}
    scores = scripted(*(1 / number for number in range(1, 12)))
    found = list(
        fit(network(), squared_error, batches=same_batch(), learning_rate=0.05, validate=scores, **options)
    )
    values = {m.metric: m.value for m in found}
    assert (values["constant_steps"], values["train_steps"]) == (80, 100)


def test_a_gain_too_small_to_matter_ends_a_training() -> None:
    def steps(min_gain: float) -> float:
        scores = scripted(*(1.0 - number / 100 for number in range(14)))
        options = {"evaluate_every": 10, "min_gain": min_gain, "steps": 130, "validate": scores}
        found = list(fit(network(), squared_error, batches=same_batch(), learning_rate=0.05, **options))
        return {m.metric: m.value for m in found}["train_steps"]

    assert steps(0.035) == 125  # up to the tenth evaluation, a quarter brings at most 0.03
    assert steps(0.01) == 130  # it goes on to the last step


@pytest.mark.parametrize(
    "options",
    [{"min_gain": -1.0}, {"validate": None}, {"evaluate_every": None}, {"keep_best": False}],
    ids=["negative", "blind", "never", "forgetful"],
)
def test_only_validation_may_end_a_training(options: dict[str, Any]) -> None:
    given = {"validate": scripted(), "evaluate_every": 10, "min_gain": 0.1} | options
    with pytest.raises(UsageError, match="a training ends early by its validation: expected min_gain of 0"):
        list(fit(network(), squared_error, batches=same_batch(), steps=10, learning_rate=0.1, **given))


def test_a_gradient_that_is_not_finite_is_divergence_though_the_loss_is_finite() -> None:
    """The root of zero is zero, and its slope is not a number."""

    def root(model: nn.Module, x: mx.array, factor: mx.array) -> mx.array:
        return mx.mean(mx.sqrt(mx.abs(factor * model(x))))

    batches = [(X, mx.array(1.0))] * 6 + [(X, mx.array(0.0))] * 4
    with pytest.raises(DivergedError, match="the gradient's norm is nan at training step 7: the trial"):
        list(fit(network(), root, batches=iter(batches), steps=10, learning_rate=0.01))


def test_divergence_names_the_step() -> None:
    batches = [(X, Y)] * 6 + [(X, Y * float("inf"))] * 4
    with pytest.raises(DivergedError, match="loss is inf at training step 7"):
        list(fit(network(), squared_error, batches=iter(batches), steps=10, learning_rate=0.01))


def test_only_the_validation_split_may_choose_weights() -> None:
    def validate(model: nn.Module) -> Iterator[Measurement]:
        yield Measurement("loss", 1.0, split="test")

    with pytest.raises(UsageError, match="expected a first measurement of split 'valid', found 'test'"):
        list(
            fit(
                network(),
                squared_error,
                batches=same_batch(),
                steps=1,
                learning_rate=0.1,
                validate=validate,
            )
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be 1 or more, found 0"),
        ({"evaluate_every": 0}, "evaluate_every must be 1 or more"),
        ({"warmup_steps": -1}, "warmup_steps must be 0 or more"),
        ({"warmup_steps": 3}, "warmup_steps must be below steps, found 3 and 3"),
        ({"learning_rate": -1.0}, "learning_rate must be 0 or more, found -1"),
    ],
)
def test_impossible_settings_are_refused_before_any_step(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        next(
            fit(
                network(),
                squared_error,
                **{"batches": same_batch(), "steps": 3, "learning_rate": 0.1, **options},
            )
        )
