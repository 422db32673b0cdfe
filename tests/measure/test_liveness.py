"""Liveness: hand-made graphs in which it is plain what is alive at once."""

import mlx.core as mx
from mlx import nn

from seqlab.measure.liveness import live_bytes

N = 1_000
BYTES = 4 * N
X = mx.zeros((N,))


def test_a_chain_of_elementwise_operations_writes_over_its_own_result() -> None:
    def chain(x: mx.array) -> mx.array:
        for _ in range(30):
            x = mx.sin(x)
        return x

    assert live_bytes(chain, X) == BYTES  # not the input's own, which stays


def test_what_is_read_again_stays() -> None:
    def kept(x: mx.array) -> mx.array:
        steps = [mx.sin(x)]
        for _ in range(9):
            steps.append(mx.sin(steps[-1]))
        return sum(steps[::-1])  # type: ignore[return-value] # from the last back to the first

    assert live_bytes(kept, X) == 10 * BYTES


def test_a_view_takes_nothing_and_keeps_what_it_is_a_view_of() -> None:
    def viewed(x: mx.array) -> mx.array:
        made = mx.sin(x)
        return made[: N // 2].reshape(2, -1).T

    assert live_bytes(viewed, X) == BYTES
    assert live_bytes(lambda x: mx.exp(viewed(x)), X) == BYTES + BYTES // 2


def test_a_product_needs_room_beside_its_inputs() -> None:
    square = mx.zeros((64, 64))
    assert live_bytes(lambda x: x @ x, square) == square.nbytes
    assert live_bytes(lambda x: (x @ x) @ x, square) == 2 * square.nbytes


def test_what_a_function_holds_was_there_before_and_may_be_written_over() -> None:
    class Held(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.total = mx.zeros((N,))

    model = Held()
    mx.eval(model.total)

    def step(x: mx.array) -> mx.array:
        model.total = model.total + x
        return model.total

    assert live_bytes(step, X) == 0


def test_only_what_the_results_need_is_counted() -> None:
    assert live_bytes(lambda x: (mx.sin(x), x @ x)[0], X) == BYTES
