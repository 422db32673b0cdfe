"""Do the pages on dependency and exactness find the faults that they test for, and leave no network out?"""

from collections.abc import Callable
from types import ModuleType

import mlx.core as mx
import pytest

from experiments import dependency, exactness
from seqlab.models import rnn, transformer
from seqlab.models.heads import Backbone
from seqlab.models.parts.streaming import State
from seqlab.notebook import Trial
from tests.models.zoo import CAUSAL, Sizes

WIDTH = exactness.WIDTH


def measured(page: ModuleType, **factors: object) -> dict[str, float]:
    trial = Trial("page", factors, 0, "smoke", {"written": 6, "draws": 1, "longest": 32})
    exactness.read.cache_clear()
    return {found.metric: found.value for found in page.run(trial)}


def test_no_causal_network_is_left_out() -> None:
    known = {type(make(Sizes(heads=2, head=4))) for make in CAUSAL.values()}
    assert {type(network.make(1, 8)) for network in dependency.NETWORKS.values()} >= known
    assert {type(make()) for make in exactness.BACKBONES.values()} >= known


class Peeking(rnn.Model):
    """Each output depends a little on later inputs."""

    def __call__(self, x: mx.array) -> mx.array:
        return super().__call__(x) + 1e-3 * mx.mean(x, axis=1, keepdims=True)


class Mixing(rnn.Model):
    """Each output has a small part of the sequence's mean output, which gradients show."""

    def __call__(self, x: mx.array) -> mx.array:
        y = super().__call__(x)
        return y + 1e-2 * mx.mean(y, axis=1, keepdims=True)


class Forgetful(rnn.Model):
    """Each step starts from the initial state."""

    def step(self, x: mx.array, state: State) -> tuple[mx.array, State]:
        return super().step(x, self.initial_state(x.shape[0], 1))

    def extend(self, x: mx.array, state: State) -> tuple[mx.array, State]:
        return super().extend(x, self.initial_state(x.shape[0], x.shape[1]))


@pytest.mark.parametrize(
    ("check", "faulty"),
    [("at once", Peeking), ("gradients", Mixing), ("steps", Forgetful), ("pieces", Forgetful)],
)
def test_a_faulty_way_of_reading_is_caught(
    check: str, faulty: Callable[[rnn.Config], Backbone], monkeypatch: pytest.MonkeyPatch
) -> None:
    mx.random.seed(0)
    asked = {"part": "reading", "check": check, "model": "RNN", "length": 9}
    assert measured(exactness, **asked)["max_abs_error"] < exactness.ALLOWED
    monkeypatch.setitem(exactness.BACKBONES, "RNN", lambda: faulty(rnn.Config(WIDTH)))
    assert measured(exactness, **asked)["max_abs_error"] > 1e-4


@pytest.mark.parametrize("name", exactness.SCANNED)
def test_a_faulty_scan_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mx.random.seed(0)
    asked = {"part": "scan", "scan": name, "against": exactness.IN_FLOAT64, "length": 9}
    assert measured(exactness, **asked)["max_abs_error"] < exactness.ALLOWED
    recurrence, _, form = name.rpartition(", ")
    right = exactness.RECURRENCES[recurrence]

    def shifted(length: int) -> exactness.Forms:
        forms = dict(right(length))
        found = forms[form]
        return forms | {form: lambda: mx.roll(found(), 1, axis=-1)}

    monkeypatch.setitem(exactness.RECURRENCES, recurrence, shifted)
    assert measured(exactness, **asked)["max_abs_error"] > 1e-2


def test_tokens_of_a_faulty_cache_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    class Contrary(transformer.Model):
        """Negates its outputs in decoding."""

        def advance(self, x: mx.array, position: mx.array, memory: object) -> object:
            y, memory = super().advance(x, position, memory)
            return -y, memory

    mx.random.seed(0)
    asked = {"part": "writing", "model": "Transformer"}
    assert measured(exactness, **asked)["tokens_agree"] == 1
    monkeypatch.setitem(exactness.BACKBONES, "Transformer", lambda: Contrary(transformer.Config(WIDTH)))
    assert measured(exactness, **asked)["tokens_agree"] < 1


def test_only_an_encoder_without_positions_ignores_the_order() -> None:
    mx.random.seed(0)
    found = {
        scheme: measured(exactness, part="order", scheme=scheme)["permutation_error"]
        for scheme in exactness.SCHEMES
    }
    assert found.pop("encoder alone") < exactness.ALLOWED
    assert min(found.values()) > 1e-3


@pytest.mark.parametrize(
    ("model", "useful", "future"), [(dependency.ENCODER, 1.0, True), (dependency.DECODER, 9 / 16, False)]
)
def test_a_decoder_uses_half_of_the_scores_and_their_diagonal(
    model: str, useful: float, future: bool
) -> None:
    found = measured(dependency, part="pairs", model=model, length=8)
    assert found["useful_scores"] == found["pairs_connected"] == useful
    assert (found["future_influence"] > 0) == future


def test_the_growth_is_named_by_its_metric() -> None:
    names = {"RNN": "operations_per_token", "minGRU, tree": "operations_per_doubling"}
    for model, name in names.items():
        assert name in measured(dependency, part="growth", counted=dependency.ONE_LAYER, model=model)
