"""How does a long training go on after a kill, to the same result bit for bit?

Every minute the training is written to a file: parameters, the best of them, the optimiser's and the
random state (safetensors), and as JSON in the file's header all that was counted and measured. A new
training that starts in the same way finds the file by its name and goes on from there. It yields again
what had been measured, since the run that was killed is lost; the times add up over both.

"The same way" means the same settings, first weights, random state, device, its settings and MLX, and
the same turn among the trainings for which all that is the same, such as one model on two data sets: their
hash is the file's name and stands inside it. The batches, the loss and the validation are the caller's.
So give an iterator made afresh from the same seed, as a page does that runs again: the batches of the steps
that were taken are drawn and thrown away. A validation must not depend on how often it was called.

A file is written aside, flushed to the disk and renamed, so a kill leaves the old one or the new one.
What is damaged all the same, or belongs to another training, is refused.
"""

import json
import math
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn, optimizers
from mlx.utils import tree_flatten, tree_map_with_path

from seqlab.errors import UsageError
from seqlab.machine import device
from seqlab.notebook.metrics import Measurement

FORMAT = 1  # of the files; another number makes those on disk another training's


@dataclass(frozen=True)
class Checkpoints:
    """Where trainings are kept, and how many seconds a kill may cost.

    It counts the trainings that begin: make a new one, of the same folder, for a run that is to go on.
    The file of a training that ended well is removed. With `keep_finished` it stays and stands for
    the whole training: for a trial of several trainings, whose folder is removed when the trial ends.
    """

    folder: Path
    every_seconds: float = 60.0  # writing 100 MB takes about a second
    keep_finished: bool = False
    begun: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)


@dataclass
class Training:
    """All that a training changes, save the random state."""

    model: nn.Module
    optimizer: optimizers.Optimizer
    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0  # since the last report
    losses: int = 0
    best: dict[str, Any] | None = None
    best_score: float = math.inf
    waited: int = 0  # evaluations since the best
    finished: bool = False
    measurements: list[Measurement] = field(default_factory=list)

    def record(self, measurement: Measurement) -> Measurement:
        """Remember what is about to be yielded."""
        self.measurements.append(measurement)
        return measurement


COUNTED = ("step", "seconds", "loss_sum", "losses", "best_score", "waited", "finished")
_current: Checkpoints | None = None


def current() -> Checkpoints | None:
    """Where `fit` keeps a training that names no place of its own."""
    return _current


def use(checkpoints: Checkpoints | None) -> None:
    """Keep trainings there from here on: what runs a trial says it, so that no page need."""
    global _current
    _current = checkpoints


class Checkpoint:
    """The file of one training, which is at its start."""

    def __init__(self, place: Checkpoints, training: Training, settings: Mapping[str, object]) -> None:
        machine = [str(mx.default_device()), vars(mx)["__version__"], repr(device.settings())]
        circumstances = [FORMAT, dict(settings), random_seed(), machine]
        start = _flat(training.model.parameters())
        alike = _digest(start, json.dumps(circumstances, sort_keys=True))
        self._identity = sha256(f"{alike} {place.begun[alike]}".encode()).hexdigest()
        place.begun[alike] += 1
        self._place = place
        self.path = place.folder / f"{self._identity[:16]}.safetensors"
        self._aside = self.path.with_suffix(".part.safetensors")  # MLX adds the ending where it lacks
        self._saved = time.monotonic()

    def resume(self, training: Training) -> int | None:
        """Bring the training to where the file left it, if there is one: the seed of its random state."""
        if not self.path.exists():
            return None
        try:
            loaded: Any = mx.load(str(self.path), return_metadata=True)
            arrays, header = loaded
            mx.eval(arrays)  # read now, while what the disk says is caught
            kept = json.loads(header["training"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise self._refusal("is damaged") from error
        if header.get("digest") != _digest(arrays, header["training"]):
            raise self._refusal("is damaged")
        if kept["identity"] != self._identity:
            raise self._refusal("belongs to another training")
        training.model.update(_filled(training.model.parameters(), "model", arrays))
        training.optimizer.state = _filled(training.optimizer.state, "optimizer", arrays)
        training.optimizer.init(training.model.trainable_parameters())
        if kept["has_best"]:
            training.best = _filled(training.model.parameters(), "best", arrays)
        for name in COUNTED:
            setattr(training, name, kept[name])
        training.measurements = [Measurement(*kept_one) for kept_one in kept["measurements"]]
        return int(kept["random"])

    def save_if_due(self, training: Training) -> None:
        """Write the training to the file, unless that was done not long ago."""
        if time.monotonic() - self._saved >= self._place.every_seconds:
            self._save(training)

    def finish(self, training: Training) -> None:
        """The training ended well: its file goes, or stays in its place where that is wanted."""
        if self._place.keep_finished and training.seconds >= self._place.every_seconds:
            self._save(training)
        else:
            self.path.unlink(missing_ok=True)
            self._aside.unlink(missing_ok=True)

    def _save(self, training: Training) -> None:
        trees = {"model": training.model.parameters(), "optimizer": training.optimizer.state}
        if training.best is not None:
            trees["best"] = training.best
        arrays = _flat(trees)
        kept = {name: getattr(training, name) for name in COUNTED} | {
            "identity": self._identity,
            "random": random_seed(),
            "has_best": training.best is not None,
            "measurements": [[one.metric, one.value, one.split, one.step] for one in training.measurements],
        }
        text = json.dumps(kept)
        self._place.folder.mkdir(parents=True, exist_ok=True)
        mx.save_safetensors(str(self._aside), arrays, {"training": text, "digest": _digest(arrays, text)})
        _flush(self._aside)
        self._aside.replace(self.path)
        _flush(self._place.folder)
        self._saved = time.monotonic()

    def _refusal(self, why: str) -> UsageError:
        return UsageError(f"the checkpoint {self.path} {why}. Delete it to begin that training afresh.")


def random_seed() -> int:
    """The seed with which MLX's random state would be what it is now: its two halves."""
    state: Any = mx.random.state
    high, low = state[0].tolist()
    return int(high) << 32 | int(low)


def _flat(tree: Any) -> dict[str, mx.array]:
    return dict(tree_flatten(tree))


def _filled(tree: Any, name: str, arrays: Mapping[str, mx.array]) -> Any:
    """The same tree with the values of the file, whose identity says that it has the same shapes."""
    return tree_map_with_path(lambda path, _: arrays[f"{name}.{path}"], tree)


def _digest(arrays: Mapping[str, mx.array], text: str) -> str:
    """A hash of names, types, shapes and every bit."""
    digest = sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.array(array.reshape(-1).view(mx.uint8)).tobytes())
    return digest.hexdigest()


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
