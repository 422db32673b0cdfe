"""Does the page on dynamics measure what it says of answers that are known?"""

import numpy as np
import pytest

from experiments import dynamics
from seqlab.notebook import Trial
from seqlab.tasks.synthetic.markov import Task

TASK, SCORED = Task(length=40, states=3), 16


def test_how_far_back_a_state_last_stood() -> None:
    inputs, _ = dynamics.examination(TASK, SCORED)
    found = dynamics.distances(TASK, SCORED)
    for row, states in enumerate(inputs.tolist()):
        for step, state in enumerate(states):
            before = [step - other for other in range(step) if states[other] == state]
            assert found[row, step] == min(before, default=0)


def test_distances_go_to_the_mark_below() -> None:
    assert dynamics.bucketed(np.array([0, 1, 5, 6, 7, 31, 32, 90])).tolist() == [0, 1, 4, 6, 6, 24, 32, 32]


def test_a_way_to_count_is_no_distance_from_itself() -> None:
    for way, other in (("unigram", "bigram"), ("bigram", "unigram")):
        told = dynamics.judged(TASK, SCORED, dynamics.way_of(TASK, SCORED, way))
        assert told.divergence[way] == pytest.approx(0, abs=1e-12)
        assert told.divergence[other] > 0.01


def test_losses_by_distance_are_parts_of_the_loss() -> None:
    told = dynamics.judged(TASK, SCORED, dynamics.way_of(TASK, SCORED, "bigram"))
    far = dynamics.bucketed(dynamics.distances(TASK, SCORED)[:, TASK.length // 2 :])
    answers, (_, targets) = dynamics.way_of(TASK, SCORED, "bigram"), dynamics.examination(TASK, SCORED)
    surprise = -np.log(np.take_along_axis(answers, targets[..., None], axis=2))[:, TASK.length // 2 :, 0]
    total = sum(loss * (far == distance).sum() for distance, loss in told.by_distance.items())
    assert total == pytest.approx(surprise[far > 0].sum())


def test_a_trial_of_each_part() -> None:
    settings = {
        "length": 24,
        "width": 8,
        "batch": 4,
        "steps": 10,
        "scored": SCORED,
        "looks": 100,
        "rate": 0.01,
    }
    course = {"part": "course", "states": 3, "model": "Transformer"}
    found = list(dynamics.run(Trial("dynamics", course, 0, "smoke", settings)))
    looks = [one for one in found if one.metric == "unigram_divergence"]
    assert [one.step for one in looks] == list(range(1, 11))
    assert 0 <= next(one.value for one in found if one.metric == "plateau_share") < 1
    distance = {**course, "part": "distance", "moment": "all"}
    told = list(dynamics.run(Trial("dynamics", distance, 0, "smoke", settings)))
    last = dynamics.learnt(dynamics.Recipe("Transformer", 3, 24, 8, 4, 10, SCORED, 100), 0.01, 0).answers[-1]
    assert {one.step: one.value for one in told if one.metric == "loss_at_distance"} == last.by_distance
