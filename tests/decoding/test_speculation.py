"""Does speculative decoding write the same tokens, in fewer passes, and always end?"""

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx.utils import tree_map

from seqlab.decoding.generate import generate
from seqlab.decoding.speculation import lookup, speculate
from seqlab.errors import UsageError
from seqlab.models import lstm, transformer
from seqlab.models.heads import LanguageModel

VOCABULARY = 7


def model_of(seed: int) -> LanguageModel:
    """A Transformer of noise, whose greedy text wanders before it repeats itself."""
    backbone = transformer.Model(transformer.Config(8, heads=2))
    model = LanguageModel(backbone, vocabulary=VOCABULARY)
    rng = np.random.default_rng(seed)
    return model.update(
        tree_map(lambda old: mx.array(rng.normal(0, 0.8, old.shape).astype(np.float32)), model.parameters())
    )


def prompt_of(seed: int, length: int) -> mx.array:
    return mx.array(np.random.default_rng(seed).integers(0, VOCABULARY, (1, length)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tokens", [1, 2, 40])
def test_it_writes_what_the_model_writes_token_by_token(seed: int, tokens: int) -> None:
    model, prompt = model_of(seed), prompt_of(seed, 6)
    found = speculate(model, prompt, tokens=tokens)
    assert found.tokens == [int(token.item()) for token in generate(model, prompt, tokens=tokens)]
    assert found.passes <= tokens - 1


def test_a_text_that_repeats_itself_takes_a_pass_for_several_tokens() -> None:
    """Logits that do not depend on the text: the model writes one token for ever."""
    model = model_of(0)
    model.to_logits.weight = mx.zeros_like(model.to_logits.weight)
    model.to_logits.bias = mx.arange(VOCABULARY).astype(mx.float32)
    found = speculate(model, prompt_of(1, 5), tokens=34, guesses=10)
    assert found.tokens == [VOCABULARY - 1] * 34
    assert found.passes == 4  # one to see the token return, then eleven tokens each


def test_a_text_that_never_repeats_a_token_is_written_one_token_a_pass() -> None:
    """Blocks that add nothing, and logits that favour the token after the last: 0, 1, 2, …"""
    model = model_of(0)
    size = model.embedding.weight.shape[1]
    model.embedding.weight, model.to_logits.weight = mx.eye(VOCABULARY, size), mx.eye(VOCABULARY, size, k=-1)
    model.norm.weight, model.norm.bias = mx.ones((size,)), mx.zeros((size,))
    model.to_logits.bias = mx.zeros((VOCABULARY,))
    for block in model.backbone.blocks:
        for layer in (block.attention.to_output, block.mlp.narrow):
            layer.update(tree_map(mx.zeros_like, layer.parameters()))
    assert speculate(model, mx.array([[0]]), tokens=6) == ([1, 2, 3, 4, 5, 6], 5)


def test_the_longest_and_latest_match_is_what_goes_on() -> None:
    assert lookup([1, 2, 3, 4, 1, 2, 3, 5, 9, 2, 3], guesses=2) == [5, 9]
    assert lookup([1, 2, 7, 1, 3, 4, 2, 7, 1], longest=3, guesses=1) == [3]
    assert lookup([1, 2, 3, 1, 2], guesses=5) == [3, 1, 2, 3, 1]
    assert lookup([4, 4], guesses=3) == [4, 4, 4]
    assert lookup([1, 2, 3]) == []
    assert lookup([1]) == []


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 4), st.integers(1, 6))
def test_guesses_only_repeat_what_was_there(text: list[int], longest: int, guesses: int) -> None:
    found = lookup(text, longest=longest, guesses=guesses)
    assert len(found) == (guesses if text[-1] in text[:-1] else 0)
    assert set(found) <= set(text)


@pytest.mark.parametrize(
    ("prompt", "options", "words"),
    [
        (prompt_of(0, 3), {"tokens": 0}, "tokens must be 1 or more"),
        (prompt_of(0, 3), {"guesses": 0}, "guesses must be 1 or more"),
        (mx.zeros((2, 3), dtype=mx.int32), {}, r"one prompt.*found \(2, 3\)"),
        (mx.array([[VOCABULARY]]), {}, "must lie in 0 to 6"),
    ],
)
def test_what_cannot_be_written(prompt: mx.array, options: dict[str, int], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        speculate(model_of(0), prompt, **{"tokens": 3, **options})


def test_a_recurrent_state_cannot_go_back() -> None:
    model = LanguageModel(lstm.Model(lstm.Config(8)), vocabulary=VOCABULARY)
    with pytest.raises(UsageError, match="expected keys and values"):
        speculate(model, prompt_of(0, 3), tokens=3)
