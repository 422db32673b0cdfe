"""After how much training time did a validation score first reach a target?

The score is known at evaluations alone; between two of them it is taken to change in a straight line with
the steps, and the time to pass evenly. The target must be fixed before anything trains: the final score of
the worse of two networks, another common choice, is known to neither of them in training.
"""

from collections.abc import Iterator, Sequence

from seqlab.notebook.metrics import Measurement


def time_to_target(
    measured: Sequence[Measurement], metric: str, *, target: float, initial: float
) -> Iterator[Measurement]:
    """`time_to_target` (s) for a metric with lower better; nothing where it never reaches the target.

    `measured` is all that a training yielded, its time and steps included; `initial` is the score of an
    untrained model.
    """
    seconds, steps = (
        next(found.value for found in measured if found.metric == name)
        for name in ("training_time", "train_steps")
    )
    step, score = 0, initial
    for found in measured:
        if found.metric != metric or found.step is None:
            continue
        if found.value <= target:
            part = (score - target) / (score - found.value)
            yield Measurement("time_to_target", seconds * (step + part * (found.step - step)) / steps)
            return
        step, score = found.step, found.value
