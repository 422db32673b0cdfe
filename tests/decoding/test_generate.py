"""Do all ways of decoding choose the same tokens, and the right ones?"""

import gc
from collections.abc import Iterator
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from jaxtyping import config
from mlx import nn
from mlx.utils import tree_map

from seqlab.decoding.generate import GREEDY, Decoder, Sampling, generate, restrict
from seqlab.errors import UsageError
from seqlab.models import encoder_decoder, heads, lstm, mingru, transformer

WIDTH, VOCABULARY = 8, 11
NAMES = ("LSTM", "minGRU", "none", "sinusoidal", "learned", "rope", "alibi")
KEY = mx.random.key(5)


@pytest.fixture(autouse=True)
def as_users_have_it() -> Iterator[None]:
    """Without the tests' own check of shapes, so that the errors a user would meet are reached."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


def model_of(name: str, **options: Any) -> heads.LanguageModel:
    """A model of noise, but for the last biases, which would favour a few tokens."""
    if name in ("LSTM", "minGRU"):
        architecture = {"LSTM": lstm, "minGRU": mingru}[name]
        backbone = architecture.Model(architecture.Config(WIDTH, depth=2))
    else:
        backbone = transformer.Model(transformer.Config(WIDTH, heads=2, positions=name, length=24))
    model = noisy(heads.LanguageModel(backbone, vocabulary=VOCABULARY, **options))
    model.norm.bias, model.to_logits.bias = mx.zeros((WIDTH,)), mx.zeros((model.outputs,))
    return model


def noisy(model: nn.Module) -> nn.Module:
    rng = np.random.default_rng(0)
    return model.update(
        tree_map(lambda old: mx.array(rng.normal(0, 0.8, old.shape).astype(np.float32)), model.parameters())
    )


def prompt_of(batch: int, length: int) -> mx.array:
    return mx.array(np.random.default_rng(1).integers(0, VOCABULARY, (batch, length)))


def written(*arguments: Any, **options: Any) -> list[list[int]]:
    """What each sequence goes on with."""
    return mx.stack(list(generate(*arguments, **options)), axis=1).tolist()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 5])
def test_every_way_of_decoding_chooses_the_same_tokens(name: str, length: int) -> None:
    model, prompt = model_of(name), prompt_of(3, length)
    cached = written(model, prompt, tokens=20)
    assert written(model, prompt, tokens=20, cached=False) == cached
    whole = mx.concatenate([prompt, mx.array(cached)], axis=1)[:, :-1]
    assert mx.argmax(model(whole)[:, length - 1 :], axis=-1).tolist() == cached
    assert len({token for row in cached for token in row}) > 1


@pytest.mark.parametrize("name", NAMES)
def test_steps_give_the_logits_of_one_pass_over_all(name: str) -> None:
    model, text = model_of(name), prompt_of(3, 24)
    wanted = model(text)
    found, state = model.prefill(text[:, :4], model.initial_state(3, 24))
    for index in range(4, 24):
        np.testing.assert_allclose(found, wanted[:, index - 1], atol=1e-5)
        found, state = model.step(text[:, index], state)
    np.testing.assert_allclose(found, wanted[:, -1], atol=1e-5)


def test_what_follows_a_source_is_decoded_from_its_state() -> None:
    model = noisy(
        encoder_decoder.Model(encoder_decoder.Config(vocabulary=VOCABULARY, width=WIDTH, heads=2, depth=1))
    )
    source, begin = prompt_of(2, 6), mx.zeros((2, 1), dtype=mx.int32)
    found = written(model, begin, tokens=9, start=lambda length: model.initial_state(source, length))
    whole = mx.concatenate([begin, mx.array(found)], axis=1)
    assert mx.argmax(model(source, whole)[:, :-1], axis=-1).tolist() == found


def test_reading_goes_on_from_an_earlier_state() -> None:
    model, prompt = model_of("rope"), prompt_of(2, 7)
    _, state = model.prefill(prompt[:, :4], model.initial_state(2, 11))
    found = written(model, prompt[:, 4:], tokens=5, start=lambda length: state)
    assert found == written(model, prompt, tokens=5)


def test_a_decoder_goes_back_in_its_own_cache() -> None:
    """Reading a place again hides what was written after it, and what follows is written over."""
    model, prompt = model_of("rope"), prompt_of(2, 7)
    decoder = Decoder(model)

    def rest() -> list[list[int]]:
        back = decoder.state._replace(position=6)
        found = [decoder.prefill(prompt[:, 6:], tokens=5, start=lambda reads: back)]
        return mx.stack(found + [decoder.step() for _ in range(4)], axis=1).tolist()

    decoder.prefill(prompt, tokens=5)
    assert decoder.state.position == 7
    assert rest() == rest() == written(model, prompt, tokens=5)


@pytest.mark.parametrize("name", ["LSTM", "rope"])
def test_sequences_of_a_batch_do_not_see_one_another(name: str) -> None:
    model, prompt = model_of(name), prompt_of(3, 4)
    alone = [written(model, prompt[i : i + 1], tokens=12)[0] for i in range(3)]
    assert written(model, prompt, tokens=12) == alone


@pytest.mark.slow  # compiling takes seconds on a CPU
def test_compiled_steps_choose_the_same_tokens_even_after_more_training() -> None:
    model, prompt = model_of("rope"), prompt_of(2, 3)
    options = {"sampling": Sampling(top_k=6, top_p=0.9), "stop": 4}
    decoder = Decoder(model, compiled=True, **options)
    for _ in range(2):
        found = [decoder.prefill(prompt, tokens=8, key=KEY)] + [decoder.step() for _ in range(7)]
        eager = [*generate(model, prompt, tokens=8, key=KEY, compiled=False, **options)]
        assert mx.stack(found).tolist()[: len(eager)] == mx.stack(eager).tolist()
        model.update(tree_map(lambda old: old[::-1], model.parameters()))


def test_a_step_writes_into_the_cache_in_place() -> None:
    gc.collect()
    before = mx.get_active_memory()
    backbone = transformer.Model(transformer.Config(WIDTH, depth=1, heads=2))
    decoder = Decoder(heads.LanguageModel(backbone, vocabulary=VOCABULARY))
    mx.eval(decoder.prefill(prompt_of(8, 2), tokens=2_000))
    mx.eval(decoder.step())
    mx.reset_peak_memory()
    for _ in range(3):
        mx.eval(decoder.step())
    cache = 2 * 8 * 2_001 * WIDTH * 4
    assert cache < mx.get_peak_memory() - before < 1.7 * cache  # two caches would be one copied


# Choosing


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def expected(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """The probabilities, by a loop over tokens from the most probable on, in float64."""
    rows = []
    for row in logits.astype(np.float64) / sampling.temperature:
        order = np.argsort(-row)[: sampling.top_k]
        kept, reached = [], 0.0
        for token, share in zip(order, softmax(row[order]), strict=True):
            if sampling.top_p is None or reached < sampling.top_p:
                kept.append(token)
            reached += share
        out = np.zeros_like(row)
        out[kept] = softmax(row[kept])
        rows.append(out)
    return np.array(rows)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=0.3),
        Sampling(temperature=5.0),
        *(Sampling(top_k=k) for k in (1, 2, 30)),
        *(Sampling(top_p=p) for p in (1e-6, 0.2, 0.77, 0.999)),
        Sampling(temperature=1.7, top_k=7, top_p=0.66),
        Sampling(temperature=0.5, top_k=29, top_p=0.95),
    ],
    ids=str,
)
def test_tokens_are_drawn_by_the_right_probabilities(sampling: Sampling) -> None:
    logits = np.random.default_rng(0).normal(0, 2, (40, 30)).astype(np.float32)
    wanted = expected(logits, sampling)
    found = np.array(mx.softmax(restrict(mx.array(logits), sampling), axis=-1))
    np.testing.assert_array_equal(found > 0, wanted > 0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_ties_stay_together() -> None:
    logits = mx.array([[1.0, 3.0, 3.0, 3.0, 0.0]])
    for sampling in (Sampling(top_k=2), Sampling(top_p=0.5), Sampling(top_k=1, top_p=0.01)):
        kept = mx.isfinite(restrict(logits, sampling)).tolist()
        assert kept == [[False, True, True, True, False]]


def test_top_k_comes_before_top_p() -> None:
    """Of 0.4, 0.3, 0.2 and 0.1, top-k leaves 4/7 and 3/7, so 0.5 is reached by the first alone."""
    logits = mx.log(mx.array([[0.4, 0.3, 0.2, 0.1]]))
    assert mx.isfinite(restrict(logits, Sampling(top_k=2, top_p=0.5))).tolist() == [[True, *[False] * 3]]
    assert mx.isfinite(restrict(logits, Sampling(top_p=0.5))).sum().item() == 2


def test_a_whole_nucleus_leaves_nothing_out() -> None:
    """Even where the probabilities, summed in float32, reach 1 before the last."""
    logits = mx.array([[30.0, 0.0, -5.0]])
    assert mx.isfinite(restrict(logits, Sampling(top_p=1.0))).all().item()


def test_a_low_temperature_is_greedy_and_does_not_overflow() -> None:
    model, prompt = model_of("LSTM"), prompt_of(3, 4)
    greedy = written(model, prompt, tokens=9, sampling=GREEDY)
    for temperature in (1e-4, 1e-37):
        sampling = Sampling(temperature)
        assert written(model, prompt, tokens=9, sampling=sampling, key=KEY) == greedy
        extreme = restrict(mx.array([[300.0, -300.0, 299.0]]), sampling)
        assert mx.softmax(extreme, axis=-1).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("name", ["minGRU", "rope"])
def test_the_same_key_gives_the_same_tokens_by_every_way(name: str) -> None:
    model, prompt = model_of(name), prompt_of(2, 4)
    options = {"tokens": 16, "sampling": Sampling(temperature=2.0)}
    found = written(model, prompt, key=KEY, **options)
    assert written(model, prompt, key=KEY, **options) == found
    assert written(model, prompt, key=KEY, cached=False, **options) == found
    assert written(model, prompt, key=mx.random.key(6), **options) != found


def test_each_token_is_drawn_anew() -> None:
    """Equal logits at every step, since the last layer's weights are zero: all tokens come equally often."""
    model = model_of("LSTM")
    model.to_logits.weight, model.to_logits.bias = mx.zeros((VOCABULARY, WIDTH)), mx.zeros((VOCABULARY,))
    found = np.array(written(model, prompt_of(50, 1), tokens=40, sampling=Sampling(), key=KEY))
    shares = np.bincount(found.ravel(), minlength=VOCABULARY) / found.size
    assert np.abs(shares - 1 / VOCABULARY).max() < 4 * (1 / VOCABULARY / found.size) ** 0.5
    repeated = (found[:, 1:] == found[:, :-1]).mean()
    assert abs(repeated - 1 / VOCABULARY) < 4 * (1 / VOCABULARY / found.size) ** 0.5


# Ending


@pytest.mark.parametrize("cached", [True, False])
def test_a_stopped_sequence_repeats_its_stop_and_all_stopped_end(cached: bool) -> None:
    model, prompt = model_of("rope"), prompt_of(3, 5)
    free = written(model, prompt, tokens=19)
    stop = next(token for token in free[0] if all(token in row for row in free))
    ends = [row.index(stop) for row in free]
    assert len(set(ends)) > 1
    last = max(ends) + 1
    wanted = [(row[: end + 1] + [stop] * last)[:last] for row, end in zip(free, ends, strict=True)]
    assert written(model, prompt, tokens=19, stop=stop, cached=cached) == wanted


def test_a_stop_in_the_prompt_stops_nothing() -> None:
    model, prompt = model_of("LSTM"), prompt_of(2, 5)
    stop = int(prompt[0, -1])
    free = written(model, prompt, tokens=1)
    assert free[0][0] != stop
    assert written(model, prompt, tokens=1, stop=stop) == free


def test_nothing_is_computed_before_it_is_read() -> None:
    """The step ahead of the one that is read is under way, and no more."""
    steps = []
    model = model_of("LSTM")
    advance = model.advance
    model.advance = lambda *arrays: steps.append(1) or advance(*arrays)
    stream = generate(model, prompt_of(1, 2), tokens=9)
    assert not steps
    for count in range(1, 9):
        next(stream)
        assert len(steps) == count
    next(stream)
    assert len(steps) == 8
    assert list(stream) == []


# Errors, before anything is computed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": -0.1}, "temperature must be 0"),
        ({"temperature": float("nan")}, "temperature must be 0"),
        ({"temperature": float("inf")}, "temperature must be 0"),
        ({"top_k": 0}, "top_k must be 1 or more, found 0"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"top_p": 1.1}, "top_p must be above 0"),
    ],
)
def test_sampling_that_is_none(options: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Sampling(**options)


@pytest.mark.parametrize(
    ("prompt", "options", "words"),
    [
        (prompt_of(2, 5), {"tokens": 0}, "tokens must be 1 or more, found 0"),
        (prompt_of(2, 21), {"tokens": 5}, "learned for 24 steps, found 25"),
        (prompt_of(2, 21), {"tokens": 5, "cached": False}, "learned for 24 steps, found 25"),
        (mx.zeros((2, 0), dtype=mx.int32), {}, "no tokens"),
        (mx.zeros((3,), dtype=mx.int32), {}, r"expected tokens of shape \(batch, length\), found \(3,\)"),
        (mx.zeros((2, 3)), {}, "must be integers"),
        (mx.array([[0, VOCABULARY]]), {}, "must lie in 0 to 10, found 0 to 11"),
        (mx.array([[-1, 3]]), {}, "must lie in 0 to 10, found -1 to 3"),
        (prompt_of(2, 3), {"sampling": Sampling(top_k=12)}, "top_k must be at most 11, all tokens, found 12"),
        (prompt_of(2, 3), {"sampling": Sampling()}, "needs a key"),
        (prompt_of(2, 3), {"stop": 11}, "must lie in 0 to 10, found 11"),
        (prompt_of(2, 3), {"cached": False, "compiled": True}, "leave compiled out"),
        (prompt_of(2, 3), {"cached": False, "start": lambda length: None}, "leave start out"),
    ],
)
def test_what_cannot_be_decoded(prompt: mx.array, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        generate(model_of("learned"), prompt, **{"tokens": 3, **options})


def test_a_state_that_does_not_fit() -> None:
    model, prompt = model_of("rope"), prompt_of(2, 5)
    with pytest.raises(UsageError, match="holds 6 steps and is full: asked for step 7"):
        generate(model, prompt, tokens=3, start=lambda length: model.initial_state(2, 6))
    with pytest.raises(UsageError, match="expected a state of 2 sequences, found 3"):
        generate(model, prompt, tokens=3, start=lambda length: model.initial_state(3, length))


@pytest.mark.parametrize("cached", [True, False])
def test_steps_beyond_what_was_asked(cached: bool) -> None:
    decoder = Decoder(model_of("rope"), cached=cached)
    with pytest.raises(UsageError, match="Call prefill first"):
        decoder.step()
    decoder.prefill(prompt_of(2, 5), tokens=2)
    decoder.step()
    with pytest.raises(UsageError, match="holds 6 steps and is full: asked for step 7"):
        decoder.step()


def test_models_that_do_not_decode() -> None:
    encoder = transformer.Model(transformer.Config(WIDTH, heads=2, causal=False))
    for cached in (True, False):
        with pytest.raises(UsageError, match="encoder"):
            generate(
                heads.LanguageModel(encoder, vocabulary=VOCABULARY), prompt_of(1, 2), tokens=1, cached=cached
            )
    rows = heads.RowClassifier(lstm.Model(lstm.Config(WIDTH)), channels=2, classes=3)
    with pytest.raises(UsageError, match="found RowClassifier"):
        Decoder(rows)
    with pytest.raises(UsageError, match=r"at most 11 outputs.*found 12"):
        Decoder(model_of("LSTM", outputs=12))
