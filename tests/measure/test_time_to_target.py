"""Is the time to a target interpolated between evaluations, and left out where the target was not reached?"""

from seqlab.measure.time_to_target import time_to_target
from seqlab.notebook import Measurement

MEASURED = [
    Measurement("bits_per_character", 4.0, "valid", 10),
    Measurement("bits_per_character", 3.0, "valid", 20),
    Measurement("training_time", 40.0),
    Measurement("train_steps", 20),
]


def times(target: float, initial: float = 6.0) -> list[float]:
    found = time_to_target(MEASURED, "bits_per_character", target=target, initial=initial)
    return [one.value for one in found]


def test_the_time_to_a_target_lies_between_evaluations() -> None:
    assert times(3.5) == [30.0]
    assert times(4.0) == [20.0]
    assert times(2.9) == []


def test_before_the_first_evaluation_the_score_falls_from_that_of_an_untrained_model() -> None:
    assert times(5.0, initial=6.0) == [10.0]
