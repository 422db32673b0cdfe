"""Does the chapter on language compare what it says: equal sizes, the same text, context as claimed?"""

import math
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from experiments import language as page
from seqlab.models.sizing import parameters
from seqlab.notebook import Artifact, Measurement, Trial
from seqlab.notebook.artifacts import text_of
from seqlab.tasks import characters
from seqlab.training.equal_cost import step_work

TINY = {
    "batch": 2, "context": 24, "steps": 3, "scored": 400, "target": 1, "written": 5, "rate": 0.01,
    "dropout": 0.1,
}  # fmt: skip
RECIPE = page.Recipe("LSTM", width=16, batch=2, context=24, steps=100, scored=400)


def run(model: str) -> tuple[dict[str, list[Measurement]], dict[str, str]]:
    """The measurements of a trial, by metric, and its artifacts."""
    numbers: dict[str, list[Measurement]] = {}
    artifacts = {}
    factors = {"part": "writing", "view": page.STEPS, "width": 16, "model": model}
    for found in page.run(Trial("language", factors, 0, "smoke", TINY)):
        if isinstance(found, Artifact):
            artifacts[found.name] = text_of(found)
        else:
            numbers.setdefault(found.metric, []).append(found)
    return numbers, artifacts


class SeesBack(nn.Module):
    """Its logits depend on whether there are more than `reach` characters, and not on their order."""

    def __init__(self, vocabulary: int, reach: int) -> None:
        super().__init__()
        self.vocabulary, self.reach = vocabulary, reach

    def __call__(self, tokens: mx.array) -> mx.array:
        far = mx.array(tokens.shape[1] > self.reach)
        return mx.zeros((*tokens.shape, self.vocabulary)).at[..., 0].add(mx.where(far, 3.0, 0.0))


def size(model: str, *, width: int, context: int = 64) -> int:
    network, _ = replace(RECIPE, model=model, width=width, context=context).start(0)
    return parameters(network)


def test_every_network_is_as_large_as_the_transformer() -> None:
    for width in (16, 144):
        sizes = {name: size(name, width=width) for name in page.NETWORKS}
        for name, found in sizes.items():
            assert math.isclose(found, sizes["Transformer"], rel_tol=0.02), name


def test_the_full_budget_has_a_tenth_one_and_five_million_parameters() -> None:
    for width, expected in ((64, 1e5), (144, 1e6), (264, 5e6)):
        assert math.isclose(size("Transformer", width=width, context=256), expected, rel_tol=0.1), width


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
    expected = -np.log2(page.ngram(2).probabilities(text.test[:400])[12:]).mean()
    assert page.ngram_bits("test", order=2, scored=400, context=24) == pytest.approx(expected)


def test_the_ngram_is_scored_on_both_plays() -> None:
    numbers, _ = run(page.NGRAM)
    assert {found.split for found in numbers["bits_per_character"]} == {"valid", "test"}
    assert all(2 < found.value < 3.5 for found in numbers["bits_per_character"])


def test_the_context_gain_is_what_a_network_loses_without_far_context() -> None:
    vocabulary = characters.load().vocabulary

    def gains(reach: int, context: int = 200) -> dict[str, float]:
        found = page.context_gains(SeesBack(vocabulary, reach), context, 1_000)
        return {one.metric: one.value for one in found}

    assert gains(reach=10**6) == {"context_gain": 0, "order_gain": 0}
    assert gains(reach=130)["context_gain"] != 0
    assert gains(reach=130)["order_gain"] == 0
    assert gains(reach=130, context=150) == {}


def test_equal_work_and_time_change_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    transformer = replace(RECIPE, model="Transformer")
    assert page.steps_for(page.STEPS, RECIPE) == 100
    work = page.steps_for(page.WORK, RECIPE)
    assert work * step_work(RECIPE) == pytest.approx(100 * step_work(transformer), rel=0.01)
    monkeypatch.setattr(page, "steps_of_equal_time", lambda recipe, reference: 25)
    assert page.steps_for(page.TIME, RECIPE) == 25
    assert page.steps_for(page.TIME, transformer) == 100


def test_rates_that_were_tried_belong_to_the_quick_budget() -> None:
    quick = page.experiment.budget("quick")
    assert quick.settings["steps"] == page.TUNED_STEPS
    assert {point.factors["model"] for point in quick.points} == {*page.RATES, page.NGRAM}
    assert set(page.RATES.values()) <= set(page.TRIED_RATES)
