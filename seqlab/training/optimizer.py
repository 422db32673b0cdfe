"""Which optimiser trains every model? AdamW (@loshchilov2019adamw), decay on matrices alone.

Weight decay shrinks weights and embeddings, arrays of two axes or more, towards zero. It leaves biases,
gains of norms and other vectors alone, as the code of most language models does: a gain starts at 1, and the
bias of a forget gate starts where the gate remembers, so zero is no neutral value for them.
"""

from typing import Any

import mlx.core as mx
from mlx import optimizers


class MatrixDecay(optimizers.AdamW):
    """AdamW whose decay leaves arrays with fewer than `axes` axes alone."""

    def __init__(self, learning_rate: float, *, weight_decay: float, axes: int) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, bias_correction=True)
        self._axes = axes

    def apply_single(self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]) -> mx.array:
        """The new parameter; without decay AdamW is Adam."""
        decayed = parameter.ndim >= self._axes
        rule = super().apply_single if decayed else super(optimizers.AdamW, self).apply_single
        new: mx.array = rule(gradient, parameter, state)
        return new


def adamw(learning_rate: float, *, weight_decay: float = 0.01, stacked: bool = False) -> MatrixDecay:
    """The optimiser of every training here. `stacked`: the first axis of every array counts models."""
    return MatrixDecay(learning_rate, weight_decay=weight_decay, axes=3 if stacked else 2)
