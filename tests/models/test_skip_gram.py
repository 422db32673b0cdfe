"""The loss is the expectation over samples, and words in similar contexts get similar vectors."""

import math

import mlx.core as mx
import numpy as np
import pytest

from seqlab.models import skip_gram
from seqlab.tasks.word_contexts import Vocabulary
from seqlab.training.loop import fit


def test_the_loss_is_the_expectation_over_sampled_words() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(2, 4))
    neighbours, anywhere = rng.dirichlet(np.ones(4), size=2), rng.dirichlet(np.ones(4))

    def minus_log_sigmoid(x: float) -> float:
        return math.log1p(math.exp(-x))

    expected = np.mean(
        [
            sum(neighbours[w, v] * minus_log_sigmoid(scores[w, v]) for v in range(4))
            + 3 * sum(anywhere[v] * minus_log_sigmoid(-scores[w, v]) for v in range(4))
            for w in range(2)
        ]
    )
    found = skip_gram.expected_loss(
        *(mx.array(part.astype(np.float32)) for part in (scores, neighbours, anywhere)), others=3
    )
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_the_nearest_words_have_the_smallest_angle() -> None:
    model = skip_gram.Model(skip_gram.Config(vocabulary=4, width=2))
    model.own = mx.array([[1.0, 0.0], [5.0, 1.0], [0.1, 0.1], [-3.0, 0.0]])
    assert model.nearest(0, count=3).tolist() == [1, 2, 3]
    assert model.nearest(3, count=1).tolist() == [2]


def test_words_in_similar_contexts_get_similar_vectors() -> None:
    """Two kings and two animals, each pair with its own context words."""
    rng = np.random.default_rng(0)
    court, wood = ["crown", "throne", "palace"], ["tree", "den", "river"]
    lines = []
    for _ in range(200):
        names, company = (("lear", "duncan"), court) if rng.random() < 0.5 else (("wolf", "bear"), wood)
        lines.append(" ".join([str(rng.choice(names)), *rng.permutation(company)]))
    text = " pause ".join(lines)
    vocabulary = Vocabulary.of(text, min_count=1)
    shares, anywhere = (
        vocabulary.context_distributions(text, window=2),
        mx.array(vocabulary.noise_distribution()),
    )
    mx.random.seed(0)
    model = skip_gram.Model(skip_gram.Config(len(vocabulary), width=8))
    every = mx.arange(len(vocabulary))

    def loss(model: skip_gram.Model, chosen: mx.array, near: mx.array) -> mx.array:
        return skip_gram.expected_loss(model(chosen), near, anywhere, others=5)

    batches = ((every, mx.array(shares)) for _ in range(100))
    list(fit(model, loss, batches=batches, steps=100, learning_rate=3e-2))
    for word, like in (("lear", "duncan"), ("wolf", "bear")):
        assert vocabulary.words[model.nearest(vocabulary.words.index(word), count=1)[0]] == like
