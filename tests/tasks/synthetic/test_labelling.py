"""Are only the intended positions scored, in batches and in the loss?"""

import mlx.core as mx
import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.tasks.synthetic.labelling import answered_at_end, labelling_loss, require, scored_from
from seqlab.tasks.synthetic.parity import Task


def test_the_last_positions_alone_are_scored():
    inputs, answers = np.arange(10, dtype=np.int32).reshape(2, 5), np.array([[7, 8], [9, 1]], np.int32)
    kept, targets, scored = answered_at_end(inputs, answers)
    np.testing.assert_array_equal(kept, inputs)
    np.testing.assert_array_equal(targets, [[0, 0, 0, 7, 8], [0, 0, 0, 9, 1]])
    np.testing.assert_array_equal(scored, [[False, False, False, True, True]] * 2)


def test_positions_before_the_first_are_unscored_and_nothing_else_changes():
    draw = Task(6).batch
    inputs, targets, scored = scored_from(draw, 4)(np.random.default_rng(0), 3)
    expected = draw(np.random.default_rng(0), 3)
    np.testing.assert_array_equal(inputs, expected[0])
    np.testing.assert_array_equal(targets, expected[1])
    np.testing.assert_array_equal(scored, [[False] * 4 + [True] * 2] * 3)


def test_the_loss_is_the_mean_over_scored_positions():
    logits = mx.array(np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32))
    targets, scored = mx.array([[0, 1, 2], [3, 2, 1]]), mx.array([[True, False, False], [False, True, True]])
    found = labelling_loss(lambda _: logits, mx.zeros((2, 3), mx.int32), targets, scored)
    log_p = np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))
    expected = -np.mean([log_p[0, 0, 0], log_p[1, 1, 2], log_p[1, 2, 1]])
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_the_first_field_that_is_too_small_is_named():
    require("a task", length=(2, 2), symbols=(5, 2))
    with pytest.raises(UsageError, match=r"^a task: symbols must be 2 or more, found 1\.$"):
        require("a task", length=(2, 2), symbols=(1, 2))
