"""How does a long training continue after a kill, to the same result bit for bit?

Every minute the training is written to a file (safetensors): its parameters, the best parameters and
the snapshots so far, the optimiser's state and the random state; and, as JSON in the file's header, all
counters and measurements. A new training that starts in the same way finds the file by its name and continues
from there. It yields the earlier measurements again, since the run that was killed is lost; training times
add up over both runs.

"The same way" means the same settings, first weights, random state, device, device settings and MLX version,
and the same place in the order of trainings that agree in all of these, such as one model trained on two data
sets. On a GPU the gradient of an embedding adds rows in whatever order they come (atomic additions), so there
two trainings end alike only as far as two undisturbed ones do. A hash of all this is the file's name and is
stored inside it. The batches, the loss and the validation belong to the caller. So give a new iterator of
batches from the same seed, as a page that runs again does: the batches of the steps already taken are drawn
and discarded. A validation must not depend on how often it was called.

A file is written under another name, flushed to the disk and renamed, so that a kill leaves the old file or
the new one. (On macOS `fsync` leaves the data in the drive's own cache, so a power cut may cost the last
minute there; what is damaged is found by its hash.) A file that is damaged nevertheless, or that belongs to
another training, is refused.
"""

import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn, optimizers
from mlx.utils import tree_flatten, tree_map, tree_map_with_path

from seqlab.errors import UsageError
from seqlab.machine import device
from seqlab.notebook.learning_curve import FEWEST, last_quarter
from seqlab.notebook.metrics import Measurement

PATIENCE = 3  # evaluations that must agree that a training is settled
FORMAT = 2  # of the files; after a change, files of another format are taken for another training's
Weights = dict[str, mx.array]  # path -> parameter
Snapshots = dict[int, Weights]  # training step -> the weights after it; empty until it is reached


@dataclass(frozen=True)
class Checkpoints:
    """The folder of the checkpoint files, and how many seconds of training a kill may cost.

    It counts the trainings that begin, so make a new one, with the same folder, for a run that continues
    another. The file of a training that ended well is removed. With `keep_finished` it stays and replaces
    the whole training: for a trial of several trainings, whose folder is removed when the trial ends.
    `before` is called before each file is written.
    """

    folder: Path
    every_seconds: float = 60.0  # writing 100 MB takes about a second
    keep_finished: bool = False
    before: Callable[[], object] | None = field(default=None, repr=False, compare=False)
    begun: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)


@dataclass
class Training:
    """Everything that a training changes, except the random state."""

    model: nn.Module
    optimizer: optimizers.Optimizer
    constant: int  # steps before the rate falls
    last: int  # step of all
    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0  # since the last report
    losses: int = 0
    best: dict[str, Any] | None = None  # weights
    best_optimizer: dict[str, Any] | None = None  # its state at that step
    scores: list[list[float]] = field(default_factory=list)  # [step, score]: lower is better
    measurements: list[Measurement] = field(default_factory=list)
    snapshots: Snapshots = field(default_factory=dict)

    def take_snapshot(self) -> None:
        """Keep the weights of this step, if they were asked for."""
        if self.step in self.snapshots:
            self.snapshots[self.step] = _flat(self.model.parameters())

    def better(self, score: float) -> bool:
        """Whether this evaluation is better than all before; it counts from now on."""
        best = min((before for _, before in self.scores), default=math.inf)
        self.scores.append([self.step, score])
        return score < best

    def settled(self, min_gain: float) -> bool:
        """Whether the last quarter of the steps brought no more, at `PATIENCE` evaluations in a row.

        One evaluation is noisy: of five Transformers that learnt chorales, two stopped early at a single one,
        and stayed 0.02 bits worse than the others.
        """
        curve = [(int(step), score) for step, score in self.scores]
        found = [last_quarter(curve, step, higher=False, fewest=FEWEST) for step, _ in curve[-PATIENCE:]]
        return all(one is not None and one.gain <= min_gain for one in found)

    def keep(self) -> None:
        """Remember the weights and the optimiser's state as the best so far."""
        self.best = self.model.parameters()
        self.best_optimizer = tree_map(lambda array: array, self.optimizer.state)

    def back_to_best(self) -> None:
        """Take up the best weights so far, with the optimiser's state that belongs to them."""
        if self.best is not None and self.best_optimizer is not None:
            self.model.update(self.best)
            rate = self.optimizer.state["learning_rate"]
            # In place: a compiled step holds on to the dictionaries.
            _take_over(self.optimizer.state, self.best_optimizer)
            self.optimizer.state["learning_rate"] = rate

    def record(self, measurement: Measurement) -> Measurement:
        """Remember what is about to be yielded."""
        self.measurements.append(measurement)
        return measurement


COUNTED = ("constant", "last", "step", "seconds", "loss_sum", "losses", "scores")
_current: Checkpoints | None = None


def current() -> Checkpoints | None:
    """The checkpoints that `fit` uses where it is given none."""
    return _current


def use(checkpoints: Checkpoints | None) -> None:
    """Set them for all trainings from now on: the worker that runs a trial does, so that no page need."""
    global _current
    _current = checkpoints


class Checkpoint:
    """The file of one training; make it at the training's start."""

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
        """Restore the training from its file, if there is one; return the seed of the random state."""
        if not self.path.exists():
            return None
        try:
            loaded: Any = mx.load(str(self.path), return_metadata=True)
            arrays, header = loaded
            mx.eval(arrays)  # read now, where an error of the disk is caught
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
            training.best_optimizer = _filled(training.optimizer.state, "best_optimizer", arrays)
        for step in training.snapshots:
            prefix = f"snapshots.{step}."
            found = {name: array for name, array in arrays.items() if name.startswith(prefix)}
            training.snapshots[step] = {name.removeprefix(prefix): array for name, array in found.items()}
        for name in COUNTED:
            setattr(training, name, kept[name])
        training.measurements = [Measurement(*kept_one) for kept_one in kept["measurements"]]
        return int(kept["random"])

    def save_if_due(self, training: Training) -> None:
        """Write the training to the file, unless the last time is less than `every_seconds` ago."""
        if time.monotonic() - self._saved >= self._place.every_seconds:
            self._save(training)

    def finish(self, training: Training) -> None:
        """Remove the file of a training that ended well; with `keep_finished`, write its end instead."""
        if self._place.keep_finished and training.seconds >= self._place.every_seconds:
            self._save(training)
        else:
            self.path.unlink(missing_ok=True)
            self._aside.unlink(missing_ok=True)

    def _save(self, training: Training) -> None:
        if self._place.before is not None:
            self._place.before()
        trees: dict[str, Any] = {
            "model": training.model.parameters(), "optimizer": training.optimizer.state,
            "snapshots": {str(step): weights for step, weights in training.snapshots.items()},
        }  # fmt: skip
        if training.best is not None:
            trees |= {"best": training.best, "best_optimizer": training.best_optimizer}
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
    """The seed that gives MLX's random state as it is now: its two halves."""
    state: Any = mx.random.state
    high, low = state[0].tolist()
    return int(high) << 32 | int(low)


def _take_over(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    """Give every array of the target, a tree of dictionaries and lists, its value in the source."""
    for name, value in source.items():
        if isinstance(value, dict):
            _take_over(target[name], value)
        elif isinstance(value, list):
            for own, other in zip(target[name], value, strict=True):
                _take_over(own, other)
        else:
            target[name] = value


def _flat(tree: Any) -> dict[str, mx.array]:
    return dict(tree_flatten(tree))


def _filled(tree: Any, name: str, arrays: Mapping[str, mx.array]) -> Any:
    """The same tree with the values of the file; its identity guarantees the same shapes."""
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
