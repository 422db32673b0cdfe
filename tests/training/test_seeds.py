"""Do seeds that train side by side end where each would alone?"""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn
from mlx.utils import tree_flatten

from seqlab.errors import DivergedError, UsageError
from seqlab.models import cnn, gru, lstm, mingru, rnn, transformer
from seqlab.models.heads import LanguageModel
from seqlab.notebook.metrics import Measurement
from seqlab.training.loop import fit
from seqlab.training.seeds import fit_seeds

VOCABULARY, SEEDS, STEPS = 8, 3, 12
BACKBONES: dict[str, Callable[[], Any]] = {
    "Transformer": lambda: transformer.Model(transformer.Config(width=16, depth=1, heads=2)),
    "RNN": lambda: rnn.Model(rnn.Config(width=16)),
    "LSTM": lambda: lstm.Model(lstm.Config(width=16)),
    "GRU": lambda: gru.Model(gru.Config(width=16)),
    "minGRU": lambda: mingru.Model(mingru.Config(width=16)),
}
Batches = Iterator[tuple[mx.array, mx.array]]


def entropy(model: Any, tokens: mx.array, targets: mx.array) -> mx.array:
    return nn.losses.cross_entropy(model(tokens), targets, reduction="mean")


def squared_error(model: Any, x: mx.array, y: mx.array) -> mx.array:
    return mx.mean((model(x) - y) ** 2)


def made(make: Callable[[], nn.Module]) -> list[nn.Module]:
    """A model for each seed."""
    models = []
    for seed in range(SEEDS):
        mx.random.seed(seed)
        models.append(make())
    return models


def tokens(seed: int) -> Batches:
    """Each token's target is the one before it."""
    rng = np.random.default_rng(seed)
    while True:
        drawn = mx.array(rng.integers(0, VOCABULARY, (4, 9)))
        yield drawn[:, 1:], drawn[:, :-1]


def numbers(seed: int, *, inputs: int = 3) -> Batches:
    rng = np.random.default_rng(seed)
    while True:
        x = mx.array(rng.standard_normal((8, inputs)), dtype=mx.float32)
        yield x, x.sum(axis=1, keepdims=True)


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))


def weights(model: nn.Module) -> dict[str, np.ndarray]:
    return {path: np.array(array) for path, array in tree_flatten(model.parameters())}


def check_same(one: nn.Module, other: nn.Module) -> None:
    expected = weights(other)
    for path, array in weights(one).items():
        np.testing.assert_allclose(array, expected[path], rtol=0, atol=1e-5, err_msg=path)


def values(found: list[Measurement]) -> dict[tuple[str, str, int | None], float]:
    return {(one.metric, one.split, one.step): one.value for one in found if one.metric != "training_time"}


def check_equal(
    models: list[nn.Module],
    loss: Callable[..., mx.array],
    drawn: Callable[[int], Batches],
    **options: Any,
) -> list[list[Measurement]]:
    """Side by side and one by one: equal measurements and weights. Returns the former."""
    alone = copy.deepcopy(models)
    found: list[list[Measurement]] = [[] for _ in models]
    start = weights(models[1])
    for seed, one in fit_seeds(models, loss, batches=[drawn(seed) for seed in range(SEEDS)], **options):
        assert isinstance(one, Measurement)
        found[seed].append(one)
    for seed, model in enumerate(alone):
        expected = values(list(fit(model, loss, batches=drawn(seed), **options)))
        assert values(found[seed]) == pytest.approx(expected, abs=1e-5)
        assert values(found[seed]).keys() == expected.keys()
        check_same(models[seed], model)
        assert not models[seed].training
    assert any(np.abs(start[path] - array).max() > 1e-3 for path, array in weights(models[1]).items())
    return found


@pytest.mark.parametrize("backbone", BACKBONES)
def test_side_by_side_equals_one_by_one(backbone: str) -> None:
    models = made(lambda: LanguageModel(BACKBONES[backbone](), vocabulary=VOCABULARY))
    options = {"steps": STEPS, "learning_rate": 0.01, "compiled": False}
    found = check_equal(models, entropy, tokens, **options)
    finals = [[one.value for one in own if one.metric == "loss"][-1] for own in found]
    assert len(set(finals)) == SEEDS


@pytest.mark.slow  # compiling takes seconds on a CPU
def test_compiled_too() -> None:
    models = made(lambda: nn.Linear(3, 1))
    check_equal(models, squared_error, numbers, steps=30, learning_rate=0.02, compiled=True)


def test_each_keeps_its_own_best_weights() -> None:
    """What validation measures is made up from the weights, so that the best comes at another time."""

    models = made(perceptron)
    seen: list[list[tuple[float, list[Any]]]] = [[] for _ in models]

    def validate(model: nn.Module) -> list[Measurement]:
        assert not model.training
        weight = model.layers[0].weight
        score = math.sin(1e3 * float(mx.sum(weight)))
        seen[next(number for number, one in enumerate(models) if one is model)].append(
            (score, weight.tolist())
        )
        return [Measurement("accuracy", score, split="valid")]

    options = {"validate": validate, "evaluate_every": 3, "learning_rate": 0.01, "compiled": False}
    batches = [numbers(seed) for seed in range(SEEDS)]
    for _ in fit_seeds(models, squared_error, batches=batches, steps=STEPS, **options):
        pass
    for model, own in zip(models, seen, strict=True):
        assert len(own) == STEPS // 3
        assert model.layers[0].weight.tolist() == max(own, key=lambda one: one[0])[1]
    assert len({[one[0] for one in own].index(max(own)[0]) for own in seen}) > 1


def test_each_takes_its_own_snapshots() -> None:
    models, alone = made(perceptron), made(perceptron)
    options = {"steps": 6, "learning_rate": 0.01, "compiled": False}
    taken: list[dict[int, dict[str, mx.array]]] = [{0: {}, 4: {}} for _ in models]
    batches = [numbers(seed) for seed in range(SEEDS)]
    for _ in fit_seeds(models, squared_error, batches=batches, snapshots=taken, **options):
        pass
    for seed, model in enumerate(alone):
        expected: dict[int, dict[str, mx.array]] = {0: {}, 4: {}}
        for _ in fit(model, squared_error, batches=numbers(seed), snapshots=expected, **options):
            pass
        for step, own in taken[seed].items():
            assert own.keys() == expected[step].keys()
            for path, array in own.items():
                np.testing.assert_allclose(array, expected[step][path], rtol=0, atol=1e-5, err_msg=path)


def test_what_is_frozen_stays() -> None:
    models = made(perceptron)
    for model in models:
        model.layers[0].freeze()
    before = [weights(model)["layers.0.weight"] for model in models]
    check_equal(models, squared_error, numbers, steps=STEPS, learning_rate=0.01, compiled=False)
    for model, expected in zip(models, before, strict=True):
        np.testing.assert_array_equal(weights(model)["layers.0.weight"], expected)


def test_gradients_are_clipped_seed_by_seed() -> None:
    """One seed's errors are a million times those of the others: clipped as one, theirs would vanish."""

    def drawn(seed: int) -> Batches:
        return ((x, y * (1e6 if seed == 1 else 1.0)) for x, y in numbers(seed))

    options = {"steps": 6, "learning_rate": 0.01, "compiled": False, "max_norm": 0.1}
    models, alone = made(perceptron), made(perceptron)
    for _ in fit_seeds(models, squared_error, batches=[drawn(seed) for seed in range(SEEDS)], **options):
        pass
    for seed, model in enumerate(alone):
        list(fit(model, squared_error, batches=drawn(seed), **options))
        check_same(models[seed], model)


def test_a_seed_that_diverges_leaves_the_others_alone() -> None:
    def drawn(seed: int) -> Batches:
        for number, (x, y) in enumerate(numbers(seed), start=1):
            yield x, y * (float("inf") if seed == 1 and number == 5 else 1.0)

    options = {"steps": STEPS, "learning_rate": 0.01, "compiled": False}
    models, alone = made(perceptron), made(perceptron)
    batches = [drawn(seed) for seed in range(SEEDS)]
    found = list(fit_seeds(models, squared_error, batches=batches, **options))
    of_one = [one for seed, one in found if seed == 1]
    assert [one.step for one in of_one[:-1]] == [1, 2, 3, 4]
    assert isinstance(of_one[-1], DivergedError)
    assert str(of_one[-1]) == "loss is inf at training step 5: the trial diverged."
    for seed in (0, 2):
        expected = list(fit(alone[seed], squared_error, batches=drawn(seed), **options))
        mine = [one for own, one in found if own == seed]
        assert values(mine) == pytest.approx(values(expected), abs=1e-5)
        check_same(models[seed], alone[seed])


def test_a_seed_whose_validation_is_not_finite_leaves_the_others_alone() -> None:
    models = made(perceptron)
    options = {"steps": 4, "learning_rate": 0.01, "evaluate_every": 2, "compiled": False}

    def validate(model: nn.Module) -> Iterator[Measurement]:
        yield Measurement("mse", float("inf") if model is models[1] else 1.0, split="valid")

    batches = [numbers(seed) for seed in range(SEEDS)]
    found = list(fit_seeds(models, squared_error, batches=batches, validate=validate, **options))
    of_one = [one for seed, one in found if seed == 1]
    assert [str(one) for one in of_one[2:]] == ["mse is inf: the trial diverged."]
    for seed in (0, 2):
        assert Measurement("train_steps", 4) in [one for own, one in found if own == seed]


def test_when_all_diverge_it_ends() -> None:
    taken: list[int] = []

    def drawn(seed: int) -> Batches:
        for x, y in numbers(seed):
            taken.append(seed)
            yield x, y * float("nan")

    batches = [drawn(seed) for seed in range(SEEDS)]
    found = list(fit_seeds(made(perceptron), squared_error, batches=batches, steps=9, learning_rate=0.1))
    assert [seed for seed, _ in found] == [0, 1, 2]
    assert all(isinstance(one, DivergedError) for _, one in found)
    assert len(taken) == SEEDS


@pytest.mark.parametrize(
    ("make", "drawn", "words"),
    [
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.1)), numbers, "random numbers, as dropout does"),
        (
            lambda: cnn.Model(cnn.Config(channels=2, hidden=4)),
            lambda seed: iter([(mx.zeros((2, 28, 28)), mx.zeros((2, 10)))] * 9),
            "MLX cannot train this model side by side.*AsStrided",
        ),
        (perceptron, lambda seed: iter([]), "needs 9 batches a model, found 0"),
        (
            perceptron,
            lambda seed: iter([(mx.zeros((seed + 1, 3)), mx.zeros((seed + 1, 1)))] * 9),
            "batches of equal shapes",
        ),
    ],
    ids=["dropout", "max pooling", "no batches", "uneven batches"],
)
def test_what_cannot_be_done_is_refused(
    make: Callable[[], nn.Module], drawn: Callable[[int], Batches], words: str
) -> None:
    batches = [drawn(seed) for seed in range(SEEDS)]
    with pytest.raises(UsageError, match=words):
        next(fit_seeds(made(make), squared_error, batches=batches, steps=9, learning_rate=0.1))


def test_unlike_models_are_refused() -> None:
    batches = [numbers(0), numbers(1)]
    with pytest.raises(UsageError, match="parameters of equal shapes"):
        next(
            fit_seeds(
                [perceptron(), nn.Linear(3, 1)], squared_error, batches=batches, steps=9, learning_rate=0.1
            )
        )
    with pytest.raises(UsageError, match="found 1 models and 2 iterators"):
        next(fit_seeds([perceptron()], squared_error, batches=batches, steps=9, learning_rate=0.1))
