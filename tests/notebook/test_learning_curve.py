"""What did the last quarter of a training bring?"""

import pytest

from seqlab.notebook.learning_curve import last_quarter

CURVE = [(10, 0.2), (20, 0.5), (30, 0.4), (40, 0.7), (50, 0.9)]


@pytest.mark.parametrize(
    ("steps", "higher", "before", "end"),
    [(40, True, 0.5, 0.7), (50, True, 0.5, 0.9), (40, False, 0.2, 0.2), (30, True, 0.5, 0.5)],
)
def test_it_compares_the_best_before_with_the_best_at_the_end(
    steps: int, higher: bool, before: float, end: float
) -> None:
    found = last_quarter(CURVE, steps, higher=higher)
    assert found is not None
    assert (found.first, found.before, found.end) == (0.2, before, end)
    assert found.gain == pytest.approx(abs(end - before))


def test_what_comes_after_the_steps_does_not_count() -> None:
    assert last_quarter(CURVE, 40, higher=True) == last_quarter(CURVE[:4], 40, higher=True)


def test_too_few_evaluations_tell_nothing() -> None:
    assert last_quarter(CURVE, 50, higher=True, fewest=6) is None
    assert last_quarter(CURVE[4:], 50, higher=True) is None
    assert last_quarter([], 50, higher=True) is None
