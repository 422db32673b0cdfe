"""Is a stretch of learning without a gain found where it is, and only there?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.errors import UsageError
from seqlab.measure.plateau import plateau

LEVELS = {"worse": 2.0, "level": 1.0, "better": 0.5}


def test_a_stretch_at_the_level_is_measured_in_shares_of_the_training() -> None:
    still = [1.001, 1.0, 0.999, 0.998, 0.997]
    found = plateau([1.9, 1.2, *still, 0.7, 0.55, 0.5], **LEVELS)
    assert (found.share, found.left) == (0.4, True)


def test_a_steady_fall_has_none() -> None:
    assert plateau([2.0 * 0.9**step for step in range(14)], **LEVELS).share == 0


def test_one_that_never_leaves_says_so() -> None:
    found = plateau([1.5, *[1.0] * 9], **LEVELS)
    assert (found.share, found.left) == (0.8, False)


@pytest.mark.parametrize("elsewhere", [1.9, 0.5])
def test_standing_still_at_another_level_does_not_count(elsewhere: float) -> None:
    assert plateau([elsewhere] * 10, **LEVELS).share == 0


def test_what_comes_after_the_drop_does_not_count() -> None:
    assert plateau([1.4, 0.6, *[1.0] * 8], **LEVELS).share == 0


@given(st.lists(st.floats(0.4, 2.5), min_size=1, max_size=40))
def test_a_share_is_a_share(losses: list[float]) -> None:
    assert 0 <= plateau(losses, **LEVELS).share < 1


@pytest.mark.parametrize(("losses", "level"), [([], 1.0), ([1.0], 2.5), ([1.0], 0.4)])
def test_levels_that_do_not_fall_are_refused(losses: list[float], level: float) -> None:
    with pytest.raises(UsageError, match="levels that fall"):
        plateau(losses, **{**LEVELS, "level": level})
