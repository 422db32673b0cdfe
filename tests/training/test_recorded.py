"""Are a training's measurements passed on one by one and kept, with what it returned?"""

from collections.abc import Generator

import pytest

from seqlab.errors import DivergedError
from seqlab.notebook import Measurement
from seqlab.training import Recorded

MEASURED = [Measurement("loss", 2.0, "train", 1), Measurement("loss", 1.0, "train", 2)]


def training() -> Generator[Measurement, None, str]:
    yield from MEASURED
    return "model"


def test_measurements_pass_on_and_stay() -> None:
    recorded = Recorded(training())
    assert list(recorded) == MEASURED == recorded.measurements
    assert recorded.result == "model"


def test_finish_runs_to_the_end() -> None:
    recorded = Recorded(training())
    assert recorded.finish() == "model"
    assert recorded.measurements == MEASURED


def test_a_training_that_diverges_keeps_what_came_before() -> None:
    def diverging() -> Generator[Measurement, None, str]:
        yield MEASURED[0]
        raise DivergedError("not finite")

    recorded = Recorded(diverging())
    with pytest.raises(DivergedError):
        recorded.finish()
    assert recorded.measurements == MEASURED[:1]
