"""Does a trial give its factors and settings as they were asked for?"""

from dataclasses import dataclass

import pytest

from seqlab.errors import UsageError
from seqlab.notebook import Trial

TRIAL = Trial("page", {"model": "LSTM"}, 3, "quick", {"width": 32, "steps": 10, "batch": 4})


@dataclass(frozen=True)
class Recipe:
    model: str
    width: int
    steps: int


def test_a_dataclass_is_filled_from_factors_and_settings_of_its_fields_names() -> None:
    assert TRIAL.fill(Recipe) == Recipe("LSTM", 32, 10)
    assert TRIAL.fill(Recipe, width=64) == Recipe("LSTM", 64, 10)


def test_a_field_that_the_trial_has_not_is_named() -> None:
    with pytest.raises(UsageError, match="steps"):
        Trial("page", {"model": "LSTM"}, 3, "quick", {"width": 32}).fill(Recipe)
