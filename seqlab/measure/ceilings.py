"""How fast can this device multiply matrices and move memory, at most, when MLX asks it to?

Two ceilings are measured rather than read from a data sheet: the rate of large matrix products of float32
arrays, and the rate of moving memory. A model's rate over the first is its utilisation. On a CPU the second
is the rate of one thread, which is all that MLX's elementwise operations use; a threaded product may move
more. The best of the repeats is the ceiling, since a disturbance can only slow; the median beside it shows
how quiet the machine was.

A GPU may multiply float32 arrays at a lower precision: MLX uses TF32, with 10 bits of fraction instead of 23,
where the GPU has it and MLX_ENABLE_TF32 is not 0 (`enable_tf32` in its `utils.h`). Models run so, too. A
small product tests which precision is used here, and the result names it beside the rate.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Literal

import mlx.core as mx

from seqlab.errors import UsageError
from seqlab.notebook.metrics import Measurement

Precision = Literal["float32", "TF32 or less"]

SIZES = (512, 1024, 2048, 4096, 8192)  # edges of square products; the largest saturates a data-centre GPU
LONG_SECONDS = 0.05  # a product that takes longer has left the costs of a call far behind
NEAR = 0.95  # of the fastest rate: as quiet as `seqlab.measure.blocks` asks a machine to be
ELEMENTS = 1 << 26  # 256 MiB an array, three of them: more than a core's last-level cache


@dataclass(frozen=True)
class Rate:
    """Units a second: the best of the repeats, and their median."""

    best: float
    median: float


@dataclass(frozen=True)
class Ceilings:
    """`products` in FLOP/s of float32 arrays, `bandwidth` in B/s: of one device with its present settings.

    `precision` is that in which the products were computed.
    """

    products: Rate
    bandwidth: Rate
    precision: Precision

    def measurements(self) -> Iterator[Measurement]:
        """Both, for a page to yield."""
        yield Measurement("matmul_rate", self.products.best)
        yield Measurement("memory_bandwidth", self.bandwidth.best)


def ceilings(*, repeats: int = 5, elements: int = ELEMENTS) -> Ceilings:
    """Measure both; about a second. `elements` is the length of the arrays that are moved."""
    moved = bandwidth(repeats=repeats, elements=elements)
    return Ceilings(product_rate(repeats=repeats), moved, product_precision())


def product_precision() -> Precision:
    """In which precision a large product of float32 arrays is computed here, found by computing one.

    1 + 2⁻¹² times the identity is itself in float32, and 1 in TF32 or bfloat16.
    """
    number = 1 + 2.0**-12
    product = mx.full((SIZES[0], SIZES[0]), number) @ mx.eye(SIZES[0])
    return "float32" if mx.all(product == number).item() else "TF32 or less"


def product_rate(*, repeats: int = 5) -> Rate:
    """FLOP/s of products of float32 arrays, 2n³ each, of the size from `SIZES` that is the fastest."""
    return max(_product_rates(repeats).values(), key=lambda rate: rate.best)


def product_edge(*, repeats: int = 3) -> int:
    """The smallest size from `SIZES` whose product comes within 5 % of the fastest rate.

    It is short, so that a page can time this ceiling again in every block of `seqlab.measure.blocks`,
    beside what is compared with it. The ceiling is at most 5 % too low, and a share of it that much too high.
    """
    rates = _product_rates(repeats)
    fastest = max(rate.best for rate in rates.values())
    return min(size for size, rate in rates.items() if rate.best >= NEAR * fastest)


def _product_rates(repeats: int) -> dict[int, Rate]:
    rates = {}
    for size in SIZES:
        x = mx.random.uniform(shape=(2, size, size))
        mx.eval(x)
        taken = _seconds(partial(mx.matmul, x[0], x[1]), repeats)
        rates[size] = _rate(2 * size**3, taken)
        if median(taken) > LONG_SECONDS:
            break
    return rates


def bandwidth(*, repeats: int = 5, elements: int = ELEMENTS) -> Rate:
    """B/s of a sum x + y of float32 arrays: two read and one written, 12 bytes an element.

    Not counted is what a CPU reads of memory before it writes there. Nor does allocation count: the buffers
    are there already. On a CPU this is one thread, as MLX runs such operations.
    """
    before = mx.set_cache_limit(8 * elements)
    try:
        x, y = mx.ones((elements,)), mx.ones((elements,))
        mx.eval(x, y)
        return _rate(3 * x.nbytes, _seconds(lambda: x + y, repeats))
    finally:
        mx.set_cache_limit(before)


def utilisation(flops: int, seconds: float, ceilings: Ceilings) -> float:
    """The share of the device's largest product rate at which `flops` were done in `seconds`.

    With the FLOP of `seqlab.measure.flops`, those of the plain kernels, this is the utilisation of a model
    (Chowdhery et al., 2022), not of the hardware: a kernel that does less work for the same result scores
    higher. It is for float32 arrays; other precisions have other ceilings.
    """
    if seconds <= 0:
        raise UsageError(f"utilisation needs a time above 0 s, found {seconds:g}.")
    return flops / seconds / ceilings.products.best


def _rate(work: int, taken: list[float]) -> Rate:
    return Rate(work / min(taken), work / median(taken))


def _seconds(step: Callable[[], mx.array], repeats: int) -> list[float]:
    mx.eval(step())  # threads start, buffers are allocated
    taken = []
    for _ in range(repeats):
        mx.synchronize()
        begin = time.perf_counter()
        mx.eval(step())
        taken.append(time.perf_counter() - begin)
    return taken
