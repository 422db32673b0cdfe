"""Is every input counted once, whatever the batch?"""

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from seqlab.measure.classification import accuracy


class Sign(nn.Module):
    """Class 1 for positive inputs, class 0 for others."""

    def __call__(self, x: mx.array) -> mx.array:
        return mx.stack([-x, x], axis=-1)


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_the_fraction_of_correct_labels(batch: int) -> None:
    inputs = np.array([1, -1, 2, -2, 3, -3, 4], np.float32)
    labels = np.array([1, 0, 0, 0, 1, 1, 1], np.int32)
    assert accuracy(Sign(), inputs, labels, batch=batch) == pytest.approx(5 / 7)
