"""Cells of an atlas whose times follow from a known formula, with noise."""

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from seqlab.analysis.atlas.cells import Cell, Measured, Task

NETWORKS = ("Transformer", "LSTM", "minGRU", "linear attention")
LENGTHS, WIDTHS, BATCHES = (4, 16, 64, 256, 1_024), (32, 64, 128, 256), (1, 4, 16)


def seconds(network: str, cell: Cell) -> float:
    """What a network takes: it changes along each axis who is the fastest."""
    length, width, batch = map(float, cell.sizes)
    products = batch * length * width**2 * 144
    return {
        "Transformer": 1e-3 + (products + 24 * batch * length**2 * width) / 5e10,
        "LSTM": 3e-4 + 8e-4 * length + products / 8e10,
        "minGRU": 7e-4 + 3e-4 * math.log2(length) + products / 4e10 + 2e-8 * batch * length * width,
        "linear attention": 2e-3 + products / 4.5e10,
    }[network]


def cells(task: Task = "train", *, every: int = 1) -> Iterator[Cell]:
    """All cells, or every second one as on a chessboard."""
    for (i, length), (j, width), (k, batch) in product(*map(enumerate, (LENGTHS, WIDTHS, BATCHES))):
        if (i + j + k) % every == 0:
            yield Cell(task, length, width, batch)


def timed(
    cell: Cell, rng: np.random.Generator, *, noise: float = 0.03, drift: float = 0.05, blocks: int = 7
) -> Measured:
    """A cell as it would be measured: every block has noise, and a whole run its own speed."""
    speed = math.exp(rng.normal(0, drift))
    return Measured(
        cell,
        {
            name: {
                block: seconds(name, cell) * speed * math.exp(rng.normal(0, noise)) for block in range(blocks)
            }
            for name in NETWORKS
        },
    )


def atlas(*, every: int = 1, noise: float = 0.03) -> list[Measured]:
    """All cells of a task."""
    rng = np.random.default_rng(0)
    return [timed(cell, rng, noise=noise) for cell in cells(every=every)]
