"""Are planted powers found again, and too few points refused?"""

import numpy as np
import pytest

from seqlab.errors import UsageError
from seqlab.measure.scaling import Scaling, exponent, together

SIZES, DATA = (10_000, 30_000, 100_000, 300_000, 1_000_000), (50_000, 100_000, 200_000, 400_000)


def planted(truth: Scaling, *, noise: float = 0.0) -> list[tuple[float, float, float]]:
    rng = np.random.default_rng(0)
    return [
        (float(n), float(d), float(truth.loss(n, d) * np.exp(noise * rng.normal())))
        for n in SIZES
        for d in DATA
    ]


def test_a_line_on_logarithmic_axes() -> None:
    assert exponent({n: 7 * n**-0.076 for n in SIZES}) == pytest.approx(0.076)


@pytest.mark.parametrize(
    "truth",
    [Scaling(1.7, 40.0, 90.0, 0.34, 0.28), Scaling(0.5, 8.0, 300.0, 0.15, 0.45)],
)
def test_all_five_numbers_come_back(truth: Scaling) -> None:
    found = together(planted(truth))
    assert found.size_exponent == pytest.approx(truth.size_exponent, rel=1e-3)
    assert found.data_exponent == pytest.approx(truth.data_exponent, rel=1e-3)
    assert found.floor == pytest.approx(truth.floor, rel=1e-2)
    assert found.loss(50_000, 150_000) == pytest.approx(truth.loss(50_000, 150_000), rel=1e-4)


def test_a_single_wrong_point_moves_little() -> None:
    truth = Scaling(1.7, 40.0, 90.0, 0.34, 0.28)
    points = planted(truth)
    points[7] = (*points[7][:2], points[7][2] * 1.3)
    assert together(points).size_exponent == pytest.approx(truth.size_exponent, abs=0.02)


def test_too_few_points_are_refused() -> None:
    with pytest.raises(UsageError, match="found 2"):
        exponent({1: 1.0, 2: 0.9})
    with pytest.raises(UsageError, match="found 6 points, 2 sizes, 3 amounts"):
        together([(float(n), float(d), 1.0) for n in (1, 2) for d in (1, 2, 3)])
