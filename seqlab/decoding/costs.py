"""How much work does one written token take, and how much memory must be read for it?

Both follow from the model's equations, without a clock: the operations are counted in MLX's graph of one
decoding step (`seqlab.measure.flops`), the bytes are those of the weights and of what the model remembers.
"""

from bisect import bisect_left
from collections.abc import Callable
from math import prod
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map

from seqlab.measure.flops import flops
from seqlab.measure.memory import cache_bytes
from seqlab.models.heads import LanguageModel
from seqlab.models.sizing import parameters


def decode_flops(model: LanguageModel, *, context: int) -> int:
    """Work, in FLOP, of the next token that one sequence writes after so many tokens.

    The model has read them into its cache or state, which has no empty place.
    """
    memory = model.initial_state(1, context + 1).memory

    def step(token: mx.array, position: mx.array, *held: mx.array) -> Any:
        arrays = iter(held)  # as inputs: what depends on no input is not counted
        return model.advance(token, position, tree_map(lambda _: next(arrays), memory))

    held = dict(tree_flatten(memory)).values()
    return flops(step, mx.zeros((1,), dtype=mx.int32), mx.array(context), *held)


def uncached_decode_flops(model: LanguageModel, *, context: int) -> int:
    """The same without a cache, where the model reads the whole context again for every token."""
    return flops(lambda tokens: model(tokens)[:, -1], mx.zeros((1, context + 1), dtype=mx.int32))


def match_decode_flops(make: Callable[[int], LanguageModel], target: int, *, context: int, most: int) -> int:
    """The size below `most` whose model, `make(size)`, has the work nearest `target` FLOP for a token.

    The work must grow with the size. Building a model draws from MLX's random state.
    """

    def work(size: int) -> int:
        return decode_flops(make(size), context=context)

    sizes = range(1, most)
    above = bisect_left(sizes, target, key=work)  # the smallest size that reaches the target
    return min(sizes[max(0, above - 1) : above + 1], key=lambda size: abs(work(size) - target))


def decode_bytes(model: LanguageModel, *, context: int, batch: int) -> float:
    """Bytes to read for one token of one sequence: its cache or state, and its share of the weights.

    The sequences of a batch share the weights, in float32, of which the embedding table does not count: a
    token reads one row of it.
    """
    table = prod(model.embedding.weight.shape)
    weights = mx.float32.size * (parameters(model) - table)
    return weights / batch + cache_bytes(model.initial_state(1, context).memory)
