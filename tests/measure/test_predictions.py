"""Are losses, divergences and distances those of predictions whose answers are known?"""

import math

import numpy as np
import pytest

from seqlab.measure.predictions import cross_entropy, divergence, mark_below, mean_by, steps_since

TOKENS = np.random.default_rng(0).integers(0, 3, (16, 40))


def test_the_loss_is_that_of_the_target() -> None:
    probabilities = np.array([[[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]]])
    expected = [[math.log(4), math.log(8)]]
    np.testing.assert_allclose(cross_entropy(probabilities, np.array([[1, 2]])), expected)


def test_probabilities_do_not_diverge_from_themselves() -> None:
    one = np.random.default_rng(0).dirichlet(np.ones(3), size=(4, 5))
    other = one[..., ::-1]
    assert divergence(one, one) == pytest.approx(0, abs=1e-12)
    assert divergence(one, other) > 0.01
    assert divergence(np.array([[[0.5, 0.5]]]), np.array([[[0.25, 0.75]]])) == pytest.approx(
        0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    )


def test_how_many_steps_ago_a_token_last_occurred() -> None:
    found = steps_since(TOKENS)
    for row, tokens in enumerate(TOKENS.tolist()):
        for step, token in enumerate(tokens):
            before = [step - other for other in range(step) if tokens[other] == token]
            assert found[row, step] == min(before, default=0)


def test_steps_are_rounded_down_to_a_mark() -> None:
    marks = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
    assert mark_below(np.array([0, 1, 5, 6, 7, 31, 32, 90]), marks).tolist() == [0, 1, 4, 6, 6, 24, 32, 32]


def test_means_of_groups_are_parts_of_the_whole() -> None:
    values = np.random.default_rng(1).normal(size=TOKENS.shape)
    found = mean_by(values, TOKENS, (0, 1, 2, 7))
    assert found.keys() == {0, 1, 2}
    total = sum(mean * (group == TOKENS).sum() for group, mean in found.items())
    assert total == pytest.approx(values.sum())
