"""What must a step take by arithmetic? A sum of a few costs, each so much for each operation of its kind.

seconds = Σ c_k · n_k(length, width, batch), all c_k ≥ 0, fitted to measured cells

The terms n_k are what a network of two layers does, up to constant factors: starting, waiting for one
operation after another, reading weights, moving features, products with weights, and attention's scores. Only
a recurrence that takes its steps in order waits for each of them; only the Transformer compares all pairs.
The fit weighs relative errors. So it extrapolates as the arithmetic does, and a Gaussian process corrects it
between the cells (`fit`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls

from seqlab.analysis.atlas.cells import Cell, Task

SEQUENTIAL = frozenset(["LSTM", "RNN", "GRU"])  # train in as many steps as the sequence has
QUADRATIC = frozenset(["Transformer"])

Term = tuple[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Any]]  # for which networks, and the counts
ALL, IN_ORDER, PAIRS = "all", "in order", "pairs"

TERMS: dict[Task, tuple[Term, ...]] = {
    "train": (
        (ALL, lambda length, width, batch: 1.0),
        (ALL, lambda length, width, batch: np.log2(length)),  # a scan, a loop over chunks
        (ALL, lambda length, width, batch: width**2),  # the update
        (ALL, lambda length, width, batch: batch * length * width),
        (ALL, lambda length, width, batch: batch * length * width**2),
        (IN_ORDER, lambda length, width, batch: length),
        (IN_ORDER, lambda length, width, batch: length * width**2),  # the weights are read at every step
        (PAIRS, lambda length, width, batch: batch * length**2),
        (PAIRS, lambda length, width, batch: batch * length**2 * width),
    ),
    "decode": (
        (ALL, lambda length, width, batch: 1.0),
        (ALL, lambda length, width, batch: width**2),  # the weights are read once for all sequences
        (ALL, lambda length, width, batch: batch * width),
        (ALL, lambda length, width, batch: batch * width**2),
        (PAIRS, lambda length, width, batch: batch * length),
        (PAIRS, lambda length, width, batch: batch * length * width),  # the cache
    ),
}

# Before anything is measured: FLOP/s that a device of this kind surely reaches, and seconds of one operation.
GUESSED_RATE = {"cpu": 2e10, "gpu": 1e12}
GUESSED_LATENCY = 5e-6
SEQUENTIAL_OPERATIONS = 200  # of one step of a recurrence, forward and backward, in two layers


def fitted(network: str, cells: Sequence[Cell], seconds: np.ndarray) -> "Roofline":
    """The costs of a network that fit the times of these cells, all of one task, best."""
    counts = _counts(network, cells)
    costs, _ = nnls(counts / seconds[:, None], np.ones(len(cells)))
    return Roofline(network, costs, float(np.min(seconds)))


class Roofline:
    """Predicts the seconds of a network by its `costs`; never less than half of the `least` measured."""

    def __init__(self, network: str, costs: np.ndarray, least: float) -> None:
        self._network, self._costs, self._least = network, costs, least

    def seconds(self, cells: Sequence[Cell]) -> np.ndarray:
        """The predicted seconds of cells of the task that was fitted."""
        return np.asarray(np.maximum(_counts(self._network, cells) @ self._costs, self._least / 2))


def _counts(network: str, cells: Sequence[Cell]) -> np.ndarray:
    """The terms of each cell, a row each; 0 for those that this network has not."""
    (task,) = {cell.task for cell in cells}
    has = {ALL: True, IN_ORDER: network in SEQUENTIAL, PAIRS: network in QUADRATIC}
    sizes = np.array([cell.sizes for cell in cells], dtype=float).T
    return np.stack([np.ones(len(cells)) * count(*sizes) * has[kind] for kind, count in TERMS[task]], axis=1)


def guessed_seconds(cell: Cell, kind: str) -> float:
    """Seconds of a cell's slowest network on a device of this kind, before anything is measured there."""
    length, width, batch = map(float, cell.sizes)
    if cell.task == "decode":
        flops = batch * (48 * width**2 + 8 * length * width)
        return flops / GUESSED_RATE[kind] + SEQUENTIAL_OPERATIONS * GUESSED_LATENCY
    flops = batch * length * (144 * width**2 + 24 * length * width)
    return flops / GUESSED_RATE[kind] + length * SEQUENTIAL_OPERATIONS * GUESSED_LATENCY


def memory_bytes(cell: Cell) -> float:
    """About the bytes that the networks of a cell take together: an upper estimate, from their shapes."""
    length, width, batch = map(float, cell.sizes)
    weights = 4 * 24 * width**2 * 4  # four networks, in float32
    if cell.task == "decode":
        return weights + 2 * 16 * batch * length * width  # a cache of two layers, copied once
    features, scores = 60 * batch * length * width, 2 * 4 * 4 * batch * length**2
    return 4 * weights + 4 * (features + scores)  # with gradients and two moments
