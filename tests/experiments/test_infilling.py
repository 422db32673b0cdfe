"""Are networks and n-gram models scored on the same masked characters, and on nothing else?"""

import numpy as np
import pytest

from experiments import infilling as page
from seqlab.notebook import Artifact, Measurement, Trial
from seqlab.notebook.artifacts import text_of
from seqlab.tasks import characters

TINY = {"batch": 2, "context": 24, "steps": 3, "scored": 400, "rate": 0.01}


@pytest.mark.parametrize(("gaps", "reader"), [("single characters", "encoder"), ("spans", "encoder-decoder")])
def test_networks_are_scored_on_masked_characters(gaps: str, reader: str) -> None:
    trial = Trial("infilling", {"gaps": gaps, "width": 16, "reader": reader}, 0, "smoke", TINY)
    found = list(page.run(trial))
    numbers = [one for one in found if isinstance(one, Measurement)]
    assert {one.split for one in numbers if one.metric == "hidden_bits"} == {"valid", "test"}
    assert all(0 <= one.value <= 1 for one in numbers if one.metric == "accuracy")
    (example,) = [text_of(one) for one in found if isinstance(one, Artifact)]
    lines = dict(line.split(": ", 1) for line in example.splitlines())
    assert list(lines) == ["given", "put", "true"]
    if reader == "encoder":
        assert lines["given"].count("_") == len(lines["put"]) == len(lines["true"]) == 4
    else:
        assert lines["given"].count("<1>") == lines["true"].count("<1>") == 1


def test_ngram_models_are_scored_on_the_characters_that_networks_are() -> None:
    """Frequencies, computed from the text itself at the positions that hold a mask."""
    recipe = page.Recipe("encoder", width=16, batch=2, context=24, steps=3, scored=400)
    text, _ = characters.load().windows("test", length=24, characters=400)
    inputs, _, targets, _, _ = recipe.masked(np.random.default_rng(0), text)
    assert (text[inputs == recipe.masking.mask] == targets.ravel()).all()
    most_frequent = np.bincount(characters.load().train).argmax()
    found = {one.metric: one.value for one in page.ngram_scores(recipe, order=1, after=0)}
    assert found["accuracy"] == pytest.approx((targets == most_frequent).mean())
    both_sides = {one.metric: one.value for one in page.ngram_scores(recipe, order=5, after=4)}
    assert both_sides["hidden_bits"] < found["hidden_bits"] - 2
