"""The cache, positions and impossible configs of backbones."""

import mlx.core as mx
import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.models import gru, lstm, mingru, rnn, transformer


def encoder(positions: str) -> transformer.Model:
    return transformer.Model(transformer.Config(8, heads=2, causal=False, positions=positions, length=12))


def test_uncached_decoding_equals_cached() -> None:
    model, x = transformer.Model(transformer.Config(8, heads=2)), mx.random.normal((2, 6, 8))
    state = model.initial_state(2, 9)  # a cache longer than what is decoded
    for t in range(6):
        y, state = model.step(x[:, t], state)
        np.testing.assert_allclose(y, model.uncached(x[:, : t + 1]), atol=1e-5)
    assert state.position == 6


def test_the_cache_keeps_its_shape_and_contents() -> None:
    model, x = transformer.Model(transformer.Config(8, depth=1, heads=2)), mx.random.normal((1, 2, 8))
    _, first = model.step(x[:, 0], model.initial_state(1, 4))
    _, second = model.step(x[:, 1], first)
    for old, new in zip(first.memory[0], second.memory[0], strict=True):
        assert old.shape == new.shape == (1, 2, 4, 4)
        np.testing.assert_array_equal(old[:, :, 0], new[:, :, 0])
        assert not np.array_equal(old[:, :, 1], new[:, :, 1])


def test_a_full_cache_is_an_error() -> None:
    model = transformer.Model(transformer.Config(8, heads=2))
    state = model.initial_state(1, 1)
    _, state = model.step(mx.zeros((1, 8)), state)
    with pytest.raises(UsageError, match="cache holds 1 steps and is full"):
        model.step(mx.zeros((1, 8)), state)


def test_beyond_learned_positions_is_an_error() -> None:
    model = encoder("learned")
    with pytest.raises(UsageError, match="learned for 12 steps, found 13"):
        model(mx.zeros((1, 13, 8)))
    decoder = transformer.Model(transformer.Config(8, heads=2, positions="learned", length=12))
    with pytest.raises(UsageError, match="learned for 12 steps, found 13"):
        decoder.initial_state(1, 13)


def test_an_encoder_has_no_steps() -> None:
    with pytest.raises(UsageError, match="encoder"):
        encoder("none").initial_state(1, 4)


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"heads": 3}, "heads must divide width"),
        ({"heads": 0}, "heads must be 1 or more"),
        ({"depth": 0}, "depth must be 1 or more"),
        ({"heads": 8, "positions": "rope"}, "must be even"),
        ({"positions": "learned"}, "longest sequence"),
        ({"positions": "roop"}, "Did you mean 'rope'"),
    ],
)
def test_an_impossible_transformer_is_an_error(sizes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        transformer.Config(8, **sizes)


@pytest.mark.usefixtures("as_users_have_it")
def test_an_unknown_activation_and_an_empty_mlp() -> None:
    with pytest.raises(UsageError, match="activation"):
        transformer.Config(8, activation="gelo")
    with pytest.raises(UsageError, match="hidden must be 1 or more"):
        transformer.Config(8, hidden=0)


@pytest.mark.parametrize("architecture", [rnn, lstm, gru, mingru], ids=["RNN", "LSTM", "GRU", "minGRU"])
@pytest.mark.parametrize("sizes", [{"depth": 0}, {"hidden": 0}, {"width": 0}])
def test_an_impossible_recurrent_stack_is_an_error(architecture, sizes: dict) -> None:
    with pytest.raises(UsageError, match="must be 1 or more"):
        architecture.Model(architecture.Config(**{"width": 4, **sizes}))


@pytest.mark.usefixtures("as_users_have_it")
def test_an_unknown_scan_is_an_error() -> None:
    with pytest.raises(UsageError, match="scan"):
        mingru.Model(mingru.Config(4, scan="chunky"))
