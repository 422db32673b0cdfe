"""Are the chains as described, and the three baselines as the literature defines them?"""

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.markov import Task


def test_targets_are_the_inputs_one_step_on() -> None:
    inputs, targets = Task(length=20, states=4).batch(np.random.default_rng(0), 8)
    assert (inputs[:, 1:] == targets[:, :-1]).all()
    assert set(np.unique(inputs)) == {0, 1, 2, 3}


def test_baselines_by_hand() -> None:
    task, inputs = Task(length=5, states=2), np.array([[0, 1, 0, 0, 1]], np.int32)
    assert task.answers("uniform", inputs).tolist() == [[[0.5, 0.5]] * 5]
    ones = task.answers("unigram", inputs)[0, :, 1]
    assert ones == pytest.approx([1 / 3, 2 / 4, 2 / 5, 2 / 6, 3 / 7])
    # After 0: nothing yet, -, then 1 once; then 1 and 0 once each; after 1 at the end: 0 once.
    assert task.answers("bigram", inputs)[0, :, 1] == pytest.approx([1 / 2, 1 / 2, 2 / 3, 2 / 4, 1 / 3])


def test_a_baseline_that_uses_more_context_has_a_lower_loss() -> None:
    task = Task(length=100, states=3)
    inputs, targets = task.batch(np.random.default_rng(1), 400)
    loss = {
        way: -np.log(np.take_along_axis(task.answers(way, inputs), targets[..., None], axis=2)).mean()
        for way in ("uniform", "unigram", "bigram")
    }
    assert loss["uniform"] == pytest.approx(np.log(3))
    assert loss["uniform"] > loss["unigram"] + 0.05 > loss["bigram"] + 0.1


def test_rows_are_uniform_on_the_simplex() -> None:
    """Staying twice has the probability E[p²], of a p uniform in [0, 1]: a third."""
    inputs, targets = Task(length=2, states=2).batch(np.random.default_rng(2), 40_000)
    stayed = (inputs[:, 0] == inputs[:, 1]) & (inputs[:, 1] == targets[:, 1])
    assert stayed.mean() == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize(("length", "states"), [(1, 3), (8, 1)])
def test_a_chain_that_is_too_small_is_refused(length: int, states: int) -> None:
    with pytest.raises(UsageError, match="2 or more"):
        Task(length, states)
