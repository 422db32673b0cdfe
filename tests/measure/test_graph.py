"""Does reading a graph leave the process as it was?"""

import mlx.core as mx
import psutil

from seqlab.measure.graph import events


def test_reading_a_graph_leaves_no_thread_behind() -> None:
    """MLX keeps a thread for every stream; each costs time whenever MLX waits for all of them."""
    x = mx.ones((3, 3))
    mx.eval(x @ x)
    before = psutil.Process().num_threads()
    device = mx.default_device()
    for _ in range(10):
        events(lambda x: (x @ x).sum(), x)
    assert psutil.Process().num_threads() < before + 5
    assert mx.default_device() == device
