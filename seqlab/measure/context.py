"""How much does a language model gain from tokens far back, and how much from their order?

Khandelwal et al. (2018) ask it of LSTMs: the same targets are predicted with the whole window, with nothing
that is further back than some number of tokens, and with everything further back in random order.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int32
from mlx import nn

from seqlab.measure.bits import token_bits
from seqlab.notebook.metrics import Measurement


def context_gains(
    model: nn.Module,
    inputs: Int32[np.ndarray, "B L"],
    targets: Int32[np.ndarray, "B L"],
    *,
    far: int,
    last: int,
    split: str,
) -> Iterator[Measurement]:
    """How many more bits each of the `last` targets takes without the tokens far back, or with them shuffled.

    Far back are those more than `far` tokens before the first of these targets. Nothing is measured unless
    there are at least `last` of them, in windows of `far` + 2 `last` tokens or more.
    """
    near = far + last
    if inputs.shape[1] < near + last:
        return
    shuffled = np.random.default_rng(0).permuted(inputs[:, :-near], axis=1)
    altered = {
        "context_gain": inputs[:, -near:],
        "order_gain": np.concatenate([shuffled, inputs[:, -near:]], axis=1),
    }
    whole = token_bits(model, inputs, targets, last=last).mean()
    for metric, read in altered.items():
        bits = token_bits(model, read, targets[:, -read.shape[1] :], last=last).mean()
        yield Measurement(metric, float(bits - whole), split)
