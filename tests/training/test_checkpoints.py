"""Does a training that was killed end as if it had not been, bit for bit?"""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn
from mlx.utils import tree_flatten

from seqlab.errors import UsageError
from seqlab.notebook.metrics import Measurement
from seqlab.training import checkpoints
from seqlab.training.checkpoints import Checkpoints
from seqlab.training.loop import fit

# Losses are reported every second step; the first validation is the best, and the tenth finds the training
# finished at step 50 and goes back to step 5, so that a kill may lose a sum, a score or a state.
STEPS, EVALUATE_EVERY, MIN_GAIN, TAKEN = 110, 5, 0.0, 62
KILLED = "batch 53", "validation 2", "writing 33"
CHILD = """
from seqlab.machine import blas
blas.load()
from pathlib import Path
from seqlab.training import checkpoints
checkpoints._flush = lambda path: None
from tests.training.test_checkpoints import train
train(Path({folder!r}), {kill!r}, compiled={compiled})
"""


def squared_error(model: nn.Module, x: mx.array, y: mx.array) -> mx.array:
    return mx.mean((model(x) - y) ** 2)


def train(
    folder: Path | None,
    kill: str = "",
    *,
    compiled: bool = False,
    keep_finished: bool = False,
    seed: int = 5,
    learning_rate: float = 0.03,
    min_gain: float = MIN_GAIN,
    twist: str = "",
    seen: list[str] | None = None,
    snapshots: dict[int, dict[str, mx.array]] | None = None,
) -> tuple[dict[str, bytes], list[Measurement]]:
    """All weights and all measurements save times. `kill` is the moment to die in; `seen` gets them all."""
    mx.random.seed(seed)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))
    if twist == "weights":
        model.layers[0].bias += 1
    if twist == "random state":
        mx.random.normal(())
    rng = np.random.default_rng(0)
    validations, written = itertools.count(1), itertools.count(1)

    def die(moment: str) -> None:
        if seen is not None:
            seen.append(moment)
        if moment == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    def batches() -> Iterator[tuple[mx.array, mx.array]]:
        for number in range(1, STEPS + 1):
            die(f"batch {number}")
            noise = mx.random.normal((8, 1))  # batches may draw from MLX's random state as well
            x = mx.array(rng.standard_normal((8, 3)), dtype=mx.float32)
            yield x, x.sum(axis=1, keepdims=True) + 0.1 * noise

    def validate(model: nn.Module) -> Iterator[Measurement]:
        die(f"validation {next(validations)}")
        x = mx.array(np.eye(3), dtype=mx.float32)
        yield Measurement("mse", float(mx.mean(model(x) ** 2)), split="valid")  # worse and worse

    replace = Path.replace

    def dying_replace(self: Path, target: Path) -> Path:
        die(f"writing {next(written)}")
        return replace(self, target)

    Path.replace = dying_replace
    try:
        found = list(
            fit(
                model,
                squared_error,
                batches=batches(),
                steps=STEPS,
                learning_rate=learning_rate,
                validate=validate,
                evaluate_every=EVALUATE_EVERY,
                min_gain=min_gain,
                compiled=compiled,
                snapshots=snapshots,
                checkpoints=folder and Checkpoints(folder, every_seconds=0.0, keep_finished=keep_finished),
            )
        )
    finally:
        Path.replace = replace
    weights = {path: np.array(array).tobytes() for path, array in tree_flatten(model.parameters())}
    return weights, [one for one in found if one.metric != "training_time"]


def killed(folder: Path, kill: str, *, compiled: bool = False) -> Path:
    """Train in a process of its own that dies; the file that it leaves."""
    code = CHILD.format(folder=str(folder), kill=kill, compiled=compiled)
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return next(path for path in folder.glob("*.safetensors") if ".part" not in path.name)


@pytest.fixture(autouse=True)
def _in_no_hurry_to_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flushing takes the disk's time, and guards against more than a kill."""
    monkeypatch.setattr(checkpoints, "_flush", lambda path: None)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a training that was killed at its 42nd batch."""
    return killed(tmp_path_factory.mktemp("killed"), "batch 42")


@pytest.mark.parametrize("kill", KILLED)
def test_a_killed_training_ends_as_one_that_was_not(kill: str, tmp_path: Path) -> None:
    killed(tmp_path, kill)
    weights, found = train(tmp_path)
    assert (weights, found) == train(None)
    assert Measurement("train_steps", TAKEN) in found
    assert list(tmp_path.iterdir()) == []  # it ended well


@pytest.mark.slow  # compiling takes seconds on a CPU
def test_a_compiled_training_resumes_too(tmp_path: Path) -> None:
    killed(tmp_path, "batch 42", compiled=True)
    assert train(tmp_path, compiled=True) == train(None, compiled=True)


def test_a_resumed_training_takes_the_other_steps_only(left: Path, tmp_path: Path) -> None:
    (tmp_path / left.name).write_bytes(left.read_bytes())
    seen: list[str] = []
    train(tmp_path, seen=seen)
    # All batches are drawn; of thirteen validations eight were done before.
    assert [one for one in seen if "batch" in one] == [f"batch {number}" for number in range(1, TAKEN + 1)]
    assert [one for one in seen if "validation" in one] == [f"validation {number}" for number in range(1, 6)]
    assert [one for one in seen if "writing" in one] == [f"writing {number}" for number in range(1, 22)]


@pytest.mark.parametrize(
    "change",
    [{"learning_rate": 0.02}, {"min_gain": 0.1}, {"twist": "weights"}, {"twist": "random state"}],
    ids=str,
)
def test_another_training_leaves_the_file_alone(change: dict[str, Any], left: Path, tmp_path: Path) -> None:
    copied = tmp_path / left.name
    copied.write_bytes(left.read_bytes())
    assert train(tmp_path, **change) == train(None, **change)
    assert copied.read_bytes() == left.read_bytes()


def test_the_file_of_another_training_is_refused(left: Path, tmp_path: Path) -> None:
    train(tmp_path, learning_rate=0.02, keep_finished=True)
    (own,) = tmp_path.iterdir()
    own.write_bytes(left.read_bytes())
    with pytest.raises(UsageError, match=rf"{own.name} belongs to another training\. Delete it"):
        train(tmp_path, learning_rate=0.02)


@pytest.mark.parametrize("damage", ["cut short", "one bit", "empty", "no header"])
def test_a_damaged_file_is_refused(damage: str, left: Path, tmp_path: Path) -> None:
    data = bytearray(left.read_bytes())
    match damage:
        case "cut short":
            data = data[: len(data) // 2]
        case "one bit":
            data[-1] ^= 1
        case "empty":
            data = bytearray()
        case "no header":
            mx.save_safetensors(str(tmp_path / "plain.safetensors"), {"x": mx.zeros(3)})
            data = bytearray((tmp_path / "plain.safetensors").read_bytes())
    (tmp_path / left.name).write_bytes(data)
    with pytest.raises(UsageError, match=f"{left.name} is damaged. Delete it to begin"):
        train(tmp_path)


def test_a_finished_training_may_stand_for_itself(tmp_path: Path) -> None:
    first = train(tmp_path, keep_finished=True)
    state = checkpoints.random_seed()
    (file,) = tmp_path.iterdir()
    seen: list[str] = []
    assert train(tmp_path, keep_finished=True, seen=seen) == first
    assert checkpoints.random_seed() == state
    # The batches are drawn, so that their iterator stands where it would; it is written once more.
    assert seen == [f"batch {number}" for number in range(1, TAKEN + 1)] + ["writing 1"]
    assert train(None) == first
    assert list(tmp_path.iterdir()) == [file]


def test_snapshots_survive(tmp_path: Path) -> None:
    """The second time nothing is trained, and the weights after the asked steps are those of the file."""
    taken, again = ({0: {}, 7: {}, TAKEN: {}} for _ in range(2))
    weights, _ = train(tmp_path, keep_finished=True, snapshots=taken)
    seen: list[str] = []
    assert train(tmp_path, keep_finished=True, snapshots=again, seen=seen)[0] == weights
    assert not any("validation" in one for one in seen)
    for step, own in taken.items():
        assert {path: array.tolist() for path, array in own.items()} == {
            path: array.tolist() for path, array in again[step].items()
        }
    assert taken[7]["layers.0.weight"].tolist() != taken[TAKEN]["layers.0.weight"].tolist()


def test_a_place_for_all_trainings(tmp_path: Path) -> None:
    checkpoints.use(Checkpoints(tmp_path, every_seconds=0.0, keep_finished=True))
    try:
        train(None)
        train(None, seed=6)
    finally:
        checkpoints.use(None)
    assert len(list(tmp_path.iterdir())) == 2
    train(None, seed=7)
    assert len(list(tmp_path.iterdir())) == 2


def test_trainings_that_start_alike_on_other_data_are_kept_apart(tmp_path: Path) -> None:
    def both(folder: Path | None) -> list[list[float]]:
        place = folder and Checkpoints(folder, every_seconds=0.0, keep_finished=True)
        found = []
        for target in (1.0, 50.0):
            mx.random.seed(0)
            batches = itertools.repeat((mx.ones((4, 3)), mx.full((4, 1), target)))
            measured = fit(
                nn.Linear(3, 1), squared_error, batches=batches, steps=3, learning_rate=0.1, checkpoints=place
            )
            found.append([one.value for one in measured if one.metric == "loss"])
        return found

    expected = both(None)
    assert both(tmp_path) == expected
    assert both(tmp_path) == expected  # and each finds its own again
    assert len(list(tmp_path.iterdir())) == 2


def test_short_trainings_write_nothing(tmp_path: Path) -> None:
    mx.random.seed(0)
    x = mx.ones((4, 3))
    found = fit(
        nn.Linear(3, 1), squared_error, batches=iter([(x, x)] * 5), steps=5, learning_rate=0.1,
        checkpoints=Checkpoints(tmp_path / "never", keep_finished=True),
    )  # fmt: skip
    assert [one.metric for one in found][-1] == "step_limit"
    assert not (tmp_path / "never").exists()
