"""Does the chapter on language compare what it says: equal sizes, the same text, context as claimed?"""

import math
from dataclasses import replace

import numpy as np
import pytest
from mlx import nn

from experiments import language as page
from seqlab.models.sizing import parameters
from seqlab.notebook import Artifact, Measurement, Trial
from seqlab.notebook.artifacts import text_of
from seqlab.tasks import characters
from seqlab.tasks.kneser_ney import ngram

TINY = {
    "batch": 2, "context": 24, "far_context": 24, "steps": 3, "timed_steps": 3, "scored": 400, "written": 5,
    "dropout": 0.1, "rate": 0.01,
}  # fmt: skip
RECIPE = page.Recipe("LSTM", width=16, batch=2, context=24, steps=100, scored=400)


def run(model: str, part: str = page.WRITING) -> tuple[dict[str, list[Measurement]], dict[str, str]]:
    """The measurements of a trial, by metric, and its artifacts."""
    numbers: dict[str, list[Measurement]] = {}
    artifacts = {}
    factors = {"part": part, "width": 16, "model": model}
    for found in page.run(Trial("language", factors, 0, "smoke", TINY)):
        if isinstance(found, Artifact):
            artifacts[found.name] = text_of(found)
        else:
            numbers.setdefault(found.metric, []).append(found)
    return numbers, artifacts


def size(model: str, *, width: int, context: int = 64) -> int:
    network, _ = replace(RECIPE, model=model, width=width, context=context).start(0)
    return parameters(network)


def test_every_network_is_as_large_as_the_transformer() -> None:
    for width in (16, 144):
        sizes = {name: size(name, width=width) for name in page.NETWORKS}
        for name, found in sizes.items():
            assert math.isclose(found, sizes["Transformer"], rel_tol=0.02), name


@pytest.mark.parametrize("model", ["Transformer", "LSTM"])
def test_a_network_is_scored_on_the_test_play(model: str) -> None:
    numbers, artifacts = run(model)
    (test,) = [found for found in numbers["bits_per_character"] if found.split == "test"]
    at = {found.step: found.value for found in numbers["bits_at_position"]}
    assert list(at) == [1, 2, 4, 8, 16, 24]
    assert min(at.values()) < test.value < max(at.values())
    assert len(artifacts["sample"]) <= len(page.PROMPT.strip()) + 1 + TINY["written"]
    assert artifacts["sample"].startswith("PROSPERO.")
    assert "context_gain" not in numbers  # windows of 24 characters have nothing beyond 100


def test_a_character_is_scored_once_with_half_a_window_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bits that are the characters' own positions in the play."""
    text = characters.load()
    numbered = replace(text, test=np.arange(len(text.test), dtype=np.int32))
    monkeypatch.setattr(characters, "load", lambda: numbered)
    monkeypatch.setattr(page, "token_bits", lambda model, inputs, targets: targets.astype(float))
    bits = RECIPE.bits(nn.Module(), "test")
    scored = bits[:, 12:].ravel()
    np.testing.assert_array_equal(scored, np.arange(13, 13 + len(scored)))
    assert len(scored) > 370
    assert RECIPE.score(bits, "test").value == scored.mean()


def test_the_ngram_is_scored_on_the_same_characters() -> None:
    text = characters.load()
    found = {one.split: one.value for one in run(page.NGRAM)[0]["bits_per_character"]}
    expected = -np.log2(ngram(text, page.ORDER).probabilities(text.test[:400])[12:]).mean()
    assert found["test"] == pytest.approx(expected)


def test_the_ngram_is_scored_on_both_plays() -> None:
    numbers, _ = run(page.NGRAM)
    assert {found.split for found in numbers["bits_per_character"]} == {"valid", "test"}
    assert all(2 < found.value < 3.5 for found in numbers["bits_per_character"])


@pytest.mark.parametrize(("context", "gains"), [(156, {"context_gain", "order_gain"}), (155, set())])
def test_the_context_gain_needs_windows_that_reach_far_enough(context: int, gains: set[str]) -> None:
    factors = {"part": page.FAR_BACK, "width": 16, "model": "LSTM"}
    settings = TINY | {"far_context": context, "scored": 1_000, "steps": 1}
    found = list(page.run(Trial("language", factors, 0, "smoke", settings)))
    assert {"context_gain", "order_gain"} & {one.metric for one in found} == gains
    assert not [one for one in found if isinstance(one, Artifact)]  # only the other part writes
    for name in ("smoke", "quick"):
        assert int(page.experiment.settings(page.experiment.budget(name))["far_context"]) >= 156


def test_the_target_is_the_validation_score_of_a_short_ngram(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = []

    def recorded(measured: list[Measurement], metric: str, *, target: float, initial: float) -> list[None]:
        targets.append(target)
        assert len([one for one in measured if one.metric == metric and one.split == "valid"]) >= 2
        return []

    monkeypatch.setattr(page, "time_to_target", recorded)
    numbers, artifacts = run("LSTM", page.TIMED)
    text = characters.load()
    assert targets == [ngram(text, page.TARGET_ORDER).bits(text.ids("valid", 400), skip=12)]
    assert numbers["train_steps"][0].value == TINY["timed_steps"]
    assert not artifacts
