"""How long do several steps take side by side, so that a disturbance affects all of them alike?

In every block each arm is timed once, in a random order, after a sentinel: matrix products, always the same
and as many as take five milliseconds, of which the cost of a call is a small part. Where the sentinel differs
from the median of all sentinels by more than 5 %, the machine ran at another speed in that block. The block
is dropped by this rule alone, whatever the arms took, and counted. Timing goes on until enough blocks are
left, or twice as many were tried.

A GPU that has nothing to do lowers its clock, and a short step would end before it has risen again, which
would favour long ones. So on a GPU the sentinel also runs before each arm.

Ratios of arms within a block are the fair comparison: pair by the block, which is a measurement's `step`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median_low
from typing import Any

import mlx.core as mx
import numpy as np

from seqlab.errors import UsageError
from seqlab.measure.timing import pending_operations, seconds
from seqlab.notebook.metrics import Measurement

DRIFT = 0.05  # of the median sentinel
SENTINEL = 512  # edge of its square matrices: a few milliseconds on a CPU, and below our cases' own sizes
SENTINEL_SECONDS = 5e-3  # at least: a GPU's 512³ would take less than the 0.2 ms of a call
MOST_PRODUCTS = 1 << 12
SENTINEL_CALLS = 3  # of which the fastest counts: a single interruption is not a drift
MOST = 2  # times the blocks asked for are tried at most


@dataclass(frozen=True)
class Arm:
    """One of the steps to compare.

    `step` returns a tree of all arrays that it computes, and does `parts` equal things, such as tokens.
    `state` is a tree that it changes. `reset`, untimed, comes before each call.
    """

    step: Callable[[], Any]
    state: Any = ()
    parts: int = 1
    reset: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Times:
    """Seconds of one part of an arm's step.

    `first` is the very first call, compilation included; `kept` is by block; `dropped` counts the blocks
    that the sentinel ruled out, the same for all arms.
    """

    first: float
    kept: Mapping[int, float]
    dropped: int

    def measurements(self, metric: str = "step_time") -> Iterator[Measurement]:
        """`compile_time` (of the whole first step), the metric (`step` is the block), `blocks_dropped`."""
        yield Measurement("compile_time", self.first)
        for block, taken in self.kept.items():
            yield Measurement(metric, taken, step=block)
        yield Measurement("blocks_dropped", self.dropped)


def time_blocks(
    arms: Mapping[str, Arm], *, blocks: int, rng: np.random.Generator, warmup_steps: int = 1
) -> dict[str, Times]:
    """Time all arms in so many blocks, each of which has every arm once.

    Raises `UsageError` where an arm's step leaves part of its state uncomputed: its times would be too short.
    """
    if not arms or blocks < 1:
        raise UsageError(f"expected one arm and one block or more, found {len(arms)} and {blocks}.")
    first = {name: _once(name, arm) for name, arm in arms.items()}
    for _ in range(warmup_steps):
        for name, arm in arms.items():
            _once(name, arm)
    sentinel, on_gpu = _sentinel(), mx.default_device().type == mx.DeviceType.gpu
    sentinels: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in arms}
    kept: list[int] = []
    while len(kept) < blocks and len(sentinels) < MOST * blocks:
        sentinels.append(sentinel())
        for name in rng.permutation(list(arms)).tolist():
            if on_gpu:
                sentinel()
            taken[name].append(_once(name, arms[name]) / arms[name].parts)
        kept = undisturbed(sentinels)
    dropped = len(sentinels) - len(kept)
    return {
        name: Times(first[name], {block: taken[name][block] for block in kept[:blocks]}, dropped)
        for name in arms
    }


def undisturbed(sentinels: list[float]) -> list[int]:
    """The blocks whose sentinel is within `DRIFT` of the median of all of them."""
    usual = median_low(sentinels)  # a measured value, so that its block is always kept
    return [block for block, found in enumerate(sentinels) if abs(found / usual - 1) <= DRIFT]


def _once(name: str, arm: Arm) -> float:
    if arm.reset is not None:
        mx.eval(arm.reset())
    taken = seconds(arm.step)
    if pending := pending_operations(arm.state):
        raise UsageError(
            f"a timed step must return all that it computes, found {pending} operations left to do in the "
            f"state of {name!r}. Return that state from the step too."
        )
    return taken


def _sentinel() -> Callable[[], float]:
    x = mx.random.uniform(shape=(SENTINEL, SENTINEL)) * (2 / SENTINEL)  # its powers stay near 1 / SENTINEL
    mx.eval(x @ x)
    products = 1

    def work() -> mx.array:
        y = x
        for _ in range(products):
            y = y @ x
        return y

    def sentinel() -> float:
        return min(seconds(work) for _ in range(SENTINEL_CALLS))

    while sentinel() < SENTINEL_SECONDS and products < MOST_PRODUCTS:
        products *= 2
    return sentinel
