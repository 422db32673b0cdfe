"""Does the page on dynamics score known predictions as it should, and do its parts share a training?"""

import numpy as np
import pytest

from experiments import dynamics
from seqlab.notebook import Trial
from seqlab.tasks.synthetic.markov import Task

TASK, SCORED = Task(length=40, states=3), 16
HALF = TASK.length // 2
EVALUATION = dynamics.evaluation(TASK, SCORED)
SETTINGS = {
    "length": 24, "width": 8, "batch": 4, "steps": 10, "scored": SCORED, "evaluations": 100, "rate": 0.01
}  # fmt: skip
COURSE = {"part": "course", "states": 3, "model": "Transformer"}


def test_a_way_of_counting_does_not_diverge_from_itself() -> None:
    for way, other in (("unigram", "bigram"), ("bigram", "unigram")):
        found = EVALUATION.scores(EVALUATION.predictions[way])
        assert found.divergence[way] == pytest.approx(0, abs=1e-12)
        assert found.divergence[other] > 0.01


def test_losses_by_distance_are_parts_of_the_loss() -> None:
    found = EVALUATION.scores(EVALUATION.predictions["bigram"])
    inputs, targets = TASK.batch(np.random.default_rng(dynamics.EVALUATION_SEED), SCORED)
    predictions = TASK.answers("bigram", inputs)
    surprise = -np.log(np.take_along_axis(predictions, targets[..., None], axis=2))[:, HALF:, 0]
    far = EVALUATION.distances
    total = sum(loss * (far == distance).sum() for distance, loss in found.by_distance.items())
    assert total == pytest.approx(surprise[far > 0].sum())
    assert found.loss == pytest.approx(surprise.mean())


def test_a_trial_of_each_part() -> None:
    found = list(dynamics.run(Trial("dynamics", COURSE, 0, "smoke", SETTINGS)))
    evaluations = [one for one in found if one.metric == "unigram_divergence"]
    assert [one.step for one in evaluations] == list(range(1, 11))
    assert 0 <= next(one.value for one in found if one.metric == "plateau_share") < 1


def test_the_loss_by_distance_is_that_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot of a moment has the loss that the course has at that step."""
    course = list(dynamics.run(Trial("dynamics", COURSE, 0, "smoke", SETTINGS)))
    losses = {one.step: one.value for one in course if (one.metric, one.split) == ("loss", "valid")}
    scored: list[dynamics.Scores] = []
    score = dynamics.Evaluation.scores

    def recorded(evaluation: dynamics.Evaluation, probabilities: np.ndarray) -> dynamics.Scores:
        scored.append(score(evaluation, probabilities))
        return scored[-1]

    monkeypatch.setattr(dynamics.Evaluation, "scores", recorded)
    for moment, step in (("a tenth", 1), ("half", 5), ("all", 10)):
        distance = {**COURSE, "part": "distance", "moment": moment}
        found = list(dynamics.run(Trial("dynamics", distance, 0, "smoke", SETTINGS)))
        assert scored[-1].loss == losses[step]
        assert {one.step: one.value for one in found if one.metric == "loss_at_distance"} == scored[
            -1
        ].by_distance
    assert len(set(losses.values())) == 10


def test_both_parts_share_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    start = dynamics.Recipe.start

    def counted(recipe: dynamics.Recipe, seed: int) -> object:
        started.append(seed)
        return start(recipe, seed)

    monkeypatch.setattr(dynamics.Recipe, "start", counted)
    distance = {**COURSE, "part": "distance", "moment": "half"}
    for factors in (COURSE, distance, {**distance, "moment": "all"}):
        list(dynamics.run(Trial("dynamics", factors, 7, "smoke", SETTINGS)))
    assert started == [7]
