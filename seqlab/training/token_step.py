"""How is a training step of a language model timed, and its work counted, on random tokens?

Only shapes matter to the clock and to the count, so the tokens are random and the model is not trained on
anything. The step is the one that `fit` takes: forward, backward, clipping and the update of AdamW.
"""

from collections.abc import Callable
from statistics import median

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.machine import kernels
from seqlab.measure.blocks import Arm, time_blocks
from seqlab.measure.flops import extrapolated, training_step_flops
from seqlab.models.parts.losses import token_loss
from seqlab.training.optimizer import adamw
from seqlab.training.step import Batch, training_step

TRIED_BLOCKS = 5  # to see whether compiling a step pays


def random_tokens(vocabulary: int, *, batch: int, length: int) -> Batch:
    """Inputs and targets, each (batch, length), drawn from MLX's random state."""
    tokens, targets = mx.random.randint(0, vocabulary, (2, batch, length))
    return tokens, targets


def step_arm(model: nn.Module, batch: Batch, *, steps: int = 1, compiled: bool | None = None) -> Arm:
    """A training step of a run of `steps`, to be timed; `compiled` as in `training_step`."""
    optimizer = adamw(1e-3)
    step = training_step(model, token_loss, optimizer, steps=steps, compiled=compiled)
    return Arm(lambda: step(*batch), state=[model.state, optimizer.state])


def forward_arm(model: nn.Module, batch: Batch, *, compiled: bool) -> Arm:
    """The forward pass alone, to be timed."""
    forward = mx.compile(kernels.compiling()(model.__call__), inputs=model.state) if compiled else model
    return Arm(lambda: forward(batch[0]))


def faster_compiled(arm: Callable[[bool], Arm]) -> bool:
    """Whether the step `arm(compiled)` is faster compiled, by the median of a few blocks."""
    found = time_blocks(
        {str(compiled): arm(compiled) for compiled in (False, True)},
        blocks=TRIED_BLOCKS,
        rng=np.random.default_rng(0),
    )
    uncompiled, compiled = (list(found[str(way)].kept.values()) for way in (False, True))
    return bool(uncompiled and compiled) and median(compiled) < median(uncompiled)


def step_flops(model: nn.Module, *, batch: int, length: int, sequential: bool) -> int:
    """FLOP of a training step by the plain kernels; that of a `sequential` model is extrapolated."""

    def counted(length: int) -> int:
        tokens = mx.zeros((batch, length), dtype=mx.int32)
        return training_step_flops(model, token_loss, tokens, tokens)

    return extrapolated(counted, length) if sequential else counted(length)
