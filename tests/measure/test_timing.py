"""Timing: everything is computed inside the timer. Nothing here asserts how long anything takes."""

import mlx.core as mx

from seqlab.measure.timing import pending_operations, seconds


def test_what_a_step_returns_is_evaluated_for_it() -> None:
    made: list[dict[str, list[mx.array]]] = []

    def lazy_step() -> dict[str, list[mx.array]]:
        made.append({"deep": [mx.exp(mx.ones((8,)))]})
        assert pending_operations(made[-1]) > 0
        return made[-1]

    assert seconds(lazy_step) > 0
    assert len(made) == 1
    assert pending_operations(made) == 0


def test_pending_operations_counts_primitives() -> None:
    x = mx.ones((4,))
    mx.eval(x)
    assert pending_operations(x) == 0
    assert pending_operations([mx.exp(mx.sin(x))]) == 2
    assert pending_operations(()) == 0
