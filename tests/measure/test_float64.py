"""Are the loops in double precision those of the equations?"""

import mlx.core as mx
import numpy as np

from seqlab.measure import float64

ATOL = 1e-12


def random(*shape: int) -> mx.array:
    return mx.array(np.random.default_rng(sum(shape)).standard_normal(shape), dtype=mx.float32)


def test_a_constant_gate_sums_its_powers() -> None:
    b = random(2, 9, 3)
    found = float64.gated(mx.full(b.shape, 0.5), b)
    terms = np.array(b, np.float64)
    expected = sum(0.5 ** (8 - step) * terms[:, step] for step in range(9))
    np.testing.assert_allclose(found[:, -1], expected, atol=ATOL)
    np.testing.assert_allclose(found[:, 0], terms[:, 0], atol=ATOL)


def test_a_quarter_turn_comes_round_after_four_steps() -> None:
    once = np.zeros((2, 1, 5), np.float32)
    once[..., 0] = 1
    zero = mx.zeros(once.shape)
    real, imaginary = float64.diagonal((mx.zeros(2), mx.ones(2)), (mx.array(once), zero))
    np.testing.assert_allclose(real[1, 0], [1, 0, -1, 0, 1], atol=ATOL)
    np.testing.assert_allclose(imaginary[1, 0], [0, 1, 0, -1, 0], atol=ATOL)


def test_a_matrix_memory_is_linear_attention() -> None:
    q, k, v = random(2, 2, 7, 3), random(2, 2, 7, 3) + 1, random(2, 2, 7, 4)
    weights = np.tril(np.array(q, np.float64) @ np.array(k, np.float64).swapaxes(-1, -2))
    np.testing.assert_allclose(float64.matrix_memory(q, k, v), weights @ np.array(v, np.float64), atol=ATOL)
