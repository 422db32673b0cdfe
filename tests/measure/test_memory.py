"""Peak memory: grows with the arrays of a step, and leaves out what was there before."""

import mlx.core as mx

from seqlab.measure.memory import peak_memory

KIB = 1024


def test_it_counts_the_arrays_of_the_step() -> None:
    def step(size: int) -> mx.array:
        return mx.full((size,), 1.0, dtype=mx.float32) * mx.arange(size, dtype=mx.float32)

    small, large = (peak_memory(lambda size=size: step(size)) for size in (64 * KIB, 256 * KIB))
    assert small >= 4 * 64 * KIB  # its result alone is 4 bytes an element
    assert 3 * small < large < 5 * small


def test_it_leaves_out_what_was_there_before() -> None:
    parameters = mx.ones((1024 * KIB,))
    mx.eval(parameters)
    assert peak_memory(lambda: parameters[:16] + 1) < 4 * 64 * KIB


def test_what_the_first_call_keeps_is_not_counted() -> None:
    kept: list[mx.array] = []

    def step() -> mx.array:
        if not kept:
            kept.append(mx.ones((1024 * KIB,)))
            mx.eval(kept)
        return kept[0][:16] + 1

    assert peak_memory(step) < 4 * 64 * KIB
