"""How are tanh, exp and GELU computed where they cost the most: on large arrays, on a CPU?

MLX's CPU build for x86-64 evaluates tanh and exp one element at a time. A ratio of polynomials is about
twice as fast, forward and backward, on the 100,000 elements and more that the MLP of a Transformer has; on a
few thousand its twenty small operations cost as much as they save or more, so recurrent cells, whose states
are small, keep `mx.tanh`. Measured on two x86-64 cores without compilation. In a compiled step, where the
twenty are fused into one, they use `fused_tanh`.
"""

import math

import mlx.core as mx
from jaxtyping import Float

from seqlab import forms

# Eigen's float32 tanh, a 13/6 minimax approximation (Eigen/src/Core/MathFunctionsImpl.h).
LIMIT = 7.90531110763549805  # the ratio is 1 from here on; tanh itself is 2.7e-7 less, and rounds to 1 at 9.1
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


def rational_tanh(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """tanh to 4e-7 (absolute), with the exact derivative 1 - y² instead of that of the ratio.

    The derivative rides on a term that is zero in value: y + (1 - y²)(x - x). A custom function
    would do the same, but MLX cannot export one, and exported graphs are how work is counted.
    """
    inside = mx.stop_gradient(mx.clip(x, -LIMIT, LIMIT))
    square = inside * inside
    y = inside * _polynomial(square, NUMERATOR) / _polynomial(square, DENOMINATOR)
    return y + (1 - y * y) * (x - mx.stop_gradient(x))


def fused_tanh(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """The same ratio for compiled steps, without a gradient worth using.

    In pairs of terms (Estrin), whose chain is short enough for MLX to fuse it into one operation.
    """
    x = mx.clip(x, -LIMIT, LIMIT)
    s = x * x
    s2 = s * s
    n, d = NUMERATOR, DENOMINATOR
    above = ((n[0] * s2 + (n[1] * s + n[2])) * s2 + (n[3] * s + n[4])) * s2 + (n[5] * s + n[6])
    return x * above / ((d[0] * s + d[1]) * s2 + (d[2] * s + d[3]))


# Cephes' expf: exp(f) for |f| ≤ ln 2 / 2, and ln 2 in two parts, the first with few digits.
EXPONENTIAL = (
    1.9875691500e-4,
    1.3981999507e-3,
    8.3334519073e-3,
    4.1665795894e-2,
    1.6666665459e-1,
    5.0000001201e-1,
)
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
LOWEST = -88.0  # n = -127 there, whose bits make 2^n zero


def polynomial_exp(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """e^x for x ≤ 0 in float32, to 2e-7 (relative), and 0 below -87.7, where float32's normal numbers end.

    e^x = 2^n e^f with n = round(x / ln 2): 2^n is written into the bits of the exponent. x must be finite.
    """
    inside = mx.maximum(mx.stop_gradient(x), LOWEST)
    n = mx.round(inside * math.log2(math.e))
    f = inside - n * LN2_HIGH - n * LN2_LOW
    f2 = f * f
    c = EXPONENTIAL
    tail = ((c[0] * f + c[1]) * f2 + (c[2] * f + c[3])) * f2 + (c[4] * f + c[5])
    y = (tail * f2 + (f + 1)) * mx.view((n.astype(mx.int32) + 127) << 23, mx.float32)
    return y + y * (x - mx.stop_gradient(x))


def gelu(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """GELU in its tanh form: 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel, 2016)."""
    tanh = rational_tanh if forms.current().tanh == "rational" else mx.tanh
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def relu(x: Float[mx.array, "..."]) -> Float[mx.array, "..."]:
    """max(x, 0)."""
    return mx.maximum(x, 0)
