"""Do random edits leave nothing stale, and make nothing due without need?"""

import pytest

from tests.running.identity.edits import try_edits
from tests.running.identity.lab import Lab


@pytest.mark.slow
def test_random_edits_are_seen_where_they_change_a_value_and_only_there(lab: Lab) -> None:
    seen = try_edits(lab, count=40, seed=3)
    assert not [one for one in seen if one.stale or one.needless]
    assert sum(bool(one.changed) for one in seen) >= 10
    assert sum(one.cosmetic for one in seen) >= 10
