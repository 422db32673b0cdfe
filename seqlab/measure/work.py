"""How much work does a function do, how much of it in matrix products, and on how many bytes?

Everything is counted in MLX's graph. Work is that of `seqlab.measure.flops`, in FLOP. Bytes are those that
would move if every primitive read its inputs from memory and wrote its outputs there, each once:

| primitive | bytes |
|---|---|
| views, and what depends on no input | 0 |
| gather | outputs, as many of the source, and the indices |
| all others | inputs and outputs; an input that comes twice is read once |

An input that is a view counts with its own size, but at most with that of its source: a broadcast bias is
read once. A device with a cache, with fused operations or with operations in place moves fewer bytes. Both
counts are of the plain kernels (`machine.kernels`), and the same on every machine.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mlx.core as mx

from seqlab.measure.depth import VIEWS
from seqlab.measure.flops import primitive_flops
from seqlab.measure.graph import Primitive, Shape, events

PRODUCTS = frozenset(["Matmul", "AddMM"])  # convolutions, which are contractions too, are not among them
GATHERS = frozenset(["Gather", "GatherAxis"])

Product = tuple[Shape, Shape]  # [... m k] times [... k n]


@dataclass(frozen=True)
class Work:
    """`flops`, of which `product_flops` in matrix products; `bytes` moved; how many primitives, less views.

    `products` says how often a product of these shapes is made; a sum with a bias is left out.
    """

    flops: int
    product_flops: int
    bytes: int
    primitives: int
    products: Mapping[Product, int]

    @property
    def intensity(self) -> float:
        """Work for each byte, in FLOP/B; 0 for a function that does nothing."""
        return self.flops / self.bytes if self.bytes else 0.0

    @property
    def other_share(self) -> float:
        """The share of the work that is not in matrix products; 0 for a function that does nothing."""
        return 1 - self.product_flops / self.flops if self.flops else 0.0


def work(function: Callable[..., Any], *inputs: mx.array) -> Work:
    """All of it for one call of `function(*inputs)`, which returns a tree of arrays.

    For a training step pass `seqlab.measure.graph.forward_and_backward(model, loss)`: the optimiser is left
    out. Raises `UsageError` where MLX cannot trace the function, or for a primitive of unknown work.
    """
    reached: set[str] = set()  # what depends on an input
    behind: dict[str, int] = {}  # bytes of a view, or of its source where those are fewer
    flops = product_flops = moved = primitives = 0
    products: Counter[Product] = Counter()
    for event in events(function, *inputs):
        if event["type"] == "inputs":
            reached.update(name for name, *_ in event["inputs"])
        if event["type"] != "primitive":
            continue
        name, before, after = event["name"], event["inputs"], event["outputs"]
        if name in VIEWS:
            source = _bytes(behind, before[0]) if before else 0
            behind.update((view, min(source, _size(shape, dtype))) for view, shape, dtype in after)
        if not any(given in reached for given, *_ in before):
            continue
        reached.update(made for made, *_ in after)
        if name in VIEWS:
            continue
        shapes = [(given, tuple(shape)) for given, shape, _ in before]
        primitive = Primitive(name, event["arguments"], shapes, [(made, tuple(s)) for made, s, _ in after])
        primitives += 1
        flops += primitive_flops(primitive)
        if name in PRODUCTS:
            (_, left), (_, right) = primitive.inputs[:2]
            product_flops += 2 * math.prod(primitive.outputs[0][1]) * left[-1]
            products[left, right] += 1
        moved += _moved(name, before, after, behind)
    return Work(flops, product_flops, moved, primitives, products)


def products_alone(work: Work) -> Callable[[], list[mx.array]]:
    """A step that makes all of the work's matrix products and nothing else, on random numbers.

    Products of the same shapes share their inputs, and none waits for another, so the time of such a step is
    about the least that the device needs for the products of that function. Time all that it returns, as
    `seqlab.measure.blocks` does.
    """
    inputs = {shapes: tuple(mx.random.uniform(shape=shape) for shape in shapes) for shapes in work.products}
    mx.eval(inputs)
    return lambda: [
        left @ right for shapes, (left, right) in inputs.items() for _ in range(work.products[shapes])
    ]


Array = tuple[str, Shape, mx.Dtype]  # as MLX describes it: name, shape, type


def _moved(name: str, before: list[Array], after: list[Array], behind: Mapping[str, int]) -> int:
    written = sum(_size(shape, dtype) for _, shape, dtype in after)
    read = {given[0]: _bytes(behind, given) for given in before}
    if name in GATHERS:
        source = before[0][0]
        read[source] = min(read[source], written)
    return sum(read.values()) + written


def _bytes(behind: Mapping[str, int], array: Array) -> int:
    name, shape, dtype = array
    return behind.get(name, _size(shape, dtype))


def _size(shape: Shape, dtype: mx.Dtype) -> int:
    return math.prod(shape) * dtype.size
