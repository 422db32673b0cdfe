"""Memory: the peak grows with the arrays of a step; activations and caches equal counts made by hand."""

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import pytest
from mlx import nn

from seqlab.machine import kernels
from seqlab.measure.liveness import live_bytes
from seqlab.measure.memory import activation_bytes, cache_bytes, cache_bytes_per_token, peak_memory
from seqlab.models import lstm, transformer
from seqlab.models.backbones import TRANSFORMER, Size, TokenHead, build
from seqlab.models.parts.losses import token_loss
from seqlab.training.optimizer import adamw
from seqlab.training.step import training_step
from seqlab.training.token_step import random_tokens

KIB = 1024


def test_it_counts_the_arrays_of_the_step() -> None:
    def step(size: int) -> mx.array:
        return mx.full((size,), 1.0, dtype=mx.float32) * mx.arange(size, dtype=mx.float32)

    small, large = (peak_memory(lambda size=size: step(size)) for size in (64 * KIB, 256 * KIB))
    assert small >= 4 * 64 * KIB  # its result alone is 4 bytes an element
    assert 3 * small < large < 5 * small


def test_it_leaves_out_what_was_there_before() -> None:
    parameters = mx.ones((1024 * KIB,))
    mx.eval(parameters)
    assert peak_memory(lambda: parameters[:16] + 1) < 4 * 64 * KIB


def test_what_the_first_call_keeps_is_not_counted() -> None:
    kept: list[mx.array] = []

    def step() -> mx.array:
        if not kept:
            kept.append(mx.ones((1024 * KIB,)))
            mx.eval(kept)
        return kept[0][:16] + 1

    assert peak_memory(step) < 4 * 64 * KIB


B, L, D, F = 3, 5, 4, 4  # batch, length, width, bytes of a float32


def total(model: nn.Module, x: mx.array) -> mx.array:
    return mx.sum(model(x))


def test_a_linear_layer_keeps_nothing_of_its_own() -> None:
    """Its gradient needs its input, which is the batch, and the constant gradient of a sum."""
    assert activation_bytes(nn.Linear(D, 7), total, mx.ones((B, D))) == 0


def test_what_backward_reads_is_counted_once_however_often_it_is_viewed() -> None:
    model = nn.Sequential(nn.Linear(D, 7), nn.Tanh(), nn.Linear(7, 1))

    def loss(model: nn.Module, x: mx.array) -> mx.array:
        return mx.sum(model(x) ** 2)

    # The input of tanh, for its slope; the output of tanh, for the second weight (transposed: a view);
    # the output, for the square.
    assert activation_bytes(model, loss, mx.ones((B, D))) == F * (B * 7 + B * 7 + B)
    assert activation_bytes(model, lambda m, x: loss(m, x.reshape(B, D)), mx.ones((D, B))) == F * 15 * B


def test_dropout_keeps_its_choices_and_half_precision_half_as_much() -> None:
    x = mx.ones((B, D))
    model = nn.Sequential(nn.Linear(D, D, bias=False), nn.Dropout(0.5))
    assert activation_bytes(model, total, x) == F * B * D  # 0 or 2 for each
    model = nn.Sequential(nn.Linear(D, D, bias=False), nn.Tanh())
    whole = activation_bytes(model, total, x)
    model.set_dtype(mx.float16)
    assert activation_bytes(model, total, x.astype(mx.float16)) == whole / 2 == F * B * D / 2


def test_attention_keeps_a_square_of_the_length_and_its_operands() -> None:
    """softmax(Q K^T / sqrt K) V: Q, K and V, the weights of all pairs, and the scaled queries."""

    class Attend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.to_qkv = nn.Linear(D, 3 * D, bias=False)

        def __call__(self, x: mx.array) -> mx.array:
            q, k, v = (part[:, None] for part in mx.split(self.to_qkv(x), 3, axis=-1))
            return mx.fast.scaled_dot_product_attention(q, k, v, scale=0.5)

    found = [activation_bytes(Attend(), total, mx.ones((B, length, D))) for length in (L, 2 * L)]
    operands = F * B * (3 * D + D)  # a position: Q K V in one array, and the scaled queries
    assert found == [operands * length + F * B * length**2 for length in (L, 2 * L)]


def test_activations_grow_linearly_or_with_the_square_of_the_length() -> None:
    def kept(model: nn.Module, length: int) -> int:
        return activation_bytes(model, total, mx.ones((1, length, 4)))

    recurrent = lstm.Model(lstm.Config(4))
    attention = transformer.Model(transformer.Config(4, heads=1, depth=1, positions="none"))
    first, second, third = (kept(recurrent, length) for length in (4, 8, 12))
    assert second - first == third - second > 0  # linear
    first, second, third = (kept(attention, length) for length in (8, 16, 24))
    assert third - 2 * second + first >= F * 2 * 8 * 8  # quadratic, by one array of weights at least


def test_a_model_is_left_as_it_was() -> None:
    model = nn.Linear(D, 2)
    before = model.weight.tolist()
    activation_bytes(model, total, mx.ones((B, D)))
    assert model.weight.tolist() == before


@pytest.mark.parametrize("batch", [1, 3])
def test_a_cache_by_hand(batch: int) -> None:
    depth, width = 3, 8
    model = transformer.Model(transformer.Config(width, depth=depth, heads=2))
    assert cache_bytes(model.initial_state(batch, 10)) == depth * 2 * batch * 10 * width * F
    assert cache_bytes_per_token(lambda n: model.initial_state(batch, n)) == depth * 2 * batch * width * F
    recurrent = lstm.Model(lstm.Config(width, depth=depth))
    assert cache_bytes(recurrent.initial_state(batch, 10)) == depth * 2 * batch * width * F
    assert cache_bytes_per_token(lambda n: recurrent.initial_state(batch, n)) == 0


def transformer_step(length: int) -> tuple[Callable[..., Any], tuple[mx.array, ...]]:
    """A training step of a small Transformer by plain kernels, uncompiled, with its batch."""
    size = Size(32, blocks=1, ring=(0.0, 1.0))
    model = build(TRANSFORMER, size, TokenHead(vocabulary=16), seed=0)
    optimizer = adamw(1e-3)
    optimizer.init(model.trainable_parameters())
    mx.eval(model.parameters(), optimizer.state)
    return training_step(model, token_loss, optimizer, compiled=False), random_tokens(
        16, batch=1, length=length
    )


def test_a_peak_is_that_of_the_work_and_not_of_the_queue() -> None:
    """Sixty products in a row need two arrays at a time, however many MLX would plan ahead."""
    x = mx.random.normal((256 * KIB,))
    mx.eval(x)

    def chain() -> mx.array:
        y = x
        for _ in range(60):
            y = y[::-1] * 0.5  # a view, so that nothing can be written over
        return y

    # Ten calls of a kernel are one task: five operations, each a kernel and what frees its inputs.
    before = mx.set_memory_limit(1 << 40)
    assert peak_memory(chain) <= 7 * x.nbytes
    assert mx.set_memory_limit(before) == 1 << 40  # as it was


def test_a_measured_peak_is_that_which_the_graph_has() -> None:
    with kernels.using(kernels.Kernels()):
        step, batch = transformer_step(128)
        measured = peak_memory(lambda: step(*batch))
    step, batch = transformer_step(128)
    assert 0.97 < measured / live_bytes(step, *batch) < 1.15
