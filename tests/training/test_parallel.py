"""Is a training that several processes share the training of one, and does it end and resume as one?"""

from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.errors import UsageError
from seqlab.notebook.metrics import Measurement
from seqlab.training.launched import launch
from seqlab.training.loop import fit
from seqlab.training.parallel import bytes_sent, rows

STEPS = 12


def network() -> nn.Module:
    mx.random.seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))


def squared_error(model: nn.Module, x: mx.array, y: mx.array) -> mx.array:
    return mx.mean((model(x) - y) ** 2)


def batches() -> Iterator[tuple[mx.array, mx.array]]:
    rng = np.random.default_rng(0)
    while True:
        x = rng.standard_normal((8, 3)).astype(np.float32)
        yield mx.array(x), mx.array(x.sum(axis=1, keepdims=True))


def losses(found: Iterator[Measurement] | list[Measurement]) -> list[float]:
    return [one.value for one in found if one.metric == "loss"]


# The same training as a page's part: what each of the processes runs.
PAGE = f"""
import os, sys
from pathlib import Path
import mlx.core as mx
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.training.test_parallel import STEPS, batches, network, squared_error
from seqlab.training.checkpoints import Checkpoints
from seqlab.training.parallel import fit_parallel

def part(group, *, folder="", dies_at=0, seed=0):
    model = network()
    if seed == group.rank() == 1:
        model.layers[0].bias = mx.ones(16)
    taken = 0
    def counted():
        nonlocal taken
        for batch in batches():
            taken += 1
            if dies_at and taken > dies_at and group.rank() == 1:
                os._exit(9)
            yield batch
    place = Checkpoints(Path(folder), every_seconds=0.0) if folder else None
    mx.random.seed(0)
    found = fit_parallel(
        model, squared_error, batches=counted(), group=group, checkpoints=place, steps=STEPS,
        learning_rate=0.05,
    )
    yield from (one for one in found if one.metric == "loss")
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("experiments") / "shared.py"
    file.write_text(PAGE)
    return file


@pytest.fixture(scope="module")
def alone() -> list[float]:
    """The losses of one process that trains on whole batches."""
    mx.random.seed(0)
    return losses(fit(network(), squared_error, batches=batches(), steps=STEPS, learning_rate=0.05))


def test_two_processes_have_the_losses_of_one(page: Path, alone: list[float]) -> None:
    found = losses(launch(page, 2, {}))
    assert len(alone) == STEPS
    np.testing.assert_allclose(found, alone, rtol=1e-5)


def test_one_that_dies_ends_all_and_the_others_resume(page: Path, alone: list[float], tmp_path: Path) -> None:
    with pytest.raises(
        RuntimeError, match="process 2 of 2 ended with exit code 9, and the others were ended"
    ):
        list(launch(page, 2, {"folder": str(tmp_path), "dies_at": 5}))
    assert list(tmp_path.glob("*.safetensors"))
    found = list(launch(page, 2, {"folder": str(tmp_path)}))
    np.testing.assert_allclose(losses(found), alone, rtol=1e-5)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_one_process_is_launched_too(page: Path, alone: list[float]) -> None:
    np.testing.assert_allclose(losses(launch(page, 1, {})), alone, rtol=1e-5)


def test_unlike_first_weights_are_refused_in_one_line(page: Path) -> None:
    with pytest.raises(RuntimeError, match="expected the same first weights in all 2 processes") as caught:
        list(launch(page, 2, {"seed": 1}))
    assert "\n" not in str(caught.value)


def test_rows_are_shared_out_without_overlap() -> None:
    x = mx.arange(8)
    parts = [next(rows(iter([(x, x)]), rank, 4))[0] for rank in range(4)]
    assert mx.concatenate(parts).tolist() == x.tolist()
    with pytest.raises(UsageError, match="4 processes can share out evenly, found 6 rows"):
        next(rows(iter([(x[:6],)]), 0, 4))


def test_a_ring_sends_nearly_twice_the_gradients() -> None:
    size = 4 * (3 * 16 + 16 + 16 + 1)
    assert bytes_sent(network(), 2) == size
    assert bytes_sent(network(), 4) == 1.5 * size
