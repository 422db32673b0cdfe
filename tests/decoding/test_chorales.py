"""Is a chorale continued as its model would, and differently with another random key?"""

import mlx.core as mx
import numpy as np
import pytest

from seqlab.decoding.chorales import continue_chorale
from seqlab.decoding.generate import Sampling
from seqlab.models import backbones
from seqlab.models.heads import LanguageModel
from seqlab.tasks.chorales import dataset
from seqlab.tasks.chorales.chorale import INPUT_VOCABULARY, START, VOCABULARY, Chorale

OPENING, WINDOW = 16, 16  # frames


@pytest.fixture(scope="module")
def opening() -> Chorale:
    return dataset.load().test[0].opening(OPENING)


def network(name: str, *, seed: int) -> LanguageModel:
    """A network of its first weights, which reads four voices in windows of four beats."""

    def head(backbone: backbones.Backbone) -> LanguageModel:
        return LanguageModel(backbone, vocabulary=INPUT_VOCABULARY, outputs=VOCABULARY, period=16)

    size = backbones.Size(16, 2, length=WINDOW * 4)
    model = backbones.build(name, size, head, seed=seed)
    assert isinstance(model, LanguageModel)
    return model


@pytest.mark.parametrize("name", [backbones.TRANSFORMER, "TCN"])
def test_a_chorale_is_continued_as_without_a_cache(opening: Chorale, name: str) -> None:
    """With top-1 sampling, every token is that of a pass over the window up to it."""
    model = network(name, seed=1)
    written = continue_chorale(
        model, opening, frames=40, window=WINDOW, sampling=Sampling(top_k=1), key=mx.random.key(0)
    )
    np.testing.assert_array_equal(written.pitch[:OPENING], opening.pitch)
    tokens, inputs = written.tokens().ravel(), np.r_[START, written.inputs().ravel()]
    assert len(tokens) == 160
    for place in range(64, 160, 3):
        first = (place // 32 - 1) * 32
        logits = np.array(model(mx.array(inputs[None, first : place + 1])))[0, -1]
        assert logits[tokens[place]] == pytest.approx(logits.max(), abs=1e-5)


def test_another_random_key_gives_another_chorale(opening: Chorale) -> None:
    model = network("minGRU", seed=0)
    drawn = [
        continue_chorale(
            model, opening,
            frames=32, window=WINDOW, sampling=Sampling(top_p=0.95), key=mx.random.key(seed),
        ).tokens()
        for seed in (1, 1, 2)
    ]  # fmt: skip
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
