"""Does the smoothing follow its formula, and do its probabilities sum to one?"""

import math

import numpy as np
import pytest

from seqlab.tasks.chorales.witten_bell import context_numbers, probabilities

VOCABULARY = 48


def test_probabilities_follow_the_formula():
    """Contexts a a b: after a came 0, 0, 1; nothing is known after c."""
    seen_contexts, seen = np.array([[0, 0, 0, 0], [1, 1, 1, 2]]), np.array([0, 0, 1, 5])
    contexts, tokens = np.array([[0, 0, 0], [1, 1, 3]]), np.array([0, 7, 5])
    wide = {token: (count + 3 / VOCABULARY) / (4 + 3) for token, count in {0: 2, 5: 1, 7: 0}.items()}
    expected = [(2 + 2 * wide[0]) / 5, 2 * wide[7] / 5, wide[5]]
    found = probabilities(seen_contexts, seen, contexts=contexts, tokens=tokens, vocabulary=VOCABULARY)
    np.testing.assert_allclose(found, expected)


def test_probabilities_sum_to_one():
    rng = np.random.default_rng(0)
    seen_contexts, seen = np.sort(rng.integers(0, 3, (2, 50)), axis=0), rng.integers(0, VOCABULARY, 50)
    for context in ([0, 0], [1, 2], [2, 9]):
        found = probabilities(
            seen_contexts, seen,
            contexts=np.repeat(np.array(context)[:, None], VOCABULARY, axis=1),
            tokens=np.arange(VOCABULARY), vocabulary=VOCABULARY,
        )  # fmt: skip
        assert math.fsum(found) == pytest.approx(1)
        assert found.min() > 0


def test_each_context_has_a_number_of_its_own():
    features = [np.array([0, 0, 1, 1]), np.array([2, 3, 2, 2])]
    assert [numbers.tolist() for numbers in context_numbers(features, base=4)] == [
        [0, 0, 1, 1],
        [2, 3, 6, 6],
    ]
