"""Does the chapter on language compare what it says: equal sizes, the same text, context as claimed?"""

import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.errors import UsageError
from seqlab.models.sizing import parameters
from seqlab.notebook import Artifact, Measurement, Trial
from seqlab.notebook import discover as pages
from seqlab.notebook.artifacts import text_of

TINY = {
    "batch": 2, "context": 24, "steps": 3, "scored": 400, "target": 1, "written": 5, "words": 8,
    "gap_steps": 3, "word_steps": 3, "rate": 0.01, "dropout": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def page() -> ModuleType:
    return pages._module(Path(__file__).parents[2] / "experiments" / "language.py")


def made(page: ModuleType, **factors: object) -> tuple[dict[str, list[Measurement]], dict[str, Artifact]]:
    """What a trial measured, by metric, and what it shows."""
    numbers: dict[str, list[Measurement]] = {}
    shown = {}
    for found in page.run(Trial("language", {"width": 16, **factors}, 0, "smoke", TINY)):
        if isinstance(found, Artifact):
            shown[found.name] = found
        else:
            numbers.setdefault(found.metric, []).append(found)
    return numbers, shown


class Sure(nn.Module):
    """Knows the next character by the one that it reads; `sees` further back changes what it thinks."""

    def __init__(self, vocabulary: int, sees: int) -> None:
        super().__init__()
        self.vocabulary, self.sees = vocabulary, sees

    def __call__(self, tokens: mx.array) -> mx.array:
        far = mx.array(tokens.shape[1] > self.sees)
        return mx.zeros((*tokens.shape, self.vocabulary)).at[..., 0].add(mx.where(far, 3.0, 0.0))


def test_every_network_is_as_large_as_the_transformer(page: ModuleType) -> None:
    for width in (16, 144):
        sizes = {name: parameters(page.network(name, width, 64, seed=0)) for name in page.NETWORKS}
        for name, size in sizes.items():
            assert math.isclose(size, sizes["Transformer"], rel_tol=0.02), name


def test_features_are_dropped_in_training_alone(page: ModuleType) -> None:
    plain, dropping = (page.network("minGRU", 16, 24, seed=0, dropout=share) for share in (0.0, 0.5))
    tokens = mx.array(page.text().test[None, :24])
    assert not mx.array_equal(dropping(tokens), dropping(tokens))
    dropping.eval()
    np.testing.assert_array_equal(dropping(tokens), plain(tokens))


def test_the_full_budget_has_a_tenth_one_and_five_million_parameters(page: ModuleType) -> None:
    for width, size in ((64, 1e5), (144, 1e6), (264, 5e6)):
        found = parameters(page.network("Transformer", width, 256, seed=0))
        assert math.isclose(found, size, rel_tol=0.1), width


@pytest.mark.parametrize("model", ["Transformer", "LSTM"])
def test_a_writer_is_scored_on_the_unseen_play(page: ModuleType, model: str) -> None:
    numbers, shown = made(page, part=page.WRITE, view=page.STEPS, model=model)
    (test,) = [found for found in numbers["bits_per_character"] if found.split == "test"]
    at = {found.step: found.value for found in numbers["bits_at_position"]}
    assert list(at) == [1, 2, 4, 8, 16, 24]
    assert min(at.values()) < test.value < max(at.values())
    assert len(text_of(shown["sample"])) <= len(page.PROMPT.strip()) + 1 + TINY["written"]
    assert text_of(shown["sample"]).startswith("PROSPERO.")
    assert "context_gain" not in numbers  # windows of 24 characters have nothing beyond 100


def test_a_character_is_scored_once_with_half_a_window_before_it(page: ModuleType) -> None:
    recipe = page.Writing("RNN", width=16, batch=2, context=24, steps=3, scored=400)
    place = page.windows_of("test", 400, 24, stride=12)[:, 1:][:, 12:].ravel()
    np.testing.assert_array_equal(place, page.text().test[13 : 13 + len(place)])
    assert len(place) > 370
    marked = np.arange(48.0).reshape(2, 24)
    assert recipe.score(marked, "test").value == marked[:, 12:].mean()
    with pytest.raises(UsageError, match="more characters to score than the 24 of a window, found 24"):
        page.windows_of("test", 24, 24, stride=12)


def test_counts_are_scored_on_the_same_characters(page: ModuleType) -> None:
    expected = -np.log2(
        page.characters.ngram_probabilities(page.text(), page.text().test[:400], order=2)[12:]
    ).mean()
    assert page.counted("test", 2, 400, 24) == pytest.approx(expected)


def test_the_count_is_scored_on_both_plays(page: ModuleType) -> None:
    numbers, _ = made(page, part=page.WRITE, view=page.STEPS, model=page.COUNT)
    assert {found.split for found in numbers["bits_per_character"]} == {"valid", "test"}
    assert all(2 < found.value < 3.5 for found in numbers["bits_per_character"])


def test_the_gain_from_afar_is_what_a_network_loses_without_it(page: ModuleType) -> None:
    size = page.text().vocabulary
    blind = {found.metric: found.value for found in page.beyond(Sure(size, sees=10**6), 200, 1_000)}
    assert blind == {"context_gain": 0, "order_gain": 0}
    sees = {found.metric: found.value for found in page.beyond(Sure(size, sees=130), 200, 1_000)}
    assert sees["context_gain"] != 0
    assert sees["order_gain"] == 0
    assert list(page.beyond(Sure(size, sees=130), 150, 1_000)) == []


def test_the_time_to_a_target_lies_between_evaluations(page: ModuleType) -> None:
    told = [
        Measurement("bits_per_character", 4.0, "valid", 10),
        Measurement("bits_per_character", 3.0, "valid", 20),
        Measurement("training_time", 40.0),
        Measurement("train_steps", 20),
    ]
    assert [found.value for found in page.time_to_target(told, 3.5)] == [30.0]
    assert [found.value for found in page.time_to_target(told, 4.0)] == [20.0]
    assert list(page.time_to_target(told, 2.9)) == []


def test_equal_work_and_time_change_the_steps(page: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = page.Writing("LSTM", width=16, batch=2, context=16, steps=100, scored=100)
    assert page.steps_for(page.STEPS, recipe) == 100
    work = page.steps_for(page.WORK, recipe)
    transformer = page.step_work(replace(recipe, model="Transformer"))
    assert work * page.step_work(recipe) == pytest.approx(100 * transformer, rel=0.01)
    assert page.times_as_long(recipe, blocks=1) > 0
    monkeypatch.setattr(page, "times_as_long", lambda recipe: 4.0)
    assert page.steps_for(page.TIME, recipe) == 25
    assert page.steps_for(page.TIME, replace(recipe, model="Transformer")) == 100


@pytest.mark.parametrize(("gaps", "reader"), [("single characters", "encoder"), ("spans", "encoder-decoder")])
def test_readers_of_gaps_are_scored_on_what_was_hidden(page: ModuleType, gaps: str, reader: str) -> None:
    numbers, shown = made(page, part=page.HIDE, gaps=gaps, reader=reader)
    assert {found.split for found in numbers["hidden_bits"]} == {"valid", "test"}
    assert all(0 <= found.value <= 1 for found in numbers["accuracy"])
    lines = dict(line.split(": ", 1) for line in text_of(shown["gaps"]).splitlines())
    assert list(lines) == ["given", "put", "true"]
    if reader == "encoder":
        assert lines["given"].count("_") == len(lines["put"]) == len(lines["true"]) == 4
    else:
        assert lines["given"].count("<1>") == lines["true"].count("<1>") == 1


def test_counts_tell_the_characters_that_the_networks_are_asked(page: ModuleType) -> None:
    """Frequencies, reckoned from the text itself at the places that hold a mask."""
    recipe = page.Gaps("encoder", width=16, batch=2, context=24, steps=3, scored=400)
    whole, _ = page.text().windows("test", length=24, characters=400)
    seen, _, targets, _, _ = recipe.asked(np.random.default_rng(0), whole)
    assert (whole[seen == recipe.hiding.mask] == targets.ravel()).all()
    often = np.bincount(page.text().train).argmax()
    found = {one.metric: one.value for one in page.hidden_by_counts(recipe, order=1, after=0)}
    assert found["accuracy"] == pytest.approx((targets == often).mean())
    both = {one.metric: one.value for one in page.hidden_by_counts(recipe, order=5, after=4)}
    assert both["hidden_bits"] < found["hidden_bits"] - 2


def test_words_are_shown_with_their_nearest(page: ModuleType) -> None:
    numbers, shown = made(page, part=page.WORDS)
    lines = text_of(shown["neighbours"]).splitlines()
    assert [line.split(": ")[0] for line in lines] == list(page.SHOWN_WORDS)
    assert all(line.count(",") == page.NEAREST - 1 for line in lines)
    assert {found.split for found in numbers["accuracy"]} == {"valid", "test"}


def test_vectors_that_know_nothing_are_right_half_of_the_time(page: ModuleType) -> None:
    recipe = page.Neighbours(width=8, batch=4, steps=1)
    model, _ = recipe.start(0)
    model.own = mx.zeros_like(model.own)
    assert recipe.told(model, "test").value == 0.5


def test_rates_that_were_tried_belong_to_the_quick_budget(page: ModuleType) -> None:
    quick = page.experiment.budget("quick")
    assert quick.settings["steps"] == page.TUNED_STEPS
    trained = {point.factors.get("model", point.factors.get("reader")) for point in quick.points}
    assert trained - {None, *page.COUNTED} == set(page.RATES) - {"skip-gram"}
    assert set(page.RATES.values()) <= set(page.TRIED_RATES)
