"""Small workloads, typical of the experiments, on which settings are timed.

Each function makes its arrays once and returns a step: call it and evaluate what it returns. The sizes are
those of the pages, and everything is float32. The caller seeds the random numbers.
"""

from collections.abc import Callable
from typing import Any

import mlx.core as mx
from mlx import nn

from seqlab.models import lstm, mingru, transformer
from seqlab.models.parts.activations import gelu
from seqlab.models.parts.attention import softmax_attention
from seqlab.models.parts.positions import rope
from seqlab.training.optimizer import adamw
from seqlab.training.step import training_step

Step = Callable[[], Any]


def products() -> Step:
    """Matrix products of typical sizes: of a recurrent step, of a layer over a batch, and a large one."""
    # (rows, columns in, columns out, repeats): each shape takes about the same share of the time.
    shapes = ((32, 64, 256, 256), (512, 64, 256, 32), (1024, 1024, 1024, 1))
    operands = [
        (mx.random.normal((rows, inner)), mx.random.normal((inner, columns)), count)
        for rows, inner, columns, count in shapes
    ]
    mx.eval(operands)
    return lambda: [x @ y for x, y, count in operands for _ in range(count)]


def attention_step() -> Step:
    """A training step of a small Transformer at length 256, which allocates and frees large arrays."""
    return _training(transformer.Model(transformer.Config(64, depth=1)), batch=8, length=256, compiled=False)


def recurrent_gradient() -> Step:
    """An LSTM over 128 steps, forward and backward."""
    return _gradient(lstm.Model(lstm.Config(64)), batch=16, length=128)


def scan_gradient() -> Step:
    """A minGRU's scan over 512 steps, forward and backward."""
    return _gradient(mingru.Model(mingru.Config(64)), batch=8, length=512)


def activation_gradient() -> Step:
    """GELU of 300,000 numbers, as in an MLP at length 128 and batch size 8, forward and backward."""
    x = mx.random.normal((300_000,))
    mx.eval(x)
    return lambda: mx.value_and_grad(lambda x: gelu(x).sum())(x)


def softmax_gradient() -> Step:
    """Causal attention over 128 positions, forward and backward."""
    q, k, v = mx.random.normal((3, 8, 4, 128, 16))
    mx.eval(q, k, v)
    attend = mx.value_and_grad(lambda q, k, v: mx.sum(mx.square(softmax_attention(q, k, v, "causal"))))
    return lambda: attend(q, k, v)


def rotation_gradient() -> Step:
    """Rotary positions of queries, batch size 8 and length 128, forward and backward."""
    q = mx.random.normal((8, 4, 128, 16))
    mx.eval(q)
    return lambda: mx.value_and_grad(lambda q: mx.sum(mx.square(rope(q, mx.array(0)))))(q)


def parallel_steps() -> tuple[Step, Step]:
    """A training step of a Transformer, plain and compiled."""
    return _plain_and_compiled(lambda: transformer.Model(transformer.Config(64, depth=1)), length=128)


def unrolled_steps() -> tuple[Step, Step]:
    """A training step of an LSTM, plain and compiled. Its compiled kernels are those of any length."""
    return _plain_and_compiled(lambda: lstm.Model(lstm.Config(64)), length=64)


def _plain_and_compiled(build: Callable[[], nn.Module], *, length: int) -> tuple[Step, Step]:
    plain, compiled = (
        _training(build(), batch=16, length=length, compiled=compiled) for compiled in (False, True)
    )
    return plain, compiled


def _squares(model: nn.Module, x: mx.array) -> mx.array:
    return mx.mean(mx.square(model(x)))


def _gradient(model: nn.Module, *, batch: int, length: int) -> Step:
    x = mx.random.normal((batch, length, 64))
    mx.eval(x, model.parameters())
    gradient = nn.value_and_grad(model, _squares)
    return lambda: gradient(model, x)


def _training(model: nn.Module, *, batch: int, length: int, compiled: bool) -> Step:
    x = mx.random.normal((batch, length, 64))
    mx.eval(x, model.parameters())
    step = training_step(model, _squares, adamw(1e-3), compiled=compiled)
    return lambda: step(x)
