"""Activation functions: tanh, exp and GELU, computed fast on large arrays on a CPU.

MLX's CPU build for x86-64 evaluates tanh and exp one element at a time. A ratio of polynomials is about twice
as fast, forward and backward, on the 100,000 or more elements of a Transformer's MLP (two x86-64 cores,
uncompiled), and four to nine times on the gates of a minGRU. On a few thousand elements its twenty operations
cost at least as much as they save. Recurrent cells, whose states are small, therefore use `mx.tanh`, and
`fused_tanh` in compiled steps, where the twenty operations are fused into one.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import mlx.core as mx
from jaxtyping import Float

from seqlab.machine import kernels

# Eigen's float32 tanh, a 13/6 minimax approximation (Eigen/src/Core/MathFunctionsImpl.h).
LIMIT = 7.90531110763549805  # the ratio is 1 from here on; tanh is smaller by 2.7e-7 and rounds to 1 at 9.1
NUMERATOR = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
DENOMINATOR = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)


def _polynomial(x: mx.array, coefficients: tuple[float, ...]) -> mx.array:
    value: mx.array = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value


Elementwise = Callable[[mx.array], mx.array]


def _with_gradient(
    gradient: Callable[[mx.array, mx.array], mx.array],
) -> Callable[[Elementwise], Elementwise]:
    """Give an elementwise function a custom gradient, a function of the gradient of its value y, and of y.

    MLX cannot export a custom gradient. In an exported graph an added term of value 0 has the gradient.
    """

    def wrap(function: Elementwise) -> Elementwise:
        custom: Any = mx.custom_function(function)
        custom.vjp(lambda _, dy, y: gradient(dy, y))
        custom.vmap(lambda x, axis: (custom(x), axis))

        @wraps(function)
        def called(x: mx.array) -> mx.array:
            if not kernels.is_exporting():
                value: mx.array = custom(x)
                return value
            y = mx.stop_gradient(function(x))
            return y + gradient(x - mx.stop_gradient(x), y)

        return called

    return wrap


def bounded(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """x between ±`LIMIT`, and exactly x inside.

    In a compiled step without comparisons: with one, the loop that MLX compiles for a CPU has a branch, and
    takes four times as long. Past 10⁶, where a training has diverged, it is LIMIT only roughly.
    """
    if not kernels.is_compiling():
        return mx.clip(x, -LIMIT, LIMIT)
    over, under = x - LIMIT, x + LIMIT
    return x - 0.5 * ((over + mx.abs(over)) + (under - mx.abs(under)))


def fused_tanh(
    x: Float[mx.array, "..."], factor: mx.array | float = 1.0, term: mx.array | float = 0.0
) -> Float[mx.array, "..."]:
    """factor · tanh(x) + term for steps whose gradient is written by hand (`parts.bptt`).

    The ratio is evaluated in pairs of terms (Estrin), and x comes last, so that the chain is short enough for
    MLX to fuse it, with what made x, into one operation: at most 11 deep and 24 arrays wide in MLX 0.32.
    """
    x = bounded(x)
    s = x * x
    s2 = s * s
    n, d = NUMERATOR, DENOMINATOR
    high = (n[0] * s2 + (n[1] * s + n[2])) * (s2 * s2)
    above = high + ((n[3] * s + n[4]) * s2 + (n[5] * s + n[6]))
    below = (d[0] * s + d[1]) * s2 + (d[2] * s + d[3])
    y = above / below * (x * factor)
    return y if isinstance(term, float) and term == 0 else y + term


@_with_gradient(lambda dy, y: dy * (1 - y * y))
def rational_tanh(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """tanh with an absolute error below 4e-7. The gradient is 1 - y², not the derivative of the ratio."""
    return fused_tanh(x)


@_with_gradient(lambda dy, y: dy * (y - y * y))
def rational_sigmoid(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """σ(x) = (1 + tanh(x/2)) / 2, with an absolute error below 2e-7."""
    return fused_tanh(0.5 * x, 0.5, 0.5)


def sigmoid_and_rest(x: Float[mx.array, "..."]) -> tuple[Float[mx.array, "..."], Float[mx.array, "..."]]:
    """σ(x) and 1 - σ(x). MLX's own is taken of -x for the second, which keeps its digits near 0."""
    if kernels.current().tanh == "rational":
        y = rational_sigmoid(x)
        return y, 1 - y
    return mx.sigmoid(x), mx.sigmoid(-x)


LOG2_E = math.log2(math.e)  # e^x = 2^(x log₂ e)
# 2^f = 1 + f (c₁ + c₂ f + …) for |f| ≤ 1/2. Minimax fit of the relative error, 9.2e-8; the 1 is exact, so
# that powers of whole numbers are exact.
POWER = (0.6931470036506653, 0.24022242426872253, 0.05550733953714371, 0.00967151299, 0.00132647145)
ROUNDING = 1.5 * 2**23  # float32 has no fraction at this size: adding it rounds
LOWEST = -127.0  # 2^-127 has the bits of zero; float32's normal numbers end at 2^-126


@_with_gradient(lambda dy, y: dy * y * math.log(2))
def power_of_two(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """2^x for x ≤ 0 in float32, with a relative error below 3e-7, and 0 from -127 down.

    2^x = 2^n 2^f with n = round(x): n is added to the bits of the exponent. All operations have vector
    instructions on every processor; `mx.round` has not.
    """
    x = mx.maximum(x, LOWEST)
    rounded = x + ROUNDING
    f = x - (rounded - ROUNDING)
    y = _polynomial(f, (*reversed(POWER), 1.0))
    return mx.view(mx.view(y, mx.int32) + (mx.view(rounded, mx.int32) << 23), mx.float32)


def gelu(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """GELU in its tanh form: 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel, 2016)."""
    tanh = rational_tanh if kernels.current().tanh == "rational" else mx.tanh
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def relu(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """max(x, 0)."""
    return mx.maximum(x, 0)
