"""Are the models that complete code of equal size, and scored on the same tokens?"""

import math

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from experiments import code
from seqlab.models.backbones import Size, TokenHead, build
from seqlab.models.sizing import parameters
from seqlab.notebook import Artifact, Trial
from seqlab.notebook.artifacts import text_of
from seqlab.tasks.source_code.coding import NEW, Coding
from seqlab.tasks.source_code.examples import LONGEST, example_lines
from seqlab.tasks.source_code.library import load
from seqlab.tasks.source_code.scoring import encoded, scored_windows
from seqlab.tasks.source_code.tokens import as_text, first_line

SMOKE = code.experiment.settings(code.experiment.budget("smoke"))
CODING = Coding(SMOKE["vocabulary"], SMOKE["slots"])


class Oracle(nn.Module):
    """Predicts the ids that follow, or with `certainty` 0 every id alike."""

    def __init__(self, split, where, certainty):
        super().__init__()
        self.vocabulary = CODING.size
        self.certainty = certainty
        self.targets = iter(encoded(CODING, split).targets[row] for row in where.at)

    def __call__(self, tokens):
        asked = np.stack([next(self.targets) for _ in range(len(tokens))])
        return mx.array(self.certainty * np.eye(self.vocabulary, dtype=np.float32)[asked])


def trial(model, **settings):
    return Trial("code", {"model": model}, seed=0, budget="smoke", settings={**SMOKE, **settings})


def measured(trial):
    found = list(code.run(trial))
    artifacts = {item.name: text_of(item) for item in found if isinstance(item, Artifact)}
    numbers = {(item.metric, item.split): item.value for item in found if not isinstance(item, Artifact)}
    return numbers, artifacts


@pytest.mark.parametrize("settings", [SMOKE, code.experiment.protocol], ids=["smoke", "protocol"])
def test_the_networks_have_as_many_parameters(settings):
    size = Size(settings["width"], settings["depth"], length=settings["context"])
    counts = [
        parameters(build(name, size, TokenHead(settings["vocabulary"]), seed=0)) for name in code.NETWORKS
    ]
    assert max(counts) <= 1.02 * min(counts)


@pytest.mark.parametrize("certainty", [0.0, 50.0])
def test_accuracy_and_bits_of_known_models(certainty):
    where = scored_windows("test", SMOKE["context"], SMOKE["scored"])
    right, bits = code.evaluate(Oracle("test", where, certainty), CODING, "test", where)
    targets = encoded(CODING, "test").targets[where.at]
    if certainty:
        np.testing.assert_array_equal(right, targets != NEW)  # a new name counts for nobody
        assert bits == pytest.approx(0, abs=1e-3)
    else:
        assert bits == pytest.approx(math.log2(CODING.size), rel=1e-5)


def test_every_kind_is_scored_among_its_own():
    library = load()
    where = scored_windows("test", SMOKE["context"], SMOKE["scored"])
    tokens = library.test.tokens[where.at]
    for kind, of in library.kinds().items():
        scores = {item.metric: item.value for item in code.scores(of[tokens], where)}
        assert scores[f"accuracy_{kind}"] == 1
        assert scores["accuracy"] == pytest.approx(of[tokens][where.scored].mean())
    assert scores["accuracy_copies"] == 0  # copies are identifiers, and the last kind was keywords


@pytest.mark.slow
def test_ngrams_beat_the_chance_level_and_the_cache_beats_both():
    (plain, _), (cached, artifacts) = measured(trial("2-gram")), measured(trial(code.CACHED))
    assert 0.2 < plain["accuracy", "test"] < cached["accuracy", "test"] - 0.1
    assert plain["train_examples", ""] == cached["train_examples", ""]
    assert load().sha256 in artifacts["library"]


@pytest.mark.slow
@pytest.mark.parametrize("model", code.NETWORKS)
def test_a_network_learns_and_shows_what_it_writes(model):
    found, artifacts = measured(trial(model, steps=30, batch=8))
    assert found["bits_per_token", "test"] < math.log2(CODING.size) - 1
    assert found["accuracy", "test"] > 0.05  # chance level: one in 255
    library = load()
    context = SMOKE["context"] // 2
    at = example_lines(library, code.EXAMPLES, given=code.GIVEN, context=context)[0]
    true = library.decode(library.test.tokens[at : at + LONGEST])
    assert f"    the file    {as_text(first_line(true))}\n" in artifacts["completions"]
    assert artifacts["completions"].count(f"    {model:11} ") == code.EXAMPLES
