"""Are matched networks as large, or as much work, as their view says, and is each of them timed?"""

import mlx.core as mx
import pytest

from seqlab.measure.flops import training_step_flops
from seqlab.models.backbones import TRANSFORMER
from seqlab.models.parts.losses import token_loss
from seqlab.models.sizing import parameters
from seqlab.training.matched_steps import (
    PARAMETERS,
    SEQUENTIAL,
    WORK,
    Cell,
    compiles,
    hidden_size,
    language_model,
    time_side_by_side,
    work,
)
from seqlab.training.step import LONGEST_COMPILED

OTHERS = (*SEQUENTIAL, "minGRU", "TCN")


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_work_of_a_recurrence_is_that_which_is_counted(name: str) -> None:
    cell = Cell(length=21, batch=2, width=16)
    tokens = mx.zeros((cell.batch, cell.length), dtype=mx.int32)
    model = language_model(name, cell, 12)
    assert work(name, cell, 12) == training_step_flops(model, token_loss, tokens, tokens)


@pytest.mark.parametrize("length", [32, 512, 8192])
@pytest.mark.parametrize("name", OTHERS)
def test_parameters_are_equal_at_every_length(name: str, length: int) -> None:
    cell = Cell(length, batch=8, width=64)
    own, other = (
        parameters(language_model(model, cell, hidden_size(model, cell))) for model in (name, TRANSFORMER)
    )
    assert own == pytest.approx(other, rel=0.02)


@pytest.mark.parametrize("name", OTHERS)
def test_work_is_equal_where_the_view_says_so_and_takes_a_larger_network(name: str) -> None:
    cell = Cell(256, batch=8, width=64, view=WORK)
    size = hidden_size(name, cell)
    assert work(name, cell, size) == pytest.approx(work(TRANSFORMER, cell, 4 * cell.width), rel=0.05)
    assert size > hidden_size(name, Cell(256, batch=8, width=64, view=PARAMETERS))


@pytest.mark.parametrize("length", [5, 6, 61, 62, 8192])
def test_the_convolutional_network_sees_the_whole_sequence_in_as_few_blocks_as_it_takes(length: int) -> None:
    model = language_model("TCN", Cell(length, batch=1, width=8), 8)
    config = model.backbone.config
    assert config.receptive_field >= length
    assert 1 + (config.receptive_field - 1) / 2 - 2 < length  # with a block less it would not


def test_a_long_recurrence_is_never_compiled() -> None:
    cell = Cell(LONGEST_COMPILED + 1, batch=1, width=8)
    assert not any(compiles(name, cell, steps=10**9, both_ways=True) for name in SEQUENTIAL)


@pytest.mark.parametrize("forward", [False, True])
def test_every_network_is_timed_in_the_same_blocks(forward: bool) -> None:
    cell = Cell(length=4, batch=1, width=16)
    found = time_side_by_side({TRANSFORMER: False, "RNN": False}, cell, blocks=2, seed=0, forward=forward)
    assert set(found) == {TRANSFORMER, "RNN"}
    timed = [times for pair in found.values() for times in pair if times is not None]
    assert len(timed) == (4 if forward else 2)
    assert all(times.kept.keys() == timed[0].kept.keys() for times in timed)
    assert all(seconds > 0 for times in timed for seconds in times.kept.values())
