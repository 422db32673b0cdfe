"""Sequential operations: exact on graphs drawn by hand, and growing as the theory says."""

import math
from collections.abc import Callable

import mlx.core as mx
import pytest
from mlx import nn

from seqlab.errors import UsageError
from seqlab.measure.depth import sequential_operations, trend
from seqlab.measure.graph import forward_and_backward
from seqlab.models import lstm

X = mx.ones((2, 4))


def test_a_chain_counts_its_links() -> None:
    assert sequential_operations(lambda x: mx.tanh(mx.exp(x) + 1.0), X) == 3


def test_parallel_branches_count_once() -> None:
    assert sequential_operations(lambda x: mx.exp(x) + mx.sin(mx.cos(x)), X) == 3


def test_views_and_constants_count_nothing() -> None:
    assert sequential_operations(lambda x: x.reshape(4, 2).T[1:, None], X) == 0
    assert sequential_operations(lambda x: x + mx.exp(mx.sin(mx.arange(4.0))), X) == 1


def test_moving_data_counts() -> None:
    assert sequential_operations(lambda x: mx.concatenate([x, mx.exp(x)]), X) == 2


def test_a_linear_layer_is_a_product_and_a_sum_however_written() -> None:
    layer = nn.Linear(4, 3)
    fused = sequential_operations(layer, X)
    written_out = sequential_operations(lambda x: x @ layer.weight.T + layer.bias, X)
    assert fused == written_out == 2


def test_attention_by_hand() -> None:
    """Scale, Q K^T, mask, softmax, the product with V: five, whatever the length."""

    def attend(q: mx.array, mask: str | None) -> mx.array:
        return mx.fast.scaled_dot_product_attention(q, q, q, scale=0.5, mask=mask)

    for length in (4, 32):
        q = mx.ones((1, 2, length, 4))
        assert sequential_operations(lambda q: attend(q, None), q) == 4
        assert sequential_operations(lambda q: attend(q, "causal"), q) == 5


@pytest.mark.parametrize("length", [2, 8, 20])
def test_an_lstm_by_hand(length: int) -> None:
    """A step: U h + z (2), σ or tanh, i ⊙ g, + f ⊙ c, tanh, o ⊙: seven; and W x + b (2) before the first."""
    layer = lstm.Layer(lstm.Config(4, hidden=3, orthogonal=False))
    assert sequential_operations(layer, mx.ones((2, length, 4))) == 2 + 7 * length + 1  # one stacking


def test_all_outputs_of_a_tree_are_followed() -> None:
    assert sequential_operations(lambda x: {"short": x + 1, "long": [mx.exp(mx.sin(x))]}, X) == 2


def test_growth_with_length_is_linear_constant_and_logarithmic() -> None:
    width = 4
    recurrent = nn.RNN(width, width)
    attention = nn.TransformerEncoder(1, width, 2)

    def doubling_scan(x: mx.array) -> mx.array:
        """h_t = h_{t-1} + x_t: log2 L rounds, each adding what stands 1, 2, 4, ... places before."""
        shift = 1
        while shift < x.shape[1]:
            x = x + mx.pad(x, ((0, 0), (shift, 0), (0, 0)))[:, : x.shape[1]]
            shift *= 2
        return x

    def depths(function: object) -> list[int]:
        return [sequential_operations(function, mx.ones((1, length, width))) for length in (8, 16, 32)]

    assert depths(recurrent) == [25, 49, 97]  # 3 a step (product, sum, tanh), and the stacking of outputs
    assert len(set(depths(lambda x: attention(x, None)))) == 1
    assert depths(doubling_scan) == [6, 8, 10]  # a shift and a sum for each doubling


def test_a_gradient_is_part_of_the_graph() -> None:
    model = nn.Linear(4, 1, bias=False)
    both = forward_and_backward(model, lambda model, x: mx.sum(model(x) ** 2))
    # The product, y ** (2 - 1), times 2, times the incoming gradient, then the product with x.
    assert sequential_operations(both, X) == 5
    assert sequential_operations(lambda x: mx.grad(lambda y: mx.exp(y).sum())(x), X) == 2


@pytest.mark.slow  # building the chain takes seconds
def test_a_chain_longer_than_the_ordinary_stack() -> None:
    def chain(x: mx.array) -> mx.array:
        for _ in range(55_000):
            x = x + 1.0
        return x

    assert sequential_operations(chain, mx.ones(())) == 55_000


def test_an_untraceable_function_is_refused() -> None:
    def evaluates(x: mx.array) -> mx.array:
        mx.eval(x + 1)
        return x

    with pytest.raises(UsageError, match="cannot export"):
        sequential_operations(evaluates, X)

    squared = mx.custom_function(lambda x: x * x)
    squared.vjp(lambda primal, cotangent, output: cotangent)
    with pytest.raises(UsageError, match="stop_gradient"):
        sequential_operations(lambda x: squared(x), X)


@pytest.mark.parametrize(
    ("kind", "amount", "count"),
    [
        ("constant", 58, lambda n: 58),
        ("per doubling", 4, lambda n: 3 + 4 * math.log2(n)),
        ("per root", 4, lambda n: 7 + round(4 * math.sqrt(n))),
        ("per token", 7, lambda n: 3 + 7 * n),
    ],
)
def test_a_growth_is_recognised_even_on_few_lengths(
    kind: str, amount: float, count: Callable[[int], float]
) -> None:
    for lengths in ((8, 16, 32, 64), (8, 16, 32, 64, 128, 256)):
        found = trend({length: int(count(length)) for length in lengths})
        assert found.kind == kind
        assert found.amount == pytest.approx(amount, rel=0.03)
        assert found.misfit < 0.7  # the rounding of the roots


def test_the_misfit_is_what_the_line_is_off_by() -> None:
    assert trend({1: 10, 2: 20, 4: 30, 8: 41}).misfit == pytest.approx(0.4)


def test_a_jitter_is_no_growth_and_a_slow_growth_is_no_jitter() -> None:
    lengths = (8, 16, 32, 64, 128, 256)
    jitter = trend(dict(zip(lengths, (38, 37, 38, 37, 38, 37), strict=True)))
    assert (jitter.kind, jitter.amount, jitter.misfit) == ("constant", 37.5, 0.5)
    slow = trend({length: 58 + int(math.log2(length)) for length in lengths})
    assert (slow.kind, slow.amount) == ("per doubling", 1)


def test_two_lengths_fit_any_growth() -> None:
    with pytest.raises(UsageError, match="three lengths or more, found 2"):
        trend({8: 1, 16: 2})
