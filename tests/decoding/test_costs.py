"""Work and memory of one written token, against what can be worked out by hand."""

import mlx.core as mx
import pytest

from seqlab.decoding.costs import decode_bytes, decode_flops, match_decode_flops, uncached_decode_flops
from seqlab.measure.flops import flops
from seqlab.models import lstm, transformer
from seqlab.models.backbones import BACKBONES, Size
from seqlab.models.heads import LanguageModel

WIDTH, DEPTH, VOCABULARY = 16, 2, 11


def model_of(backbone) -> LanguageModel:
    return LanguageModel(backbone, vocabulary=VOCABULARY)


def attention() -> LanguageModel:
    return model_of(transformer.Model(transformer.Config(WIDTH, DEPTH)))


def test_work_grows_with_the_context_for_attention_alone() -> None:
    """Each further token costs two products of D features a layer, 4 D, and what softmax and mask take."""
    near, far = (decode_flops(attention(), context=context) for context in (100, 300))
    assert 4 * WIDTH * DEPTH < (far - near) / 200 < 8 * WIDTH * DEPTH
    for name in ("RNN", "LSTM", "GRU", "minGRU", "LRU", "linear attention"):
        model = model_of(BACKBONES[name](Size(WIDTH, orthogonal=False), 32))
        assert decode_flops(model, context=100) == decode_flops(model, context=300), name


def test_without_a_cache_the_whole_context_is_work() -> None:
    model = attention()
    tokens = mx.zeros((1, 33), dtype=mx.int32)
    whole = flops(lambda tokens: model(tokens)[:, -1], tokens)
    assert uncached_decode_flops(model, context=32) == whole > 30 * decode_flops(model, context=32)


@pytest.mark.parametrize("wanted", [7, 20])
def test_the_size_of_equal_work_is_found(wanted: int) -> None:
    def make(hidden: int) -> LanguageModel:
        return model_of(lstm.Model(lstm.Config(WIDTH, DEPTH, hidden, orthogonal=False)))

    work = decode_flops(make(wanted), context=5)
    for off in (-3, 0, 3):  # nearer to this size than to the next
        assert match_decode_flops(make, work + off, context=5, most=64) == wanted


def test_a_token_reads_the_cache_and_its_share_of_the_weights() -> None:
    layer = 4 * (WIDTH + 1) * WIDTH + (WIDTH + 1) * 4 * WIDTH + (4 * WIDTH + 1) * WIDTH + 2 * 2 * WIDTH
    head = 2 * WIDTH + (WIDTH + 1) * VOCABULARY  # norm and logits
    cache = DEPTH * 2 * 50 * WIDTH  # keys and values
    for batch in (1, 8):
        found = decode_bytes(attention(), context=50, batch=batch)
        assert found == 4 * ((DEPTH * layer + head) / batch + cache)
