"""How many floating-point operations does a function take, counted in MLX's own graph?

| primitive | counted |
|---|---|
| matrix product [m k] [k n] | 2mnk: a multiplication and an addition each |
| the same, plus a bias (AddMM) | 2mnk + mn |
| convolution | 2 x outputs x kernel positions x channels of a group, less dilation's zeros |
| elementwise: add, tanh, compare, select, ... | 1 an output element, whatever the function or type |
| reduction, arg-reduction | inputs - outputs |
| scan (cumulative sum) | 1 an element |
| softmax | 5 an element: maximum, subtraction, exponential, sum, division |
| log-sum-exp | 4 an element |
| sort, partition | n log2 n comparisons a row |
| Fourier transform | 5 n log2 n a complex transform of n points, half of that for a real one |
| scatter and slice update that add | 1 an updated element |
| views, copies, gathers, casts, padding, constants | 0 |

Counts are of the plain kernels (`machine.kernels`). Attention is thus two matrix products, a softmax and a
mask, 4 L^2 D and some, and a causal mask saves nothing, as those kernels compute the masked half too. The
kernels in use may do less: attention in blocks skips most of the masked half. What depends on no input counts
as given (see `seqlab.measure.graph`), so dropout's random bits and parameter initialisation are not counted.
"""

import math
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn

from seqlab.errors import UsageError
from seqlab.measure.depth import VIEWS
from seqlab.measure.graph import Primitive, forward_and_backward, primitives

_MOVES = "Arange AsType Concatenate DynamicSliceUpdate Full Gather GatherAxis Imag Pad RandomBits Real"
_ELEMENTWISE = (
    "Abs Add ArcCos ArcCosh ArcSin ArcSinh ArcTan ArcTan2 ArcTanh BitwiseBinary BitwiseInvert Ceil Conjugate "
    "Cos Cosh DivMod Divide Equal Erf ErfInv Exp Expm1 Floor Greater GreaterEqual Less LessEqual Log Log1p "
    "LogAddExp LogicalAnd LogicalNot LogicalOr Maximum Minimum Multiply Negative NotEqual Power Remainder "
    "Round Select Sigmoid Sign Sin Sinh Sqrt Square Subtract Tan Tanh"
)
MOVES = VIEWS | frozenset(_MOVES.split())
ELEMENTWISE = frozenset(_ELEMENTWISE.split())
COUNTED = (4, 8)  # steps of the two sequences from which a longer recurrence is extrapolated


def flops(function: Callable[..., Any], *inputs: mx.array) -> int:
    """Floating-point operations (FLOP) of one call of `function(*inputs)`, by the table above.

    Raises `UsageError` for a primitive that the table lacks: a silent 0 would be a wrong count.
    """
    return sum(primitive_flops(primitive) for primitive in primitives(function, *inputs))


def training_step_flops(model: nn.Module, loss: Callable[..., mx.array], *batch: mx.array) -> int:
    """FLOP of `loss(model, *batch)` and its gradient; the optimiser's few a parameter are left out."""
    return flops(forward_and_backward(model, loss), *batch)


def extrapolated(count: Callable[[int], int], length: int) -> int:
    """`count(length)`, the work of a recurrence on a sequence, from its work on two short ones.

    A recurrence does the same for every step after the first, so its work is exactly linear in the length.
    Its graph grows with the length too, and counting a long one takes minutes.
    """
    short, long = COUNTED
    at_short, at_long = count(short), count(long)
    return at_short + (at_long - at_short) * (length - short) // (long - short)


def size_of_equal_work(
    count: Callable[[int], int], target: int, *, tried: tuple[int, int, int], low: int, high: int
) -> int:
    """The hidden size from `low` to below `high` whose work, `count(size)`, is nearest `target`.

    All work is in products of sizes, of which two at most are the hidden one. So it is a square polynomial of
    that size, and the counts at the three sizes `tried` determine it.
    """
    polynomial = np.polyfit(tried, [count(size) for size in tried], deg=2)
    sizes = np.arange(low, high)
    return int(sizes[np.argmin(np.abs(np.polyval(polynomial, sizes) - target))])


def primitive_flops(primitive: Primitive) -> int:
    """FLOP of one primitive, by the table above; `UsageError` for one that it lacks."""
    name, arguments = primitive.name, primitive.arguments
    shapes = [shape for _, shape in primitive.inputs]
    out = math.prod(primitive.outputs[0][1])
    if name in MOVES:
        return 0
    if name in ELEMENTWISE:
        return out
    match name:
        case "Matmul":
            return 2 * out * shapes[0][-1]
        case "AddMM":
            return 2 * out * shapes[0][-1] + out
        case "Convolution":  # the weight is [outputs, *kernel, inputs of a group]
            input_dilation: list[int] = arguments[4]
            return 2 * out * math.prod(shapes[1][1:]) // math.prod(input_dilation)
        case "Reduce" | "ArgReduce":
            return math.prod(shapes[0]) - out
        case "Scan":
            return out
        case "Softmax":
            return 5 * out
        case "LogSumExp":
            return 4 * math.prod(shapes[0])
        case "Sort" | "ArgSort" | "Partition" | "ArgPartition":
            length = shapes[0][arguments[-1]]
            return math.ceil(out * math.log2(max(length, 1)))
        case "FFT":
            axes, real = arguments[0], arguments[2]
            whole = max(shapes[0], primitive.outputs[0][1], key=math.prod)
            points = math.prod(whole[axis] for axis in axes)
            work = 5 * math.prod(whole) * math.log2(max(points, 1))
            return math.ceil(work / 2 if real else work)
        case "Scatter" | "SliceUpdate":
            return math.prod(shapes[-1]) if arguments[0] != 4 else 0  # 4: assign (ReduceType::None)
        case "ScatterAxis":
            return math.prod(shapes[-1]) if arguments[0] == 0 else 0  # 0: sum
    raise UsageError(f"cannot count the work of MLX's primitive {name!r}. Add it to seqlab/measure/flops.py.")
