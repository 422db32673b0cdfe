"""Does the page score every token once, and yield what the chapter shows?"""

import io
import math
from dataclasses import replace

import mido
import mlx.core as mx
import numpy as np
import pytest

from experiments import music as page
from seqlab.models import backbones
from seqlab.models.sizing import parameters
from seqlab.notebook import Artifact, Trial
from seqlab.notebook.artifacts import panels_of
from seqlab.tasks.chorales import dataset, ngrams
from seqlab.tasks.chorales.chorale import VOICES

SETTINGS = {
    "steps": 2, "batch": 2, "frames": 16, "width": 16, "depth": 2, "valid_pieces": 1, "evaluations": 2,
    "test_pieces": 2, "written": 40, "rate": 0.01,
}  # fmt: skip


@pytest.fixture(scope="module")
def music():
    """A few short chorales."""
    everything = dataset.load()
    return replace(
        everything,
        train=everything.train[:8],
        valid=everything.valid[:2],
        test=tuple(chorale.opening(52) for chorale in everything.test[:3]),
    )


@pytest.fixture
def few(music, monkeypatch):
    monkeypatch.setattr(dataset, "load", lambda: music)
    page.windows.cache_clear()  # of all chorales
    yield
    page.windows.cache_clear()


def recipe(name):
    asked = {key: SETTINGS[key] for key in ("steps", "batch", "frames", "width", "depth", "valid_pieces")}
    return page.Recipe(model=name, **asked)


def ran(name, seed=0):
    trial = Trial("music", {"model": name}, seed, "smoke", SETTINGS)
    return list(page.run(trial))


def test_networks_have_equally_many_parameters(few):
    sizes = [parameters(recipe(name).start(0)[0]) for name in page.TRAINED]
    assert max(sizes) / min(sizes) < 1.02


@pytest.mark.parametrize("name", page.TRAINED)
def test_bits_are_those_of_each_window_by_itself(few, music, name):
    model, _ = recipe(name).start(0)
    found = page.network_bits(model, "test", frames=16)
    assert found.shape == (3 * 52, 4)
    inputs, targets, scored = music.windows("test", frames=16)
    alone = []
    for row, right, counts in zip(inputs, targets, scored, strict=True):
        logits = np.array(model(mx.array(row[None])))[0].astype(np.float64)
        chosen = logits[np.arange(len(right)), right] - np.log(np.exp(logits).sum(axis=1))
        alone.append(-chosen[counts] / math.log(2))
    np.testing.assert_allclose(found.ravel(), np.concatenate(alone), atol=1e-4)


def test_a_trained_network_yields_scores_a_piano_roll_and_a_midi_file(few):
    found = ran(backbones.TRANSFORMER)
    artifacts = {one.name: one for one in found if isinstance(one, Artifact)}
    truth, written = panels_of(artifacts["roll"])
    assert len(truth.matrix[0]) == len(written.matrix[0]) == 40
    assert [row[:16] for row in truth.matrix] == [row[:16] for row in written.matrix]
    song = mido.MidiFile(file=io.BytesIO(artifacts["chorale"].data))
    assert [track.name for track in song.tracks] == list(VOICES)
    assert song.length == pytest.approx(40 / 4 * 60 / page.BEATS_PER_MINUTE)
    measured = {(one.metric, one.split) for one in found if not isinstance(one, Artifact)}
    assert {("bits_per_token", "test"), ("bits_per_token", "valid"), ("train_examples", "")} <= measured


def test_an_ngram_is_scored_on_the_same_chorales(few, music):
    found = {(one.metric, one.split): one.value for one in ran("3-gram")}
    tested = ngrams.interleaved_bits(music, order=3)[: 2 * 52]
    assert found["bits_per_token", "test"] == pytest.approx(tested.mean())
    first = ngrams.interleaved_bits(music, "valid", order=3)[: music.valid[0].frames]
    assert found["bits_per_token", "valid"] == pytest.approx(first.mean())


def test_a_verdict_rests_on_every_test_chorale():
    assert page.experiment.protocol["test_pieces"] >= len(dataset.load().test)


def test_the_opponents_are_every_other_model_and_the_parallel_ones():
    one, other = page.experiment.claims
    assert {side["model"] for side in one.rule.opponents} == {*page.TRAINED, *page.NGRAMS} - {
        backbones.TRANSFORMER
    }
    assert {side["model"] for side in other.rule.opponents} == {"minGRU", "TCN"}
    assert one.rule.threshold == other.rule.threshold == pytest.approx(-0.0289, abs=1e-4)
