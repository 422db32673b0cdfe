"""Is every character used once, and are the exponents those of what the trainings measured?"""

from collections import Counter
from itertools import product

import mlx.core as mx
import numpy as np
import pytest

from experiments import scaling
from seqlab.errors import UsageError
from seqlab.measure.flops import training_step_flops
from seqlab.measure.scaling import exponent
from seqlab.notebook import Trial
from seqlab.tasks import characters

RECIPE = scaling.Recipe("LSTM", width=8, characters=4_096, batch=4, context=32, scored=500)
SETTINGS = {"batch": 8, "context": 16, "steps": 8, "scored": 500, "rate": 0.01, "together": 1}


def test_no_window_comes_twice() -> None:
    drawn = np.concatenate([np.array(inputs) for inputs, _ in RECIPE.start(3)[1]])
    assert drawn.size == RECIPE.characters
    inputs, _ = characters.load().windows("train", length=32)
    there, here = (Counter(row.tobytes() for row in rows) for rows in (inputs, drawn.astype(inputs.dtype)))
    assert here <= there


def test_more_text_than_there_is_is_refused() -> None:
    with pytest.raises(UsageError, match="characters to train on"):
        scaling.Recipe("LSTM", 8, 10**7, 4, 32, 500).start(0)


def test_the_work_of_a_recurrence_is_counted_whole() -> None:
    """By two short sequences, the same as by tracing the long one."""
    tokens = mx.zeros((4, 32), dtype=mx.int32)
    whole = training_step_flops(RECIPE.network(0), scaling.token_loss, tokens, tokens)
    assert scaling.step_work(RECIPE) == whole


def test_exponents_are_those_of_the_trainings() -> None:
    trained = {}
    for width, amount in product(*scaling.SMOKE):
        factors = {"part": "loss", "model": "Transformer", "width": width, "characters": amount}
        found = {
            (one.metric, one.split): one.value
            for one in scaling.run(Trial("scaling", factors, 0, "smoke", SETTINGS))
        }
        trained[width, amount] = found["parameters", ""], found["bits_per_character", "test"]
    powers = Trial("scaling", {"part": "powers", "model": "Transformer"}, 0, "smoke", SETTINGS)
    fitted = {one.metric: one.value for one in scaling.run(powers)}
    row = {int(size): bits for (_, amount), (size, bits) in trained.items() if amount == 1_024}
    column = {amount: bits for (width, amount), (_, bits) in trained.items() if width == 32}
    assert fitted["size_exponent"] == pytest.approx(exponent(row))
    assert fitted["data_exponent"] == pytest.approx(exponent(column))
    assert "fitted_size_exponent" not in fitted
