"""Does the predictor find the frontier of a world whose times are known, and know how sure it is?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from seqlab.analysis.atlas.cells import Cell, Device, Measured, measured
from seqlab.analysis.atlas.fit import coordinates
from seqlab.analysis.atlas.held_out import Score, held_out, held_out_devices
from seqlab.analysis.atlas.order import by_level, levels, sifted
from seqlab.analysis.atlas.predictor import (
    LEAST_CELLS,
    Predictor,
    fastest_probabilities,
    octaves_outside,
)
from seqlab.analysis.atlas.roofline import guessed_seconds
from seqlab.errors import UsageError
from seqlab.notebook.experiment import Trial
from seqlab.notebook.metrics import Measurement
from seqlab.store.database import Run, Store
from tests.analysis.atlas_planted import NETWORKS, atlas, cells, seconds, timed

LAPTOP, SERVER = Device("laptop", "1.0"), Device("server", "1.0")


def truly_fastest(cell: Cell) -> str:
    return min(NETWORKS, key=lambda name: seconds(name, cell))


@pytest.fixture(scope="module")
def half() -> list[Measured]:
    """Every second cell."""
    return atlas(every=2)


@pytest.fixture(scope="module")
def predictor(half: list[Measured]) -> Predictor:
    return Predictor(half)


def test_it_finds_the_frontier_between_the_cells(half: list[Measured], predictor: Predictor) -> None:
    unseen = sorted(set(cells()) - {one.cell for one in half})
    predicted = predictor.predict(unseen)
    truth = [truly_fastest(cell) for cell in unseen]
    assert len(set(truth)) >= 3
    right = [chosen == true for chosen, true in zip(predicted.chosen, truth, strict=True)]
    assert np.mean(right) >= 0.9
    regrets = [
        seconds(chosen, cell) / seconds(true, cell) - 1
        for cell, chosen, true in zip(unseen, predicted.chosen, truth, strict=True)
    ]
    assert np.mean(regrets) < 0.02
    sure = [
        one for one, share in zip(right, predicted.probabilities.max(axis=1), strict=True) if share > 0.95
    ]
    assert len(sure) > len(right) / 2
    assert np.mean(sure) >= 0.95


def test_its_times_lie_in_their_intervals_about_as_often_as_it_says(
    half: list[Measured], predictor: Predictor
) -> None:
    unseen = sorted(set(cells()) - {one.cell for one in half})
    predicted, rng = predictor.predict(unseen), np.random.default_rng(1)
    low, high = predicted.bounds
    truth = np.array([[timed(cell, rng).seconds[name] for name in predicted.networks] for cell in unseen])
    assert 0.75 <= np.mean((low <= truth) & (truth <= high)) <= 1.0
    assert np.allclose(predicted.probabilities.sum(axis=1), 1.0)


def test_far_from_all_cells_it_is_less_sure(predictor: Predictor) -> None:
    inside, outside = Cell("train", 64, 128, 4), Cell("train", 65_536, 128, 4)
    predicted = predictor.predict([inside, outside])
    assert (predicted.sd[1] > 2 * predicted.sd[0]).all()
    assert predicted.chosen[1] != "Transformer"  # by the arithmetic: all pairs are too many
    assert octaves_outside(coordinates([inside, outside]), coordinates(list(cells()))).tolist() == [0.0, 6.0]


def test_a_corner_that_was_left_out_is_outside() -> None:
    known = coordinates([Cell("train", 1_024, 32, 1), Cell("train", 32, 1_024, 1), Cell("train", 4, 32, 1)])
    assert octaves_outside(coordinates([Cell("train", 1_024, 1_024, 1)]), known).tolist() == [5.0]


def test_too_few_cells_are_no_atlas(half: list[Measured]) -> None:
    with pytest.raises(UsageError, match="expected 8 measured cells or more, found 7"):
        Predictor(half[: LEAST_CELLS - 1])
    assert held_out("cell", half[: LEAST_CELLS - 1]) == []


@pytest.mark.parametrize("by", ["cell", "width"])
def test_held_out_cells_are_predicted_without_themselves(half: list[Measured], by: str) -> None:
    answers = held_out(by, half)
    assert [answer.measured.cell for answer in sorted(answers, key=lambda one: one.measured.cell)] == sorted(
        one.cell for one in half
    )
    score, clear = Score.of(answers), Score.of([one for one in answers if one.measured.is_clear])
    assert score.cells == len(half)
    assert score.right >= 0.8
    assert clear.right >= score.right
    assert score.regret <= 0.05 <= score.within
    # Of cells whose networks take random times nobody can know the fastest: else something leaks.
    rng = np.random.default_rng(2)
    shuffled = [
        Measured(one.cell, dict(zip(rng.permutation(NETWORKS).tolist(), one.blocks.values(), strict=True)))
        for one in half
    ]
    assert Score.of(held_out(by, shuffled)).right <= 0.6


def test_one_device_tells_of_another(half: list[Measured]) -> None:
    faster = [
        replace(
            one, blocks={name: {b: s / 3 for b, s in taken.items()} for name, taken in one.blocks.items()}
        )
        for one in half
    ]
    found = dict(held_out_devices({LAPTOP: half, SERVER: faster}))
    assert found.keys() == {LAPTOP, SERVER}
    assert Score.of(found[SERVER]).right >= 0.9
    assert dict(held_out_devices({LAPTOP: half})) == {}


def test_probabilities_are_those_of_drawing_many_numbers() -> None:
    mean, sd = np.array([[0.0, 0.1, 0.5, 2.0], [1.0, 1.0, 1.0, 1.0]]), np.array([[0.1, 0.2, 0.5, 0.1]] * 2)
    drawn = np.random.default_rng(0).normal(mean[:, None], sd[:, None], (2, 200_000, 4)).argmin(axis=2)
    counted = [[np.mean(row == place) for place in range(4)] for row in drawn]
    assert np.abs(fastest_probabilities(mean, sd) - counted).max() < 0.005
    assert fastest_probabilities(np.array([[0.0, 1.0]]), np.zeros((1, 2))).tolist() == [[1.0, 0.0]]


def test_a_lead_is_clear_where_it_is_more_than_the_noise() -> None:
    cell = Cell("decode", 64, 64, 1)
    steady = Measured(cell, {"a": {0: 1.0, 1: 1.1, 2: 0.9}, "b": {0: 1.3, 1: 1.4, 2: 1.2}})
    shaky = Measured(cell, {"a": {0: 1.0, 1: 1.5, 2: 0.9}, "b": {0: 1.3, 1: 1.1, 2: 1.2}})
    single = Measured(cell, {"a": {0: 1.0}, "b": {0: 9.0}})
    assert (steady.is_clear, shaky.is_clear, single.is_clear) == (True, False, False)
    assert steady.ranked == ["a", "b"]
    assert steady.regret("b") == pytest.approx(0.3)


def test_a_coarse_grid_comes_before_anything_finer() -> None:
    assert levels(9) == [0, 3, 2, 3, 1, 3, 2, 3, 0]
    assert [levels(count) for count in (1, 2, 3)] == [[0], [0, 0], [0, 1, 0]]
    found = by_level(cells())
    assert sorted(cell for level in found for cell in level) == sorted(cells())
    first = found[0]
    assert {cell.length for cell in first} == {4, 1_024}
    assert {cell.width for cell in first} == {32, 256}
    assert {cell.batch for cell in first} == {1, 16}


def test_what_would_take_too_long_is_left_out_and_said_so() -> None:
    known = atlas(every=2)
    long, huge = Cell("train", 65_536, 256, 16), Cell("decode", 1 << 24, 2_048, 256)
    kept, skipped = sifted(
        [long, huge, known[0].cell, Cell("train", 8, 32, 1)], known, kind="cpu", longest=2.0, memory=8e9
    )
    assert kept == [known[0].cell, Cell("train", 8, 32, 1)]
    assert [one.cell for one in skipped] == [long, huge]
    by_time, by_memory = skipped
    assert by_time.bytes is not None or by_time.seconds is not None
    assert by_memory.bytes is not None
    # Before anything is measured a guess decides, and what is measured is never left out.
    assert guessed_seconds(long, "cpu") > 2.0 > guessed_seconds(Cell("train", 64, 64, 4), "cpu")
    slow = [timed(long, np.random.default_rng(0))]
    assert sifted([long], slow, kind="cpu", longest=2.0, memory=8e9)[0] == [long]


def run(cell: Cell, *, age: int, device: Device = LAPTOP, budget: str = "quick", faster: float = 1.0) -> Run:
    metric = "step_time" if cell.task == "train" else "token_time"
    return Run(
        Trial("atlas", cell._asdict(), 0, budget, {"blocks": 2}),  # type: ignore[arg-type]
        "ok",
        1.0,
        datetime(2026, 12, 1, tzinfo=UTC) - timedelta(days=age),
        *device,
        "f" * 16,
        {},
        tuple(
            Measurement(metric, seconds(name, cell) / faster, name, block)
            for name in NETWORKS
            for block in range(2)
        ),
    )


def test_of_each_cell_the_latest_run_with_the_latest_mlx_counts(tmp_path: Path) -> None:
    one, other, toy = Cell("train", 64, 64, 4), Cell("decode", 64, 64, 4), Cell("train", 4, 16, 1)
    with Store(tmp_path / "seqlab.db") as store:
        store.add_all(
            [
                run(one, age=1, faster=2.0),
                run(one, age=5),
                run(other, age=9, device=Device("laptop", "0.9")),  # another MLX since
                run(other, age=3, device=SERVER),
                run(toy, age=0, budget="smoke"),
                replace(run(toy, age=0), status="failed"),
            ]
        )
        found = measured(store)
    assert {device: [one.cell for one in cells] for device, cells in found.items()} == {
        LAPTOP: [one],
        SERVER: [other],
    }
    assert list(found) == [LAPTOP, SERVER]  # the last first
    assert found[LAPTOP][0].seconds["LSTM"] == pytest.approx(seconds("LSTM", one) / 2)
