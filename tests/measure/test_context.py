"""Does a model lose what it has from far context, and from the order of it?"""

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.measure.context import context_gains

VOCABULARY = 5


class SeesBack(nn.Module):
    """Its logits depend on whether there are more than `reach` characters, and not on their order."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.reach = reach

    def __call__(self, tokens: mx.array) -> mx.array:
        far = mx.array(tokens.shape[1] > self.reach)
        return mx.zeros((*tokens.shape, VOCABULARY)).at[..., 0].add(mx.where(far, 3.0, 0.0))


class RepeatsTheFirst(nn.Module):
    """Expects the first token of the window at every position."""

    def __call__(self, tokens: mx.array) -> mx.array:
        first = tokens[:, :1, None] == mx.arange(VOCABULARY)
        return mx.broadcast_to(3.0 * first, (*tokens.shape, VOCABULARY))


def gains(model: nn.Module, inputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    found = list(context_gains(model, inputs, targets, far=100, last=28, split="test"))
    assert {one.split for one in found} == {"test"}
    return {one.metric: one.value for one in found}


def test_the_context_gain_is_what_a_network_loses_without_far_context() -> None:
    drawn = np.random.default_rng(0).integers(VOCABULARY, size=(6, 201)).astype(np.int32)
    inputs, targets = drawn[:, :-1], drawn[:, 1:]
    assert gains(SeesBack(10**6), inputs, targets) == {"context_gain": 0, "order_gain": 0}
    assert gains(SeesBack(130), inputs, targets)["context_gain"] != 0
    assert gains(SeesBack(130), inputs, targets)["order_gain"] == 0


def test_windows_that_reach_too_little_back_measure_nothing() -> None:
    for length, expected in ((155, 0), (156, 2)):
        tokens = np.zeros((2, length), np.int32)
        assert (
            len(list(context_gains(SeesBack(130), tokens, tokens, far=100, last=28, split="test")))
            == expected
        )


def test_a_network_that_uses_the_order_of_far_tokens_loses_it() -> None:
    inputs = np.ones((6, 200), np.int32)
    inputs[:, 0] = 2
    targets = np.full((6, 200), 2, np.int32)
    found = gains(RepeatsTheFirst(), inputs, targets)
    assert found["context_gain"] > 1
    assert found["order_gain"] > 1
