"""Which networks of which pages are trained, and what must PyTorch know to build the same?

The standard library and NumPy alone: read by processes that hold MLX and by processes that hold PyTorch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

POOL = 20  # batches, drawn beforehand, that a training goes through again and again: drawing is not timed


@dataclass(frozen=True)
class Case:
    """A network of a page: `factors` are those of its trial."""

    page: str
    model: str
    factors: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.page}, {self.model}"


@dataclass(frozen=True)
class Described:
    """A case, ready for another library: sizes of the network, its parameters, its batches, its steps.

    `sizes` has what `pytorch.build` takes; `steps` is the page's limit of training steps.
    """

    sizes: Mapping[str, Any]
    parameters: int
    batches: list[tuple[np.ndarray, ...]]
    steps: int


WRITING = (("part", "writing"), ("width", 64))
CASES = (
    *(Case("language", model, WRITING) for model in ("Transformer", "RNN", "LSTM", "minGRU", "TCN")),
    *(Case("code", model) for model in ("Transformer", "LSTM", "minGRU", "TCN")),
    *(Case("music", model) for model in ("Transformer", "LSTM", "minGRU", "TCN")),
)
