"""Do random edits leave nothing stale, and make nothing due without need?"""

import random
from collections import Counter

import pytest

from tests.faults.edits import Edits
from tests.running.identity.lab import Lab


@pytest.mark.slow
def test_random_edits_are_seen_where_they_change_a_value_and_only_there(lab: Lab) -> None:
    edits, counts = Edits.of(lab), Counter[str]()
    for number in range(40):
        case = edits.case(number, random.Random(number))
        assert not case.wrong, case.what
        counts.update(case.counts)
    edits.end()
    assert counts["changed a value"] >= 10
    assert counts["cosmetic"] >= 10
