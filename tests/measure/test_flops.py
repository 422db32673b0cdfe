"""Work against formulas worked out by hand."""

import math

import mlx.core as mx
import pytest
from mlx import nn

from seqlab.errors import UsageError
from seqlab.measure.flops import extrapolated, flops, size_of_equal_work, training_step_flops
from seqlab.models import lstm, transformer

B, L, D = 2, 8, 4
X = mx.ones((B, L, D))


def test_linear() -> None:
    assert flops(nn.Linear(D, 3, bias=False), X) == 2 * B * L * D * 3
    assert flops(nn.Linear(D, 3), X) == 2 * B * L * D * 3 + B * L * 3


@pytest.mark.parametrize("mask", [None, "causal"])
def test_attention(mask: str | None) -> None:
    heads = 2
    q = mx.ones((B, heads, L, D))

    def attend(q: mx.array) -> mx.array:
        return mx.fast.scaled_dot_product_attention(q, q, q, scale=0.5, mask=mask)

    products = 2 * (2 * B * heads * L * L * D)
    softmax = 5 * B * heads * L * L
    scale = B * heads * L * D
    masking = B * heads * L * L if mask else 0  # one selection; the masked half is computed all the same
    assert flops(attend, q) == products + softmax + scale + masking


def test_an_lstm_step() -> None:
    """Four gates from input and state, then c = f c + i g and h = o tanh c."""
    lstm = nn.LSTM(D, D)
    hidden, cell = mx.ones((B, D)), mx.ones((B, D))
    step = mx.ones((B, 1, D))
    products = 2 * (2 * B * D * 4 * D) + 2 * B * 4 * D  # from x and from h, each with an addition
    gates = 4 * B * D  # three sigmoids and a tanh
    state = 3 * B * D + 2 * B * D  # two products and their sum; tanh c, times o
    assert flops(lambda x, h, c: lstm(x, h, c), step, hidden, cell) == products + gates + state


def test_our_lstm() -> None:
    """L steps, the input's share for all of them at once; products with the first state, zeros, count."""
    hidden = 3
    layer = lstm.Layer(lstm.Config(D, hidden=hidden, orthogonal=False))
    inputs = B * L * (2 * D + 1) * 4 * hidden  # W x + b
    step = B * (2 * hidden + 1) * 4 * hidden + B * (4 + 3 + 2) * hidden  # + U h; gates; c; h
    assert flops(layer, X) == inputs + L * step


def test_a_block_of_a_transformer() -> None:
    """Projections to Q, K, V and back, attention, and an MLP four times as wide; two norms, two sums."""
    model = transformer.Model(transformer.Config(D, depth=1, heads=2, positions="none"))
    n = B * L * D
    projections = (2 * D + 1) * 3 * n + (2 * D + 1) * n
    attention = 2 * (2 * n * L) + (5 + 1) * B * 2 * L * L + n  # products; softmax and mask; the scale
    mlp = (2 * D + 1) * 4 * n + 4 * n + (8 * D + 1) * n  # in, relu, out
    norm = 7 * n + 2 * B * L  # two means, difference, square, quotient, scale, shift; four a row
    assert flops(model, X) == projections + attention + mlp + 2 * norm + 2 * n


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 2)])
def test_convolution_and_its_gradient(stride: int, groups: int) -> None:
    channels, kernel = 6, 3
    weight = mx.ones((channels, kernel, D // groups))

    def convolve(x: mx.array) -> mx.array:
        return mx.conv1d(x, weight, stride=stride, padding=1, groups=groups)

    outputs = B * math.ceil(L / stride) * channels
    assert flops(convolve, X) == 2 * outputs * kernel * (D // groups)
    # The gradient of a sum with respect to x is one convolution of constants: the forward pass is not
    # needed for it, so weigh the output by x to keep both.
    forward_and_backward = flops(lambda x: mx.grad(lambda y: (convolve(y) ** 2).sum())(x), X)
    assert forward_and_backward > 2 * flops(convolve, X)


def test_the_gradient_of_a_strided_convolution_skips_the_zeros() -> None:
    kernel = 4
    weight = mx.ones((D, kernel, D))
    forward = flops(lambda x: mx.conv1d(x, weight, stride=4), X)

    def backward(cotangent: mx.array) -> list[mx.array]:
        return mx.vjp(lambda x: mx.conv1d(x, weight, stride=4), [X], [cotangent])[1]

    assert flops(backward, mx.ones((B, L // 4, D))) == forward


def test_elementwise_reductions_and_the_rest() -> None:
    n = B * L * D
    assert flops(lambda x: mx.tanh(x) * 2.0, X) == 2 * n
    assert flops(lambda x: x.sum(axis=-1), X) == n - B * L
    assert flops(lambda x: mx.argmax(x, axis=1), X) == n - B * D
    assert flops(lambda x: mx.softmax(x, axis=-1), X) == 5 * n
    assert flops(lambda x: mx.logsumexp(x, axis=-1), X) == 4 * n
    assert flops(lambda x: mx.cumsum(x, axis=1), X) == n
    assert flops(lambda x: mx.sort(x, axis=1), X) == n * math.log2(L)
    assert flops(lambda x: mx.fft.fft(x, axis=1), X) == 5 * n * math.log2(L)
    assert flops(lambda x: mx.fft.rfft(x, axis=1), X) == 5 * n * math.log2(L) / 2
    assert flops(lambda x: x[:, ::2].transpose(0, 2, 1).astype(mx.float16), X) == 0


def test_adding_into_an_array_counts_what_is_added() -> None:
    rows = mx.array([0, 1, 0])
    assert flops(lambda x: mx.zeros((L, D)).at[rows].add(x), mx.ones((3, D))) == 3 * D
    assert flops(lambda x: mx.zeros((B, L, D)).at[:, 2].add(x), mx.ones((B, D))) == B * D


def test_a_training_step_of_a_linear_layer_is_two_products() -> None:
    """Forward, and the gradient of the weight; the input needs none."""
    model = nn.Linear(D, 3, bias=False)
    product = 2 * B * L * D * 3
    loss = B * L * 3 - 1  # a sum: its gradient is constant
    assert training_step_flops(model, lambda model, x: model(x).sum(), X) == 2 * product + loss


def test_counting_leaves_the_model_and_the_random_state_alone() -> None:
    model = nn.Sequential(nn.Linear(D, D), nn.Dropout(0.5))
    mx.random.seed(1)
    before = [mx.array(key).tolist() for key in mx.random.state]
    weight = model.layers[0].weight.tolist()
    training_step_flops(model, lambda model, x: model(x).sum(), X)
    assert [key.tolist() for key in mx.random.state] == before
    assert model.layers[0].weight.tolist() == weight


def test_work_that_is_linear_in_the_length_is_extrapolated_exactly_from_two_short_sequences() -> None:
    asked: list[int] = []

    def count(length: int) -> int:
        asked.append(length)
        return 10**12 + 7 * length

    assert extrapolated(count, 8192) == 10**12 + 7 * 8192
    assert max(asked) < 10
    assert extrapolated(count, 1) == 10**12 + 7


def test_the_size_of_equal_work_is_the_nearest_of_a_square_polynomial() -> None:
    def count(size: int) -> int:
        return 3 * size**2 + 50 * size + 1_000

    for size in (8, 33, 200):
        assert size_of_equal_work(count, count(size) + 20, tried=(4, 8, 16), low=8, high=201) == size
    assert size_of_equal_work(count, 10**9, tried=(4, 8, 16), low=8, high=201) == 200  # nothing is nearer


def test_a_primitive_without_a_rule_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(UsageError, match="QRF"):
        flops(lambda x: mx.linalg.qr(x, stream=mx.cpu), mx.ones((3, 3)))
