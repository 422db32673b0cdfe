"""The training loop: it learns, repeats itself, notices divergence, and keeps the best weights."""

import itertools
from collections.abc import Iterable, Iterator

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn, optimizers

from seqlab.errors import DivergedError, UsageError
from seqlab.measure.timing import time_repeats
from seqlab.metrics import Measurement
from seqlab.training import choose_learning_rate, fit, rate_at, training_step

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


def test_batches_that_end_early_are_an_error() -> None:
    with pytest.raises(UsageError, match="needs 10 batches, found 3"):
        list(fit(network(), squared_error, batches=iter([(X, Y)] * 3), steps=10, learning_rate=0.01))


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
    timed = time_repeats(lambda: step(X, Y), repeats=2, warmup_steps=1, state=[model.state, optimizer.state])
    assert len(list(timed)) == 3


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


def test_the_rate_rises_then_falls() -> None:
    rates = [rate_at(step, peak=0.1, warmup_steps=10, steps=100) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([0.01 * step for step in range(1, 11)])
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[9:]))
    assert 0 < rates[-1] < 1e-3 * 0.1
    assert 0 < rate_at(1, peak=0.1, warmup_steps=0, steps=1) <= 0.1


def test_the_learning_rate_is_chosen_on_an_even_budget() -> None:
    def train(rate: float) -> float:
        if rate > 0.05:
            raise DivergedError("loss is nan: the trial diverged.")
        return abs(np.log(rate / 0.003))

    rng = np.random.default_rng(0)
    best, tried = choose_learning_rate(train, trials=12, low=1e-4, high=1e-1, rng=rng)
    assert best == pytest.approx(0.003, rel=1.0)
    assert len(tried) == 12
    edges = np.geomspace(1e-4, 1e-1, 13)
    parts = zip(tried, itertools.pairwise(edges), strict=True)
    assert all(low <= rate <= high for (rate, _), (low, high) in parts)
    assert [score for rate, score in tried if rate > 0.05] == [float("inf")] * 2


def test_no_learning_rate_at_all_is_an_error() -> None:
    def train(rate: float) -> float:
        raise DivergedError("loss is nan: the trial diverged.")

    with pytest.raises(DivergedError, match="all of 3"):
        choose_learning_rate(train, trials=3, rng=np.random.default_rng(0))
