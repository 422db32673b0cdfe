"""How soon can an operation follow the one that it waits for, however little it does?

Measured is a sequence of additions to a single number, of which each needs the one before and none is work to
speak of. The time of one addition is what the device, and MLX before it, need to start one operation after
another. The shortest of the repeats counts, since a disturbance only slows. This is the time of separate
operations: a kernel that holds a whole loop needs it once.
"""

import mlx.core as mx

from seqlab.errors import UsageError
from seqlab.measure.timing import seconds

ADDITIONS = 1_000  # enough that starting the evaluation takes a small part, few enough for MLX's limits


def operation_latency(*, repeats: int = 5, additions: int = ADDITIONS) -> float:
    """Seconds per addition, evaluation alone: the graph is built before the clock starts."""
    if repeats < 1 or additions < 1:
        raise UsageError(f"expected one repeat and one addition or more, found {repeats} and {additions}.")
    taken = []
    for _ in range(repeats + 1):  # the first prepares: kernels are made, buffers allocated
        end, one = mx.zeros((1,)), mx.ones((1,))
        mx.eval(end, one)
        for _ in range(additions):
            end = end + one
        taken.append(_evaluated(end))
    return min(taken[1:]) / additions


def _evaluated(end: mx.array) -> float:
    return seconds(lambda: end)
