"""Do the pages on synthetic tasks train and test every network alike, as they say?"""

from pathlib import Path
from types import ModuleType

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from experiments import distance, extrapolation, recall
from seqlab.models.backbones import TRANSFORMER
from seqlab.models.sizing import parameters
from seqlab.notebook import Measurement, Trial
from seqlab.training import TriedRates
from seqlab.training.tried import write

RECIPES = {
    distance: {"longest": 16, "width": 40, "depth": 1, "batch": 2, "steps": 2},
    extrapolation: {"trained": 8, "width": 32, "depth": 2, "batch": 2, "steps": 2},
    recall: {"most": 8, "width": 32, "depth": 2, "tokens": 64, "steps": 2},
}
PAGES_AND_TASKS = [
    *((distance, {"task": task}) for task in distance.WRAPS),
    *((extrapolation, {"task": task}) for task in extrapolation.TASKS),
    (recall, {}),
]
PAGES = [distance, extrapolation, recall]


class Constant(nn.Module):
    """Gives the same logits whatever the inputs."""

    def __init__(self, logits: mx.array) -> None:
        super().__init__()
        self.logits = logits

    def __call__(self, inputs: mx.array) -> mx.array:
        return self.logits


def names(value: object) -> str:
    return str(value.__name__).rsplit(".", 1)[-1] if isinstance(value, ModuleType) else str(value)


def trained(page: ModuleType, **factors: str | int) -> list[Measurement]:
    settings = RECIPES[page] | {"sequences": 16, "rate": 1e-3, "together": 1}
    return list(page.run(Trial("page", factors, 0, "smoke", settings)))


def value(measured: list[Measurement], metric: str) -> float:
    (found,) = (one.value for one in measured if one.metric == metric and one.split == "test")
    return found


@pytest.mark.parametrize(("page", "task"), PAGES_AND_TASKS, ids=names)
def test_all_networks_are_as_large_and_see_the_same_batches(page: ModuleType, task: dict[str, str]) -> None:
    sizes, seen = {}, []
    for name in page.NETWORKS:
        model, batches = page.Recipe(model=name, **task, **RECIPES[page]).start(0)
        sizes[name] = parameters(model)
        seen.append([next(batches) for _ in range(3)])
    assert max(sizes.values()) <= 1.04 * min(sizes.values())  # each within 2 % of the Transformer
    for others in seen[1:]:
        for one, other in zip(seen[0], others, strict=True):
            assert all(map(mx.array_equal, one, other))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_seeds_have_batches_of_equal_shapes_and_differ_from_evaluation_sets(page: ModuleType) -> None:
    """Otherwise seeds could not train side by side, or evaluation sequences could occur in training."""
    task = {} if page is recall else {"task": next(iter(page.TASKS))}
    recipe = page.Recipe(model=TRANSFORMER if page is not extrapolation else "LSTM", **task, **RECIPES[page])
    _, first = recipe.start(0)
    _, second = recipe.start(1)
    for _, one, other in zip(range(6), first, second, strict=False):
        assert [part.shape for part in one] == [part.shape for part in other]
        assert not mx.array_equal(one[0], other[0])
    assert page.VALIDATION != page.TEST
    assert min(page.VALIDATION, page.TEST) > 2_000  # seeds of trials and of tuning


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_planned_network_is_tuned(page: ModuleType) -> None:
    tuning = page.experiment.tuning
    tuned = {tuple(point.factors[by] for by in tuning.by) for point in tuning.points}
    for point in page.experiment.budget("full").points:
        if point.factors["model"] != recall.CHANCE:
            assert tuple(point.factors[by] for by in tuning.by) in tuned


def test_every_width_takes_the_rate_of_its_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the widths that were never tuned: the record is by network alone."""
    settings = RECIPES[recall] | {"sequences": 4, "rate": 0.0, "narrowest": 4, "widest": 8}
    rows = [({"model": TRANSFORMER}, settings, rate, rate) for rate in (2e-3, 1e-3)]
    write(tmp_path / "recall.csv", ("model",), rows)
    monkeypatch.setattr(recall, "RATES", TriedRates(tmp_path / "recall.csv"))
    monkeypatch.setattr(recall.Recipe, "recalled", lambda *_: 0.0)
    trial = Trial("recall", {"part": "width", "model": TRANSFORMER, "pairs": 2}, 0, "full", settings)
    found = {one.metric: one.value for one in recall.run(trial)}
    assert (found["learning_rate"], found["tuning_trials"]) == (1e-3, 2)
    assert found["needed_width"] == 16


@pytest.mark.parametrize("task", distance.WRAPS)
def test_success_is_zero_at_chance_level_and_one_without_error(task: str) -> None:
    recipe = distance.Recipe(task=task, model="RNN", **RECIPES[distance])

    def constant(inputs: mx.array) -> mx.array:
        if task == distance.ADDING:
            return mx.ones((len(inputs), 1))
        return mx.broadcast_to(mx.arange(12) == 2, (*inputs.shape, 12)).astype(mx.float32)  # one symbol

    def perfect(inputs: mx.array) -> mx.array:
        if task == distance.ADDING:
            return mx.sum(inputs[..., 0] * inputs[..., 1], axis=1, keepdims=True)
        targets = distance.evaluation_batch(task, 16, 7, 512)[1]
        return (mx.arange(12) == targets[..., None]).astype(mx.float32)

    assert recipe.success(constant, 16, 7, 512) == pytest.approx(0, abs=0.1)
    assert recipe.success(perfect, 16, 7, 512) == pytest.approx(1, abs=1e-5)


def test_the_two_lstms_differ_in_their_initial_forget_bias() -> None:
    def forget_bias(name: str) -> np.ndarray:
        recipe = distance.Recipe(task=distance.RECALL, model=name, **RECIPES[distance])
        (layer,) = recipe.start(0)[0].backbone.cells
        return np.array(layer.bias)[layer.units : 2 * layer.units]

    assert (forget_bias("LSTM") == 1).all()
    assert (forget_bias("LSTM, forget bias 3") == 3).all()


def test_distances_double() -> None:
    assert list(distance.distances_to(64)) == [4, 8, 16, 32, 64]
    assert list(distance.distances_to(100)) == [4, 8, 16, 32, 64]
    assert recall.numbers_to(8) == [2, 4, 8]


@pytest.mark.parametrize("successes", [[1.0, 1.0, 1.0], [0.2, 0.1, 0.0], [1.0, 0.9, 0.1]])
def test_a_reach_at_either_end_is_marked(successes: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    by_distance = dict(zip([4, 8, 16], successes, strict=True))
    monkeypatch.setattr(distance.Recipe, "success", lambda self, model, at, seed, sequences: by_distance[at])
    measured = trained(distance, task=distance.RECALL, model="minGRU")
    assert [(one.step, one.value) for one in measured if one.metric == "success"] == list(by_distance.items())
    assert value(measured, "reaches_end") == (successes[-1] > 0.5)
    assert value(measured, "reaches_nothing") == (successes[0] < 0.5)
    assert value(measured, "reach") == (16 if successes[-1] > 0.5 else 4) or 8 < value(measured, "reach") < 16


@pytest.mark.parametrize("task", extrapolation.TASKS)
def test_only_positions_beyond_training_are_scored(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is right only at the positions of training scores zero beyond."""
    trained = RECIPES[extrapolation]["trained"]
    recipe = extrapolation.Recipe(task=task, model="LSTM", **RECIPES[extrapolation])
    beyond = 0 if task in extrapolation.WHOLE else trained
    inputs, targets, _ = extrapolation.TASKS[task](2 * trained).batch(np.random.default_rng(5), 32)

    def right_until(place: int) -> float:
        answers = np.where(np.arange(2 * trained) < place, targets, 26)  # 26: an answer only in copying
        answers = np.where((answers == 26) & (targets == 26) & (np.arange(2 * trained) >= place), 0, answers)
        logits = mx.array(np.eye(27, dtype=np.float32)[answers])
        return recipe.accuracy(Constant(logits), 2 * trained, 5, 32, beyond=beyond)

    assert right_until(2 * trained) == 1
    if task != "counter language":  # all of its words are longer than in training
        assert right_until(trained) == 0
    else:
        assert (inputs == 1).sum(axis=1).min() > trained // 2


def test_the_chance_level_is_one_over_the_number_of_pairs() -> None:
    measured = trained(recall, part="pairs", model=recall.CHANCE)
    assert [(one.step, one.value) for one in measured if one.metric == "recalled"] == [
        (2, 0.5),
        (4, 0.25),
        (8, 0.125),
    ]


MARKS = ("narrowest_suffices", "widest_fails")  # the runs whose width is only a bound


def test_the_width_grows_until_it_suffices(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = []

    def recalled(self: recall.Recipe, model: object, pairs: int, seed: int, sequences: int) -> float:
        if seed == recall.TEST:
            widths.append(self.width)
        return float(self.width >= enough)

    monkeypatch.setattr(recall.Recipe, "recalled", recalled)
    settings = RECIPES[recall] | {
        "sequences": 4, "rate": 1e-3, "narrowest": 16, "widest": 32
    }  # fmt: skip
    trial = Trial("page", {"part": "width", "model": TRANSFORMER, "pairs": 2}, 0, "full", settings)
    for enough, expected in ((32, 32.0), (64, 64.0)):  # noqa: B007 (it is read above)
        assert value(list(recall.run(trial)), "needed_width") == expected
    assert widths == [16, 32, 16, 32]
    for enough, name in ((16, "narrowest_suffices"), (64, "widest_fails"), (32, "")):  # noqa: B007
        measured = list(recall.run(trial))
        marked = [one.metric for one in measured if one.metric in MARKS and one.value]
        assert marked == [name] * bool(name)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=names)
def test_a_little_training_runs_through(page: ModuleType) -> None:
    factors = {"part": "pairs"} if page is recall else {"task": next(iter(page.TASKS))}
    measured = trained(page, model="minGRU", **factors)
    assert {"parameters", "train_steps", "tuning_trials"} <= {one.metric for one in measured}
    assert any(one.split == "valid" for one in measured)
    assert any(one.split == "test" for one in measured)
